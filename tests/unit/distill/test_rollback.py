from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from distill.bring_back import bring_back
from distill.rollback import rollback
from distill.testing.fakes import NAMES, Loop
from schemas.audit import key_digest
from schemas.errors import BundleError, GateError
from schemas.promises.record import promised_by
from schemas.types import policy_digest
from stream.retrain.promise_keeper import under_another_policy
from stream.testing.messages import a_promised


def three_students(loop: Loop) -> list[str]:
    versions = []
    for end in (50, 100, 150):
        loop.learn(NAMES[end - 50 : end])
        versions.append(loop.round().student)
    assert [p.student_version for p in loop.journal.promotions] == versions
    return versions


def back(loop: Loop, to: str | None = None) -> str:
    return rollback(
        loop.settings, to=to, journal=loop.journal, clock=lambda: loop.now_s
    ).student_version


def test_rollback_puts_the_student_before_in_force_with_its_own_policy(loop: Loop) -> None:
    _, second, third = three_students(loop)
    assert back(loop) == second
    promoted, entry = loop.journal.promotions[1], loop.journal.promotions[-1]
    assert (entry.sequence, entry.action, entry.parent) == (4, "rollback", third)
    assert (entry.digest, entry.location, entry.policy) == (
        promoted.digest,
        promoted.location,
        promoted.policy,
    )


def test_rolling_back_twice_goes_back_twice_and_then_no_further(loop: Loop) -> None:
    first, second, _ = three_students(loop)
    assert [back(loop), back(loop)] == [second, first]
    with pytest.raises(GateError, match="is the first student"):
        back(loop)


def test_rollback_goes_to_a_named_version_forward_too(loop: Loop) -> None:
    first, _, third = three_students(loop)
    assert back(loop, to=first) == first
    assert back(loop, to=third) == third


@pytest.mark.parametrize("to", ["nonesuch", "../../etc"])
def test_rollback_to_what_was_never_promoted_names_what_was(loop: Loop, to: str) -> None:
    first, *_ = three_students(loop)
    with pytest.raises(GateError, match=first):
        back(loop, to=to)


def test_rollback_to_the_student_in_force_is_refused(loop: Loop) -> None:
    *_, third = three_students(loop)
    with pytest.raises(GateError, match="in force already"):
        back(loop, to=third)


def test_rollback_without_any_promotion_is_refused(loop: Loop) -> None:
    with pytest.raises(GateError, match="nothing was ever promoted"):
        back(loop)


def test_rollback_to_a_bundle_that_is_gone_changes_nothing(loop: Loop) -> None:
    _, second, _ = three_students(loop)
    (Path(loop.settings.student.registry) / "people" / second / "student.onnx").unlink()
    with pytest.raises(BundleError):
        back(loop)
    assert len(loop.journal.promotions) == 3


def test_after_a_rollback_the_next_round_challenges_the_student_in_force(loop: Loop) -> None:
    first, *_ = three_students(loop)
    back(loop, to=first)
    assert loop.round(force=True).champion == first


def test_rollback_to_a_student_whose_policy_changed_keeps_the_change(loop: Loop) -> None:
    first, second, _ = three_students(loop)
    promoted = loop.journal.promotions[0]
    raised = replace(promoted.policy, threshold=0.99)
    back(loop, to=first)
    changed = replace(promoted, sequence=5, action="policy", parent=first, policy=raised)
    loop.journal.record(changed)
    back(loop, to=second)
    back(loop, to=first)
    assert loop.journal.promotions[-1].policy == raised


def test_who_goes_back_promises_nothing_of_a_stream_that_has_changed_since(loop: Loop) -> None:
    loop.maker.promised = a_promised()
    first, second, _ = three_students(loop)
    promised = promised_by(loop.journal.promotions[-1])
    assert promised is not None
    proof = replace(promised.proof, state="broken", threshold=0.97)
    broken = replace(promised, proof=proof, since_ms=7)
    loop.journal.record(under_another_policy(loop.journal.promotions, broken, now_ms=8))
    assert back(loop) == second
    bring_back(
        loop.settings,
        first,
        reason="again",
        skip_gate=True,
        journal=loop.journal,
        prove=lambda *_: None,
    )
    for entry, version in zip(loop.journal.promotions[-2:], (second, first), strict=True):
        found = promised_by(entry)
        assert found is not None
        assert (entry.student_version, found.proof.state, found.since_ms) == (
            version,
            "unproven",
            7,
        )
        assert entry.policy.threshold == 0.97
        assert loop.journal.promises[-1].state == "unproven"


def test_who_goes_back_draws_audits_with_the_key_of_today(loop: Loop) -> None:
    three_students(loop)
    loop.routing = {"audit_key": "k" * 32}
    loop.with_distill(min_new_labels=10)
    back(loop)
    before, entry = loop.journal.promotions[1], loop.journal.promotions[-1]
    assert entry.policy.audit_key_digest == key_digest("k" * 32)
    assert entry.policy_digest == policy_digest(entry.policy) != before.policy_digest
    assert entry.policy.threshold == before.policy.threshold
