from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from schemas.types import Promotion, RoutingPolicy, policy_digest
from stream.kafka.promotion_fits import misfit
from stream.testing.messages import a_promotion


def entry(sequence: int, version: str, parent: str, **changes: Any) -> Promotion:
    made = a_promotion(
        sequence=sequence,
        student_version=version,
        parent=parent,
        digest=version[-1] * 64,
        location=f"test/{version}",
    )
    return replace(made, **changes)


HISTORY = [entry(1, "v1", ""), entry(2, "v2", "v1")]


@pytest.mark.parametrize(
    "honest",
    [
        entry(3, "v3", "v2"),
        entry(3, "v1", "v2", action="rollback"),
        entry(3, "v1", "v2"),
        entry(3, "v2", "v2", action="policy"),
        entry(3, "v2", "v2", action="policy", gold_digest="x", metrics={"f1": 1.0}),
    ],
)
def test_what_follows_from_the_history_is_believed(honest: Promotion) -> None:
    assert misfit(HISTORY, honest) == ""


def test_a_first_entry_replaces_nothing() -> None:
    assert misfit([], entry(1, "v1", "")) == ""
    assert "replaces v0" in misfit([], entry(1, "v1", "v0"))


NO_POLICY = RoutingPolicy(float("nan"), 0.02, 0)


@pytest.mark.parametrize(
    ("forged", "why"),
    [
        (entry(3, "v3", "v1"), "it replaces v1, and v2 is in force"),
        (entry(3, "v3", ""), "it replaces nothing"),
        (entry(3, "v3", "v2", policy=RoutingPolicy(0.0, 0.0, 0)), "another policy"),
        (entry(3, "v3", "v2", policy=NO_POLICY, policy_digest=policy_digest(NO_POLICY)), "none"),
        (entry(3, "v3", "v2", location="test/v1"), "another student"),
        (entry(3, "v3", "v2", location="places/v3"), "another student"),
        (entry(3, "v9", "v2", action="rollback"), "never promoted"),
        (entry(3, "v1", "v2", action="rollback", digest="9" * 64), "another bundle"),
        (entry(3, "v1", "v2", digest="9" * 64), "another bundle"),
        (entry(3, "v1", "v2", action="rollback", task_digest="9" * 64), "another bundle"),
        (entry(3, "v1", "v2", action="policy"), "not in force"),
        (entry(3, "v2", "v2", action="policy", digest="9" * 64), "another bundle"),
    ],
)
def test_what_does_not_is_no_promotion(forged: Promotion, why: str) -> None:
    assert why in misfit(HISTORY, forged)
