from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from distill.judging.disagreements import measured_reliability
from distill.labels.judges import Judges
from distill.testing.fakes import NAMES, Loop
from schemas.files.corpus import Example
from schemas.files.manifest import Manifest
from schemas.types import Entity, SilverLabel, Tagging
from stream.student import Student
from stream.teacher.reliability import NOTHING_KNOWN, Cell, Count, reliability_in
from stream.testing.bundles import write_bundle
from stream.testing.messages import TASK_DIGEST, a_label

ADA = Entity(0, 3, "PER", "Ada", 0.95)
FOUND = Tagging((ADA,), confidence=0.9, score=0.9)
GOLD = Judges("gold", tuple(Example(str(n), f"Ada {n}", (ADA,)) for n in range(6)), digest="g")
ANSWERS = [a_label(text=f"Ada {n}", labelled_at_ms=n) for n in range(4)]


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    folder = tmp_path / "student"
    write_bundle(folder, labels=["PER"], words={"ada": "B-PER"}, task_digest=TASK_DIGEST)
    return Student.load(folder).manifest


def counts(labels: list[SilverLabel], manifest: Manifest, gold: Judges = GOLD) -> object:
    found = measured_reliability([FOUND] * len(gold.examples), gold, labels, manifest)
    return found.counts.get(Cell("added", "PER", 2), Count())


def test_gold_texts_that_the_teacher_answered_are_counted(manifest: Manifest) -> None:
    known = measured_reliability([FOUND] * 6, GOLD, ANSWERS, manifest)
    assert known.counts == {Cell("added", "PER", 2): Count(student=4)}
    assert (known.model, known.prompt_version) == ("sim", "p1")


def test_labels_that_judge_without_gold_are_no_truth(manifest: Manifest) -> None:
    audits = replace(GOLD, source="audit", digest="")
    assert measured_reliability([FOUND] * 6, audits, ANSWERS, manifest) == NOTHING_KNOWN


def test_people_and_other_tasks_are_no_teacher(manifest: Manifest) -> None:
    person = replace(ANSWERS[0], source="human", teacher_model="")
    other = replace(ANSWERS[1], task_digest="another")
    assert counts([person, other, *ANSWERS[2:]], manifest) == Count(student=2)


def test_only_the_teacher_who_answered_last_counts(manifest: Manifest) -> None:
    changed = [*ANSWERS[:3], replace(ANSWERS[3], prompt_version="p2")]
    assert counts(changed, manifest) == Count(student=1)


def test_a_text_that_was_not_asked_about_every_label_says_nothing(manifest: Manifest) -> None:
    first = replace(GOLD.examples[0], unasked=frozenset({"PER"}))
    gold = replace(GOLD, examples=(first, *GOLD.examples[1:]))
    assert counts(ANSWERS, manifest, gold) == Count(student=3)


def test_a_promotion_carries_what_gold_says_of_student_and_teacher(loop: Loop) -> None:
    """The student knows the names that it learnt; the teacher missed them in gold's texts."""
    loop.learn(NAMES[:100])
    loop.journal.kept += [
        a_label(text=f"{name} sings", task=loop.task.name, task_digest=loop.task.digest)
        for name in NAMES[:40]
    ]

    promotion = loop.round().promotion

    assert promotion is not None
    known = reliability_in(promotion.metrics)
    assert (known.model, known.prompt_version) == ("sim", "p1")
    assert sum(count.student for count in known.counts.values()) == 40
    assert known.follows_student(Cell("added", "PER", 2))
