from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from schemas.errors import ConfigError
from schemas.files.task import LabelSpec, Task, TaskExample
from schemas.files.task_identity import Version, acquainted, carried, unasked_of
from schemas.types import Category, Entity
from stream.testing.messages import a_label

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


def test_how_many_categories_are_to_be_chosen_makes_another_task_too() -> None:
    any_number = replace(MOOD, choose="any")
    assert any_number.digest != MOOD.digest
    assert MOOD.digest not in any_number.versions


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


def test_digests_of_students_are_learnt_by_the_labels_that_they_had() -> None:
    now = replace(MOOD, labels=(LabelSpec("happy", was=("glad",)), LabelSpec("sad")))
    known = acquainted(now, {"a" * 64: ["sad", "glad"], "b" * 64: ["sad"]})
    assert known.versions == {**now.versions, "a" * 64: Version({"glad": "happy"})}
    assert (known.digest, known.label_names) == (now.digest, now.label_names)
    assert acquainted(known, {"a" * 64: ["sad", "glad"]}) is known


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


def test_a_label_is_carried_over_in_todays_names() -> None:
    old = a_label(
        task_digest="then",
        entities=(Entity(0, 3, "PER", "Ada"),),
        categories=(Category("glad"), Category("sad")),
    )
    new = carried(old, Version({"PER": "PERSON", "glad": "zest"}))
    assert new.entities == (Entity(0, 3, "PERSON", "Ada"),)
    assert new.categories == (Category("sad"), Category("zest"))
    assert replace(new, entities=old.entities, categories=old.categories) == old
    assert carried(old, Version()) is old


def test_it_is_known_what_a_label_was_not_asked_about() -> None:
    wider = replace(TASK, labels=(PER, LOC, LabelSpec("ORG", added=True)))
    then = a_label(task_digest=TASK.digest)
    assert unasked_of(then, wider) == {"ORG"}
    assert unasked_of(replace(then, task_digest=wider.digest), wider) == set()
    assert unasked_of(replace(then, task_digest="f" * 64), wider) == set()
