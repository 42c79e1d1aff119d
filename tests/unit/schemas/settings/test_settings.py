from __future__ import annotations

import pytest

from schemas.settings import Settings


def test_without_gold_the_lanes_leave_a_part_of_the_budget_to_judging() -> None:
    settings = Settings()
    assert settings.lanes_routing.budget_share == pytest.approx(0.06)
    assert settings.questions_per_record == pytest.approx(0.04)
    rich = Settings.model_validate({"routing": {"budget_share": 0.5}})
    assert rich.questions_per_record == pytest.approx(0.1)
    assert rich.lanes_routing.budget_share == pytest.approx(0.4)
    gold = Settings.model_validate({"distill": {"gold": "gold.jsonl"}})
    assert gold.lanes_routing == gold.routing
    assert gold.questions_per_record == 0
    little = Settings.model_validate({"distill": {"gold": "gold.jsonl", "judging": {"share": 0.5}}})
    assert little.lanes_routing.budget_share == little.questions_per_record == 0.05


@pytest.mark.parametrize(
    ("distill", "short"),
    [
        ({}, 0.02),
        ({"early_audit_share": 0.05}, 0.05),
        ({"early_audit_share": "auto"}, 0.03),  # the lanes may ask 0.06: questions take the rest
        ({"early_audit_share": "auto", "judging": {"share": 0.0}}, 0.05),
        ({"early_audit_share": 0.01}, 0.02),
        ({"early_audit_share": "auto", "audit_share": 0.0}, 0.0),
    ],
)
def test_audits_may_have_more_at_first_and_never_less(
    distill: dict[str, object], short: float
) -> None:
    settings = Settings.model_validate({"distill": distill})
    assert settings.audit_shares.short == pytest.approx(short)
    assert settings.audit_shares.settled == settings.distill.audit_share


@pytest.mark.parametrize(
    ("budget", "gold", "left"),
    [
        (0.1, "", 0.5),  # half at most, whatever the budget leaves
        (0.5, "gold.jsonl", 0.5),
        (0.7, "gold.jsonl", 0.3),
        (0.7, "", 0.4),  # the lanes may ask 0.6: questions take the rest
        (1.0, "gold.jsonl", 0.0),
    ],
)
def test_what_is_unproven_saves_nothing_of_the_budget(
    budget: float, gold: str, left: float
) -> None:
    values = {"routing": {"budget_share": budget}, "distill": {"gold": gold or None}}
    assert Settings.model_validate(values).unproved_share == pytest.approx(left)
