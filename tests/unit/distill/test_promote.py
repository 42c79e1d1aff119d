from __future__ import annotations

from dataclasses import replace

import pytest

from distill.promote import routing_policy
from distill.testing.fakes import NAMES, ListJournal, Loop
from schemas.errors import GateError
from schemas.files.bundle_store import open_bundle_store
from schemas.promises.proving import Asked, prove
from schemas.promises.record import LabelBound, Promised, promised_by
from schemas.promises.trust import trust_facts
from schemas.types import RoutingPolicy, policy_digest
from stream.retrain.promise_keeper import under_another_policy
from stream.student.promoted import load_promoted
from stream.testing.messages import a_label, a_promised


def test_a_policy_is_of_the_settings_and_the_students_threshold(loop: Loop) -> None:
    distill = loop.with_distill(audit_share=0.1, seed=7).distill
    assert routing_policy(distill, 0.7) == RoutingPolicy(0.7, 0.1, 7)


def test_a_promotion_names_a_bundle_that_the_store_has(loop: Loop) -> None:
    loop.learn(NAMES[:100])
    promotion = loop.round().promotion
    assert promotion is not None
    student = load_promoted(open_bundle_store(loop.settings.student), loop.task, promotion)
    assert student.version == promotion.student_version
    # The manifest was whole before its digest was named.
    assert student.manifest.metrics.items() >= promotion.metrics.items()


def test_a_promotion_that_comes_second_is_an_error(loop: Loop) -> None:
    loop.learn(NAMES[:100])
    loop.round()
    loop.learn(NAMES[100:])
    loop.journal.rival = loop.journal.promotions[0]
    with pytest.raises(GateError, match="came first"):
        loop.round()


class Watched(ListJournal):
    """Somebody raises the champion's threshold while the challenger learns."""

    def newest_texts(self, n: int, *, since_ms: int = 0) -> list[str]:
        for last in self.promotions[-1:]:
            self.promotions.append(
                replace(
                    last,
                    sequence=len(self.promotions) + 1,
                    action="policy",
                    parent=last.student_version,
                )
            )
        return super().newest_texts(n, since_ms=since_ms)


def test_a_policy_that_changed_meanwhile_takes_nothing_from_a_victory(loop: Loop) -> None:
    loop.journal = Watched()
    loop.learn(NAMES[:100])
    first = loop.round()
    loop.learn(NAMES[100:])
    second = loop.round()
    actions = [(one.action, one.student_version) for one in loop.journal.promotions]
    assert actions == [
        ("promote", first.student),
        ("policy", first.student),
        ("promote", second.student),
    ]
    assert loop.journal.promotions[-1].parent == first.student


class Broken(ListJournal):
    """The champion's promise breaks while the challenger learns."""

    def newest_texts(self, n: int, *, since_ms: int = 0) -> list[str]:
        for last in self.promotions[-1:]:
            promised = promised_by(last)
            assert promised is not None
            broken = replace(
                promised, proof=replace(promised.proof, state="broken", threshold=0.97), since_ms=7
            )
            self.record(under_another_policy(self.promotions, broken, now_ms=8))
        return super().newest_texts(n, since_ms=since_ms)


def test_what_was_proved_before_a_promise_broke_is_not_promised_after_it(loop: Loop) -> None:
    loop.maker.promised = a_promised(per_label={"PER": LabelBound(0.7, 0.9, 180, 0, 0.98, "kept")})
    loop.journal = Broken()
    loop.with_distill(min_new_labels=10, early_audit_share=0.05)
    loop.learn(NAMES[:100])
    loop.round()
    loop.learn(NAMES[100:])
    promotion = loop.round().promotion
    assert promotion is not None
    assert [one.action for one in loop.journal.promotions] == ["promote", "policy", "promote"]
    promised = promised_by(promotion)
    assert promised is not None
    assert (promised.proof.state, promised.since_ms, promised.changed) == ("unproven", 7, True)
    assert (promotion.policy.threshold, promotion.policy.audit_share) == (0.97, 0.05)
    said = loop.journal.promises[-2:]
    assert {one.student_version for one in said} == {promotion.student_version}
    assert [(one.label, one.state) for one in said] == [("", "unproven"), ("PER", "unproven")]


@pytest.fixture
def answered(loop: Loop) -> Loop:
    """The student is unsure of all that it says; the teacher missed what it knows."""
    loop.learn(NAMES[:100])
    loop.journal.kept += [
        a_label(text=f"{name} sings", task=loop.task.name, task_digest=loop.task.digest)
        for name in NAMES[:20]
    ]
    loop.maker.threshold = 1.0
    loop.maker.promised = Promised(
        asked=Asked(agreement=0.98, confidence=0.95),
        against="people",
        proof=prove([], Asked(agreement=0.98, confidence=0.95)),
        watched=0.0,
        stream=0,
    )
    return loop


def test_a_policy_trusts_the_labels_in_which_gold_proves_the_student(answered: Loop) -> None:
    result = answered.round()
    promotion = result.promotion
    assert promotion is not None
    assert promotion.policy.trusted == ("PER",)
    assert promotion.policy_digest == policy_digest(promotion.policy)
    expected = {"PER": {"records": 20, "student": 20, "teacher": 0, "trusted": True}}
    assert trust_facts(promotion) == result.as_dict()["trust"] == expected


def test_what_is_asked_because_the_budget_pays_for_it_earns_no_trust(answered: Loop) -> None:
    """The student is surer than its proof asks; its policy asks about all of it all the same."""
    promised = answered.maker.promised
    assert promised is not None
    answered.maker.promised = replace(promised, proof=replace(promised.proof, threshold=0.0))
    promotion = answered.round().promotion
    assert promotion is not None
    assert (promotion.policy.threshold, promotion.policy.trusted) == (1.0, ())


def test_where_it_is_the_teacher_whom_it_has_to_agree_with_it_trusts_none(answered: Loop) -> None:
    assert answered.maker.promised is not None
    answered.maker.promised = replace(answered.maker.promised, against="teacher")
    promotion = answered.round().promotion
    assert promotion is not None
    assert promotion.policy.trusted == ()
    assert trust_facts(promotion) == {}
