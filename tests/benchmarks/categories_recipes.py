"""Single trainings of categories: what a change of the recipe is worth with few labels.

`python -m tests.benchmarks.categories_recipes isear '{}' '{"n": 200, "learning_rate": 2e-4}'`
trains once for each change on `n` texts of a corpus drawn by `seed`, and prints accuracy (all
categories of a text right) on others of the same half, which the change may be chosen by. Corpora
of `../shared/data`: `isear` (the stream half, GPT-3.5's answers as labels, people's as truth),
`isear-held-out` (the same labels, but the other half is the truth: judge there, do not choose),
`domain` (which of CrossNER's five domains a text is of, a fifth of the labels wrong) and `ewt`
(which of UNER's labels occur).
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from distill.learning.tagging import tag_with
from distill.training.batches import TrainExample
from distill.training.train import train
from schemas.categories import Choose, of_labels
from schemas.files.corpus import read_corpus
from schemas.files.task import LabelSpec, Task
from schemas.settings import Recipe, Settings
from schemas.types import Category

_DATA = Path(os.environ.get("SILVERSTREAM_DATA", "../shared/data"))
_DOMAINS = ("ai", "literature", "music", "politics", "science")
_WRONG_SHARE = 0.2
_JUDGED = 1300
_DRAWN_ANY = 3800


@dataclass(frozen=True, slots=True)
class Text:
    """A text, the labels that a teacher gave it and those that are right."""

    text: str
    taught: frozenset[str]
    right: frozenset[str]


@dataclass(frozen=True, slots=True)
class Material:
    """Texts to train on, drawn anew by each seed, and others to judge by; None: the rest."""

    choose: Choose
    texts: Sequence[Text]
    held_out: Sequence[Text] | None = None

    def drawn(self, n: int, seed: int) -> tuple[list[Text], list[Text]]:
        """Draw `n` texts to learn, two thirds at most, and what to judge by."""
        order = np.random.default_rng(100 + seed).permutation(len(self.texts))
        if self.held_out is not None:
            return [self.texts[i] for i in order[:n]], list(self.held_out)
        cut = min(n, len(order) * 2 // 3)
        learnt, judged = order[:cut], order[cut : cut + _JUDGED]
        return [self.texts[i] for i in learnt], [self.texts[i] for i in judged]


def isear(*, held_out: bool) -> Material:
    """ISEAR with the recorded answers of GPT-3.5."""
    recorded = read_corpus(_DATA / "llm_isear/gpt-3.5-turbo-1106.jsonl")
    taught = {one.id: _names(one.llm_categories or ()) for one in recorded}

    def half(name: str) -> list[Text]:
        people = read_corpus(_DATA / "isear" / name)
        return [Text(one.text, taught[one.id], _names(one.categories)) for one in people]

    return Material("one", half("stream.jsonl"), half("rest.jsonl") if held_out else None)


def domain() -> Material:
    """Which domain of CrossNER a text is of; a fifth of the labels is wrong, by lot."""
    lots = np.random.default_rng(5)
    texts: list[Text] = []
    for name in _DOMAINS:
        for part in ("dev", "train"):
            for one in read_corpus(_DATA / f"crossner/{name}/{part}.jsonl"):
                wrong = lots.random() < _WRONG_SHARE
                taught = lots.choice([x for x in _DOMAINS if x != name]) if wrong else name
                texts.append(Text(one.text, frozenset({str(taught)}), frozenset({name})))
    return Material("one", texts)


def occurring(path: str) -> Material:
    """Which labels of entities occur in a text."""
    examples = read_corpus(_DATA / path)
    drawn = np.random.default_rng(3).permutation(len(examples))[:_DRAWN_ANY]
    labels = [frozenset(entity.label for entity in examples[i].entities) for i in drawn]
    texts = [examples[i].text for i in drawn]
    return Material("any", [Text(t, some, some) for t, some in zip(texts, labels, strict=True)])


CORPORA: dict[str, Callable[[], Material]] = {
    "isear": lambda: isear(held_out=False),
    "isear-held-out": lambda: isear(held_out=True),
    "domain": domain,
    "ewt": lambda: occurring("uner_ewt/train.jsonl"),
}


def trained(material: Material, change: dict[str, Any]) -> dict[str, Any]:
    """Train by the changed recipe; give accuracy in %, and what it took."""
    n, seed = change.pop("n", 1200), change.pop("seed", 0)
    learnt, judged = material.drawn(n, seed)
    names = sorted({name for one in material.texts for name in one.taught | one.right})
    task = Task(
        "categories",
        "en",
        tuple(LabelSpec(name) for name in names),
        kind="categories",
        choose=material.choose,
    )
    recipe = Recipe.model_validate(Settings().recipe_of("categories").model_dump() | change)
    examples = [TrainExample(one.text, (), categories=of_labels(one.taught)) for one in learnt]
    began = time.monotonic()
    student = train(examples, task=task, recipe=recipe, seed=seed)
    tagged = tag_with(student, [one.text for one in judged], task=task)
    right = [
        _names(found.categories) == one.right for found, one in zip(tagged, judged, strict=True)
    ]
    return {
        "accuracy": round(100 * float(np.mean(right)), 1),
        "judged": len(right),
        "learnt": len(learnt),
        "steps": student.steps,
        "cpu_s": round(student.cpu_s),
        "wall_s": round(time.monotonic() - began),
    }


def _names(categories: Sequence[Category]) -> frozenset[str]:
    return frozenset(category.label for category in categories)


def main() -> None:
    """Train once for each change; print a line as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", choices=CORPORA)
    parser.add_argument("changes", type=json.loads, nargs="+")
    options = parser.parse_args()
    material, console = CORPORA[options.corpus](), Console(width=140)
    for change in options.changes:
        words = json.dumps(change)
        console.print(words, json.dumps(trained(material, dict(change))))


if __name__ == "__main__":
    main()
