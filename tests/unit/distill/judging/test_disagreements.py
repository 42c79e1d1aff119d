from __future__ import annotations

from dataclasses import replace

from distill.judging.answered_gold import Answered
from distill.judging.disagreements import measured_reliability, measured_trust
from distill.testing.fakes import NAMES, Loop
from schemas.categories import of_labels
from schemas.promises.trust import NO_TRUST, Tally
from schemas.types import Category, Entity, Tagging, facts
from stream.teacher.reliabilities import NOBODY_KNOWN, reliabilities_in
from stream.teacher.reliability import Cell, Count
from stream.testing.messages import a_label

ADA = Entity(0, 3, "PER", "Ada", 0.95)
LABELS = ("PER", "LOC")
CELL = Cell("added", "PER", 2)


def found(confidence: float, *label_confidences: float) -> Answered:
    """The student found Ada, whom the teacher missed."""
    tagging = Tagging((ADA,), confidence, confidence, label_confidences=label_confidences)
    return Answered(tagging, a_label(), facts(tagging))


def invented(confidence: float) -> Answered:
    return replace(found(confidence), truth=frozenset())


def test_disagreements_count_apart_by_whether_the_record_would_be_deferred() -> None:
    answered = [found(0.79)] * 4 + [invented(0.8)] * 3
    known = measured_reliability(answered, threshold=0.8, choose_one=False)
    assert known.deferred.counts == {CELL: Count(student=4)}
    assert known.deferred.texts == Count(student=4)
    assert known.sure.counts == {CELL: Count(teacher=3)}
    assert known.sure.texts == Count(teacher=3)
    assert (known.deferred.model, known.deferred.prompt_version) == ("sim", "p1")


def test_without_answers_nothing_is_known() -> None:
    assert measured_reliability([], threshold=0.8, choose_one=False) == NOBODY_KNOWN
    assert measured_trust([], LABELS, threshold=0.8, risk=0.05) == NO_TRUST


def test_a_student_is_trusted_on_what_would_be_deferred_alone() -> None:
    sure = [found(0.8, 0.8, 1.0)] * 20
    assert measured_trust(sure, LABELS, threshold=0.8, risk=0.05) == NO_TRUST
    unsure = [found(0.79, 0.79, 1.0)] * 6
    trust = measured_trust([*sure, *unsure], LABELS, threshold=0.8, risk=0.05)
    assert trust.labels == ("PER",)
    assert trust.tallies == {"PER": Tally(6, 6, 0)}
    assert trust.teacher == ("sim", "p1")


def test_a_student_of_categories_is_trusted_by_the_same_rule() -> None:
    glad = Tagging((), 0.4, 0.4, (Category("glad", 0.4),), label_confidences=(0.4, 1.0))
    right = Answered(glad, a_label(categories=of_labels(["sad"])), facts(glad))
    trust = measured_trust([right] * 5, ("glad", "sad"), threshold=0.5, risk=0.05)
    assert trust.labels == ("glad",)


def test_a_promotion_carries_what_gold_says_of_student_and_teacher(loop: Loop) -> None:
    """The student knows the names that it learnt; the teacher missed them in gold's texts."""
    loop.learn(NAMES[:100])
    loop.journal.kept += [
        a_label(text=f"{name} sings", task=loop.task.name, task_digest=loop.task.digest)
        for name in NAMES[:40]
    ]

    promotion = loop.round().promotion

    assert promotion is not None
    known = reliabilities_in(promotion.metrics)
    # The students of the fake are sure of all that they say.
    assert known.threshold == promotion.policy.threshold == 0.8
    assert (known.sure.model, known.sure.prompt_version) == ("sim", "p1")
    assert sum(count.student for count in known.sure.counts.values()) == 40
    assert known.of(0.9).follows_student(CELL)
    assert not known.of(0.7).follows_student(CELL)
