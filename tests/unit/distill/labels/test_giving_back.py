from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

from distill.labels.giving_back import give_back, is_unchanged
from schemas.categories import of_labels
from schemas.files.task import LabelSpec, Task
from schemas.types import Entity, SilverLabel

MakeLabel = Callable[..., SilverLabel]
ADA = (Entity(0, 3, "PER", "Ada"),)


def test_the_newest_label_of_each_text_is_given_back(task: Task, make_label: MakeLabel) -> None:
    labels = [
        make_label("Ada", source="teacher", entities=(), record_id="text-0-1"),
        make_label("Ada", source="human", entities=ADA, record_id="text-0-1"),
        make_label("Bo", task_digest="f" * 64),
    ]
    (example,), left_out = give_back(labels, task=task)
    assert (example.id, example.text, example.entities) == ("text-0-1", "Ada", ADA)
    assert example.meta["source"] == "human"
    assert left_out == {"other_task_version": 1}


def test_source_and_weight_choose(task: Task, make_label: MakeLabel) -> None:
    labels = [
        make_label("Ada", source="teacher"),
        make_label("Bo", source="bootstrap"),
        make_label("Cy", source="human"),
        make_label("Di", source="teacher", weight=0.2),
    ]
    human, _ = give_back(labels, task=task, source="human")
    teacher, left_out = give_back(labels, task=task, source="teacher", min_weight=0.5)
    assert [one.text for one in human] == ["Cy"]
    assert [one.text for one in teacher] == ["Ada", "Bo"]
    assert left_out == {"other_source": 1, "under_min_weight": 1}


def test_spans_are_given_back_as_training_reads_them(task: Task, make_label: MakeLabel) -> None:
    ((example,), _) = give_back(
        [make_label("Ada ", entities=(Entity(0, 4, "PER", "Ada "),))], task=task
    )
    assert example.entities == ADA


def test_what_nobody_changed_is_known_though_the_teacher_has_changed_its_mind(
    task: Task, make_label: MakeLabel
) -> None:
    before, now = make_label("Ada", entities=ADA), make_label("Ada", entities=())
    ((exported,), _) = give_back([before], task=task)
    assert is_unchanged(exported, now)
    assert not is_unchanged(replace(exported, entities=(Entity(0, 3, "ORG", "Ada"),)), now)
    assert not is_unchanged(replace(exported, meta={}), now)


def test_a_persons_label_that_comes_back_counts_against_what_stands_now(
    task: Task, make_label: MakeLabel
) -> None:
    """Who brings back what a person said before means it."""
    ((exported,), _) = give_back([make_label("Ada", source="human", entities=ADA)], task=task)
    assert not is_unchanged(exported, make_label("Ada", source="human", entities=()))


def test_a_label_that_is_fitted_to_words_comes_back_unchanged(
    task: Task, make_label: MakeLabel
) -> None:
    label = make_label("Ada ", entities=(Entity(0, 4, "PER", "Ada ", 0.9),))
    ((exported,), _) = give_back([label], task=task)
    assert is_unchanged(replace(exported, meta={}), label)


MOOD = Task("mood", "en", (LabelSpec("glad"), LabelSpec("sad")), kind="categories", choose="any")
GLAD, SAD = of_labels(["glad"]), of_labels(["sad"])


def test_categories_are_given_back_and_known_when_nobody_changed_them(
    make_label: MakeLabel,
) -> None:
    made = make_label("A day", entities=(), task_digest=MOOD.digest)
    before, now = replace(made, categories=GLAD), replace(made, categories=SAD)
    ((exported,), _) = give_back([before], task=MOOD)
    assert (exported.entities, exported.categories) == ((), GLAD)
    assert is_unchanged(replace(exported, meta={}), before)
    assert is_unchanged(exported, now)  # the teacher changed its mind, nobody else did
    assert not is_unchanged(replace(exported, meta={}), now)
    for changed in (SAD + GLAD, ()):
        assert not is_unchanged(replace(exported, categories=tuple(changed)), before)


def test_the_note_of_spans_is_as_it_was_in_earlier_exports(
    task: Task, make_label: MakeLabel
) -> None:
    ((exported,), _) = give_back([make_label("Ada", entities=ADA)], task=task)
    written = hashlib.sha256(b'[[0, 3, "PER"]]').hexdigest()[:16]
    assert exported.meta["exported_spans"] == written
