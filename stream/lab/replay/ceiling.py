"""Students trained on all of the stream's gold, or on all recorded answers: the loop at its best.

`ceiling` uses the recipe that the loop uses, its floor of steps included, so
that only the labels differ. `plain` is what a reader knows: MiniLM-L6 as it comes, all six
layers, uncased, three epochs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context
from typing import Any

from schemas.files.corpus import Example
from schemas.files.task import Task
from schemas.settings import Recipe
from schemas.types import text_digest
from stream.lab.replay.jury import on_held_out
from stream.lab.replay.rounds import Spectator
from stream.student import Student


def ceilings(
    gold: Sequence[Example],
    held_out: Sequence[Example],
    unseen: Sequence[Example],
    *,
    ages: Sequence[float],
    task: Task,
    recipes: Mapping[str, Recipe],
    seed: int,
    progress: Spectator,
) -> dict[str, dict[str, Any]]:
    """Train by each recipe on `gold` without the texts of `unseen`, and score on `held_out`.

    `ages` are those of gold, as if each text had been labelled when the stream reached it.
    A training whose process was killed, for memory most likely, is left out.
    """
    if not recipes:
        return {}
    kept = without(gold, ages, unseen)
    progress.phase(f"training on all labels: {', '.join(recipes)}")
    # One process each: torch threads that share a core wait for each other (docs/measurements.md).
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        trained = {
            name: pool.submit(_student, name, kept, held_out, task=task, recipe=one, seed=seed)
            for name, one in recipes.items()
        }
        finished = {}
        for name, future in trained.items():
            with suppress(BrokenProcessPool):
                finished[name] = future.result()
        return finished


def plain_recipe(recipe: Recipe) -> Recipe:
    """MiniLM-L6 without anything of ours: 6 layers, uncased, 3 epochs of 32 texts a step."""
    return recipe.model_copy(
        update={
            "layers": 6,
            "casing": False,
            "epochs": 3.0,
            "min_steps": 0,
            "batch_records": 32,
            "word_dropout": 0.0,
            "mention_swap": 0.0,
            "label_half_life": None,
            "train_embeddings": True,
            "averaged_share": 0.0,
            "learning_rate": 2e-4,
            "head_learning_rate_factor": 1.0,
            "head_start": "drawn",
            "int8": "off",
        }
    )


def without(
    gold: Sequence[Example], ages: Sequence[float], unseen: Sequence[Example]
) -> list[tuple[Example, float]]:
    """Leave out what the loop may not train on either, by the texts' digests; keep the ages."""
    closed = {text_digest(example.text) for example in unseen}
    pairs = zip(gold, ages, strict=True)
    return [(one, age) for one, age in pairs if text_digest(one.text) not in closed]


def _student(
    name: str,
    examples: Sequence[tuple[Example, float]],
    held_out: Sequence[Example],
    *,
    task: Task,
    recipe: Recipe,
    seed: int,
) -> dict[str, Any]:
    from distill.bundle.export import export_bundle
    from distill.learning.ageing import AgedExample
    from distill.learning.self_training import learn
    from distill.training.batches import TrainExample

    by_age = [
        AgedExample(TrainExample(one.text, one.entities, categories=one.categories), age)
        for one, age in examples
    ]
    learnt = learn(by_age, task=task, recipe=recipe, seed=seed)
    exported = export_bundle(
        learnt.trained,
        task=task,
        version=name,
        calibration=(),  # confidences are not looked at
        parity_texts=[one.text for one, _ in examples],
        lineage={"labels": len(examples)},
    )
    found = on_held_out(Student(exported.bundle), held_out, seed=seed)
    return {
        **found.facts(),
        "version": name,
        "labels": len(examples),
        "layers": recipe.layers,
        "casing": recipe.casing,
        "epochs": recipe.epochs,
        "min_steps": recipe.min_steps,
        "steps": learnt.trained.steps,
        "learning_rate": recipe.learning_rate,
        "label_half_life": learnt.ageing.half_life,
        "training_s": learnt.trained.seconds,
    }
