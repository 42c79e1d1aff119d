from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.judging.allowance import Allowance, earned, opened, parsed
from schemas.settings import Settings
from schemas.types import RoutingPolicy, text_digest
from stream.tag.routing import Router

NOW = 1_700_000_000_000


def after(before: Allowance, end: int, *, share: float = 0.04, most: int = 300) -> Allowance:
    return earned(before, {0: (0, end)}, per_record=share, most=most, at_ms=before.at_ms + 1000)


def test_records_earn_questions_and_what_is_not_spent_is_carried_over() -> None:
    first = after(opened({0: (0, 0)}, served=True, at_ms=NOW), 1000)
    assert first.questions == 40
    assert after(first.less(30), 1500).questions == 10 + 20


def test_no_more_is_saved_up_than_one_round_asks() -> None:
    assert after(opened({0: (0, 0)}, served=True, at_ms=NOW), 1_000_000).questions == 300


def test_records_from_before_anybody_counted_earn_nothing_where_a_student_served() -> None:
    spans = {0: (400, 1000), 1: (0, 50)}
    served, fresh = (opened(spans, served=x, at_ms=NOW) for x in (True, False))
    wanted = {"per_record": 0.1, "most": 300, "at_ms": NOW}
    assert earned(served, spans, **wanted).questions == 0  # type: ignore[arg-type]  # see above
    assert earned(fresh, spans, **wanted).questions == 65  # type: ignore[arg-type]  # see above


def test_a_topic_that_was_made_anew_earns_by_what_it_holds() -> None:
    before = after(opened({0: (0, 0)}, served=True, at_ms=NOW), 1000)
    assert after(before.less(40), 100).questions == 4


def test_it_says_how_fast_questions_are_earned() -> None:
    first = after(opened({0: (0, 0)}, served=True, at_ms=NOW), 1000)
    assert first.per_s == pytest.approx(40)
    assert after(first, 1000).per_s == pytest.approx(40)


def test_it_is_read_as_it_was_written() -> None:
    one = after(opened({0: (0, 0)}, served=True, at_ms=NOW), 777)
    assert parsed(one.as_dict()) == one


@pytest.mark.parametrize("damaged", [None, [], {}, {"seen": {"0": "x"}}, {"seen": 3}])
def test_what_is_damaged_is_none(damaged: object) -> None:
    assert parsed(damaged) is None


@given(
    rounds=st.lists(st.integers(0, 600), min_size=1, max_size=6),
    budget=st.floats(0.01, 0.5),
    share=st.floats(0, 1),
)
def test_lanes_and_rounds_together_never_pass_the_budget(
    rounds: list[int], budget: float, share: float
) -> None:
    settings = Settings.model_validate(
        {
            "routing": {"budget_share": budget},
            "distill": {"audit_share": 0, "judging": {"share": share}},
        }
    )
    router, policy = Router(settings.lanes_routing), RoutingPolicy(1.0, 0.0, 0)
    allowance = opened({0: (0, 0)}, served=False, at_ms=NOW)
    records = granted = asked = 0
    for n in rounds:
        for i in range(records, records + n):
            granted += router.decide(i * 37 % 100 / 100, text_digest(str(i)), policy).granted
        records += n
        allowance = after(allowance, records, share=settings.questions_per_record)
        asked += allowance.questions  # all that may be asked is asked
        allowance = allowance.less(allowance.questions)
        assert granted + asked <= budget * records + 1e-6
