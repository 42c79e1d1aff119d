from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch

from distill.judging.promise import PromiseAsked
from distill.labels.splits import Splits
from distill.learning.ageing import HALF_LIFE, AgedExample, Ageing
from distill.learning.self_training import Learnt, learn, pseudo_labelled
from distill.learning.student_maker import make_student
from distill.training.batches import TrainExample
from schemas.categories import of_labels
from schemas.files.task import LabelSpec, Task
from schemas.settings import DistillSettings, Recipe
from schemas.types import Entity, SilverLabel
from stream.student import Student

MakeLabel = Callable[..., SilverLabel]
ADA = (Entity(0, 3, "PER", "Ada"),)


@pytest.fixture(scope="module")
def brief(recipe: Recipe) -> Recipe:
    return recipe.model_copy(update={"label_half_life": 0.125, "min_steps": 3})


def _examples(entities: Sequence[tuple[Entity, ...]]) -> list[AgedExample]:
    """Texts of these entities, oldest first."""
    return [
        AgedExample(TrainExample("Ada sings", found), (len(entities) - 1 - i) / len(entities))
        for i, found in enumerate(entities)
    ]


@pytest.mark.parametrize("half_life", [0.01, 0.125, None])
def test_a_half_life_that_is_set_is_trained_by(
    brief: Recipe, task: Task, half_life: float | None
) -> None:
    fixed = brief.model_copy(update={"label_half_life": half_life, "epochs": 0.1})

    learnt = learn(_examples([()] * 150 + [ADA] * 50), task=task, recipe=fixed, seed=0)

    assert learnt.ageing == Ageing(half_life)
    assert learnt.trained.recipe == fixed
    assert math.isfinite(learnt.trained.loss)


def test_what_the_pilots_settled_stands_in_the_recipe(recipe: Recipe, task: Task) -> None:
    learnt = learn(_examples([()] * 100 + [ADA] * 100), task=task, recipe=recipe, seed=0)

    assert learnt.ageing.half_life == HALF_LIFE
    assert learnt.trained.recipe == recipe.model_copy(update={"label_half_life": HALF_LIFE})


@pytest.mark.parametrize("wanted", [(0.05, "Ada"), (None, "")])
def test_a_student_goes_by_the_newest_labels(
    task: Task,
    recipe: Recipe,
    make_label: MakeLabel,
    wanted: tuple[float | None, str],
) -> None:
    half_life, found = wanted
    old = [make_label(f"Ada sings {i}", entities=(), labelled_at_ms=i) for i in range(40)]
    new = [make_label(f"Ada sings {i}", labelled_at_ms=i) for i in range(40, 60)]
    fixed = recipe.model_copy(update={"label_half_life": half_life, "mention_swap": 0.0})

    made = make_student(
        Splits(training=tuple(new + old), calibration=(), judge=()),
        settings=DistillSettings(),
        promise=PromiseAsked(),
        recipe=fixed,
        task=task,
        version="v1",
        lineage={},
        unlabelled=lambda: [f"Ada sings there {i}" for i in range(10)],
        second=lambda _: {},
        progress=lambda _what, _share: None,
    )

    (tagging,) = Student(made.bundle).tag(["Ada sings here"])
    assert "".join(entity.surface for entity in tagging.entities) == found
    assert made.facts.get("label_half_life") == half_life
    assert made.facts["pseudo_labels"] == len(made.pseudo_labels) == (10 if half_life else 0)


def test_pilots_hear_the_newest_labels_though_these_judge_first(
    recipe: Recipe, task: Task, make_label: MakeLabel
) -> None:
    old = [make_label("Ada sings", entities=(), labelled_at_ms=i) for i in range(100)]
    new = [make_label("Ada sings", labelled_at_ms=i) for i in range(100, 200)]

    made = make_student(
        Splits(training=tuple(old), calibration=(), judge=(), judging_first=tuple(new)),
        settings=DistillSettings(),
        promise=PromiseAsked(),
        recipe=recipe,
        task=task,
        version="v1",
        lineage={},
        unlabelled=list,
        second=lambda _: {},
        progress=lambda _what, _share: None,
    )

    assert made.stream_changed
    assert made.bundle.manifest.lineage["recipe"]["label_half_life"] == HALF_LIFE
    (tagging,) = Student(made.bundle).tag(["Ada sings here"])
    assert tagging.entities == ()  # what judges first was not learnt


