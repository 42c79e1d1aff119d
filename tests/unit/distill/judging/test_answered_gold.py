from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from distill.judging.answered_gold import Answered, answered_gold
from distill.labels.judges import Judges
from schemas.files.corpus import Example
from schemas.files.manifest import Manifest
from schemas.types import AskedAs, Entity, SilverLabel, Tagging, facts
from stream.student import Student
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


def answered(labels: list[SilverLabel], manifest: Manifest, gold: Judges = GOLD) -> list[str]:
    found = answered_gold([FOUND] * len(gold.examples), gold, labels, manifest)
    return [one.teacher.text for one in found]


def test_gold_texts_that_the_teacher_answered_are_found(manifest: Manifest) -> None:
    found = answered_gold([FOUND] * 6, GOLD, ANSWERS, manifest)
    assert found == [Answered(FOUND, answer, facts(FOUND)) for answer in ANSWERS]


def test_labels_that_judge_without_gold_are_no_truth(manifest: Manifest) -> None:
    assert answered(ANSWERS, manifest, replace(GOLD, source="audit", digest="")) == []


def test_little_gold_beside_a_cold_start_is_not_told_from_it(manifest: Manifest) -> None:
    assert answered(ANSWERS, manifest, replace(GOLD, source="cold start")) == []


def test_without_answers_there_is_nothing(manifest: Manifest) -> None:
    assert answered([], manifest) == []


def test_people_and_other_tasks_are_no_teacher(manifest: Manifest) -> None:
    person = replace(ANSWERS[0], source="human", teacher_model="")
    other = replace(ANSWERS[1], task_digest="another")
    assert answered([person, other, *ANSWERS[2:]], manifest) == ["Ada 2", "Ada 3"]


def test_what_was_asked_with_the_students_eyes_is_no_second_opinion(manifest: Manifest) -> None:
    ways: list[AskedAs] = ["unsure", "unsure several", "several", ""]
    labels = [replace(one, asked=way) for one, way in zip(ANSWERS, ways, strict=True)]
    assert answered(labels, manifest) == ["Ada 2", "Ada 3"]


def test_only_the_teacher_who_answered_last_counts(manifest: Manifest) -> None:
    changed = [*ANSWERS[:3], replace(ANSWERS[3], prompt_version="p2")]
    assert answered(changed, manifest) == ["Ada 3"]


def test_of_several_teachers_the_one_with_most_answers_counts(manifest: Manifest) -> None:
    labels = [
        *(replace(one, teacher="best", teacher_model="b") for one in ANSWERS[:3]),
        replace(ANSWERS[3], teacher="cheap", teacher_model="c"),
    ]
    assert answered(labels, manifest) == ["Ada 0", "Ada 1", "Ada 2"]


def test_a_text_that_was_not_asked_about_every_label_says_nothing(manifest: Manifest) -> None:
    first = replace(GOLD.examples[0], unasked=frozenset({"PER"}))
    gold = replace(GOLD, examples=(first, *GOLD.examples[1:]))
    assert answered(ANSWERS, manifest, gold) == ["Ada 1", "Ada 2", "Ada 3"]
