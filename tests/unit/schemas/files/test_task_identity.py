from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from schemas.errors import ConfigError
from schemas.files.task import LabelSpec, Task, TaskExample
from schemas.files.task_identity import Version, learnt
from schemas.types import Category, Entity

PER, LOC = LabelSpec("PER", "People.", ("Ada",)), LabelSpec("LOC", "Places.")
TASK = Task(
    "places",
    "en",
    (PER, LOC),
    guidelines="Leave out articles.",
    examples=(TaskExample("Oslo!", (Entity(0, 4, "LOC", "Oslo"),)),),
)
MOOD = Task("mood", "en", (LabelSpec("glad"), LabelSpec("sad")), kind="categories", choose="one")

OF_0_1_0 = (
    '{"examples":[],"guidelines":"é","labels":'
    '[{"description":"","examples":[],"name":"X"}],"language":"en","name":"a"}'
)


@pytest.mark.parametrize(
    "edited",
    [
        replace(TASK, guidelines=""),
        replace(TASK, examples=()),
        replace(TASK, language="no"),
        replace(TASK, labels=(LOC, PER)),
        replace(TASK, labels=(replace(PER, description="", examples=()), LOC)),
    ],
)
def test_an_edit_of_words_keeps_the_identity(edited: Task) -> None:
    assert edited.digest == TASK.digest
    assert edited.versions[TASK.digest] == Version()


@pytest.mark.parametrize(
    "other",
    [
        replace(TASK, name="people"),
        replace(TASK, labels=(LOC, replace(PER, name="PERSON"))),
        replace(TASK, labels=(PER, LOC, LabelSpec("ORG"))),
        replace(TASK, kind="categories", choose="any", examples=()),
        replace(TASK, kind="categories", choose="one", examples=()),
    ],
)
def test_another_name_kind_choice_or_label_is_another_task(other: Task) -> None:
    assert other.digest != TASK.digest
    assert TASK.digest not in other.versions


def test_labels_of_a_renamed_label_are_read_by_its_name_of_today() -> None:
    renamed = replace(
        TASK,
        labels=(replace(PER, name="PERSON", was=("PER",)), LOC),
        examples=TASK.examples,
    )
    assert renamed.versions[TASK.digest] == Version({"PER": "PERSON"})
    assert renamed.versions[renamed.digest] == Version()


def test_labels_from_before_a_label_was_added_know_nothing_of_it() -> None:
    wider = replace(TASK, labels=(PER, LOC, LabelSpec("ORG", added=True)))
    assert wider.versions[TASK.digest] == Version({}, frozenset({"ORG"}))


def test_changes_may_have_come_in_any_order() -> None:
    now = replace(
        MOOD,
        labels=(
            LabelSpec("happy", was=("glad", "merry")),
            LabelSpec("sad"),
            LabelSpec("calm", added=True),
        ),
    )
    wider = replace(MOOD, labels=(*MOOD.labels, LabelSpec("calm")))
    merry = replace(MOOD, labels=(LabelSpec("merry"), LabelSpec("sad")))
    assert now.versions[MOOD.digest] == Version({"glad": "happy"}, frozenset({"calm"}))
    assert now.versions[wider.digest] == Version({"glad": "happy"})
    assert now.versions[merry.digest] == Version({"merry": "happy"}, frozenset({"calm"}))
    assert learnt(now, ["sad", "glad"]) == Version({"glad": "happy"}, frozenset({"calm"}))
    assert learnt(now, ["sad"]) is None


def test_a_digest_of_0_1_0_stays_valid() -> None:
    then = hashlib.sha256(OF_0_1_0.encode()).hexdigest()
    task = Task("a", "en", (LabelSpec("X"),), guidelines="é")
    assert task.versions[then] == Version()
    renamed = replace(task, labels=(LabelSpec("Y", was=("X",)), LabelSpec("Z", added=True)))
    assert renamed.versions[then] == Version({"X": "Y"}, frozenset({"Z"}))


def test_too_many_changes_at_once_are_refused() -> None:
    labels = tuple(LabelSpec(f"L{n}", added=True) for n in range(13))
    task = replace(MOOD, labels=labels, examples=(TaskExample("x", (), (Category("L0"),)),))
    with pytest.raises(ConfigError, match="more than 12 labels"):
        _ = task.versions