def test_a_student_whose_labels_age_learns_from_its_own_tags_too(brief: Recipe, task: Task) -> None:
    def learnt_with(texts: list[str], **changes: object) -> Learnt:
        changed = brief.model_copy(update=changes)
        examples = _examples([ADA] * 50)
        return learn(examples, task=task, recipe=changed, seed=0, unlabelled=lambda: texts)

    texts = ["Bo sings there"] * 40
    alone, taught = learnt_with([]), learnt_with(texts)
    lighter = learnt_with(texts, self_training_weight=0.01)

    assert (len(alone.pseudo_labels), len(taught.pseudo_labels)) == (0, 40)
    assert (alone.trained.n_examples, taught.trained.n_examples) == (50, 90)
    heads = [one.trained.model.head.weight for one in (alone, taught, lighter)]
    assert not torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[1], heads[2])


@pytest.mark.parametrize("change", [{"label_half_life": None}, {"self_training_texts": 0}])
def test_there_is_no_second_training_where_none_is_asked_for(
    brief: Recipe, task: Task, change: dict[str, object]
) -> None:
    def never() -> list[str]:
        raise AssertionError

    changed = brief.model_copy(update=change)

    learnt = learn(_examples([ADA] * 50), task=task, recipe=changed, seed=0, unlabelled=never)

    assert learnt.facts()["pseudo_labels"] == 0


def test_pseudo_labels_are_the_students_own_tags(recipe: Recipe, task: Task) -> None:
    alike = recipe.model_copy(update={"label_half_life": None})
    learnt = learn(_examples([ADA] * 50), task=task, recipe=alike, seed=0)

    found = pseudo_labelled(learnt.trained, ["Ada sings", "Ada sings here"], task=task)

    assert [(one.text, one.entities, one.weight) for one in found] == [
        ("Ada sings", (Entity(0, 3, "PER", "Ada", found[0].entities[0].confidence),), 0.3),
        ("Ada sings here", (Entity(0, 3, "PER", "Ada", found[1].entities[0].confidence),), 0.3),
    ]


def test_neither_long_texts_nor_those_without_a_word_make_the_training_long(
    brief: Recipe, task: Task
) -> None:
    learnt = learn(_examples([ADA] * 50), task=task, recipe=brief, seed=0)
    short = brief.model_copy(update={"self_training_texts": 4})
    texts = ["the oldest", "old", "sings " * 70, "sings " * 700, "new", "\u200b"]

    first = learn(_examples([ADA] * 50), task=task, recipe=short, seed=0).trained

    assert [one.text for one in pseudo_labelled(first, texts, task=task)] == [
        "sings " * 70,
        "new",
    ]
    assert len(pseudo_labelled(learnt.trained, texts, task=task)) == 5


MOOD = Task("mood", "en", (LabelSpec("glad"), LabelSpec("sad")), kind="categories", choose="one")


@pytest.mark.parametrize(("half_life", "found"), [(0.05, "glad"), (None, "sad")])
def test_a_student_of_categories_goes_by_the_newest_and_learns_its_own_tags_too(
    recipe: Recipe, make_label: MakeLabel, half_life: float | None, found: str
) -> None:
    def labels(name: str, numbers: range) -> list[SilverLabel]:
        return [
            replace(
                make_label(f"Ada sings {i}", entities=(), labelled_at_ms=i),
                task_digest=MOOD.digest,
                categories=of_labels([name]),
            )
            for i in numbers
        ]

    made = make_student(
        Splits(
            training=tuple(labels("glad", range(40, 60)) + labels("sad", range(40))),
            calibration=tuple(labels("glad", range(60, 64))),
            judge=(),
        ),
        settings=DistillSettings(),
        promise=PromiseAsked(),
        recipe=recipe.model_copy(update={"label_half_life": half_life}),
        task=MOOD,
        version="v1",
        lineage={},
        unlabelled=lambda: [f"Ada sings there {i}" for i in range(10)],
        second=lambda _: {},
        progress=lambda _what, _share: None,
    )

    (tagging,) = Student(made.bundle).tag(["Ada sings here"])
    assert [one.label for one in tagging.categories] == [found]
    assert made.bundle.manifest.metrics["calibration_records"] == 4
    assert made.facts.get("label_half_life") == half_life
    said = [[one.label for one in example.categories] for example in made.pseudo_labels]
    assert said == ([["glad"]] * 10 if half_life else [])
