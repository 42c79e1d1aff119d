"""Recorded taggings for the benchmark of promises: how sure a student was, and if it was right.

A student of each corpus learns from a part of the training fold; it tags the rest of that fold and
the development fold, none of which it has seen, and records of another source: those that drift
brings. No test fold is opened. What is recorded holds no text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from distill.bundle.export import export_bundle
from distill.training.batches import TrainExample
from distill.training.train import train
from schemas.files.corpus import Example, read_corpus
from schemas.files.infer import task_of
from schemas.settings import Recipe
from schemas.types import Annotated, Fact, facts
from stream.student import Student

_COARSE = {
    "per": "PER",
    "person": "PER",
    "loc": "LOC",
    "location": "LOC",
    "gpe": "LOC",
} | dict.fromkeys(("org", "organization", "corporation", "group"), "ORG")
_RECIPE = Recipe(
    layers=2,
    max_tokens=64,
    epochs=0.01,
    min_steps=220,
    batch_records=8,
    learning_rate=4e-4,
    averaged_share=0.6,
    int8="off",
)
"""Small and quick: a promise must hold of any student, and a poor one tries it harder."""
_CALIBRATION = 200
_MOST_TAGGED = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a corpus lies, how many records its student learns from, and what drift brings."""

    files: tuple[str, ...]
    n_train: int
    drift: str
    by_llm: bool = False
    """Whether the drift is another teacher: the records' own recorded answers of an LLM."""


SOURCES = {
    "isear": Source(
        files=("isear/rest.jsonl", "isear/stream.jsonl"),
        n_train=2500,
        drift="llm_isear/llama-2-70b-chat.jsonl",
        by_llm=True,
    ),
    "uner_ewt": Source(
        files=("uner_ewt/train.jsonl", "uner_ewt/dev.jsonl"), n_train=2500, drift="btc/train.jsonl"
    ),
    "wnut17": Source(
        files=("wnut17/train.jsonl", "wnut17/dev.jsonl"), n_train=1500, drift="btc/train.jsonl"
    ),
    "fewnerd_inter": Source(
        files=("fewnerd_inter/train.jsonl", "fewnerd_inter/dev.jsonl"),
        n_train=4000,
        drift="uner_ewt/train.jsonl",
    ),
}


@dataclass(frozen=True, slots=True)
class Taggings:
    """Confidences in [0, 1] and "wholly right", of the corpus and of what drift brings."""

    confidences: list[float]
    right: list[bool]
    drift_confidences: list[float]
    drift_right: list[bool]


def taggings_of(name: str, data: Path, work: Path) -> Taggings:
    """Read what was recorded in `work`, or train a student and record it."""
    file = work / f"{name}.json"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asdict(_record(SOURCES[name], data, name))), encoding="utf-8")
    return Taggings(**json.loads(file.read_text(encoding="utf-8")))


def _record(source: Source, data: Path, name: str) -> Taggings:
    examples = [one for file in source.files for one in read_corpus(data / file)]
    order = np.random.default_rng(0).permutation(len(examples))
    shuffled = [examples[i] for i in order]
    student = _student(shuffled[: source.n_train], name)
    rest = _distinct(shuffled[source.n_train :], but=shuffled[: source.n_train])
    calm = _tagged(student, rest, facts, facts)
    coming = _distinct(read_corpus(data / source.drift), but=shuffled[: source.n_train])
    drifted = _tagged(student, coming, *((_by_llm, facts) if source.by_llm else (_coarse, _coarse)))
    return Taggings(*calm, *drifted)


def _student(examples: Sequence[Example], name: str) -> Student:
    task = task_of(examples, name=name)
    rows = [TrainExample(one.text, one.entities, categories=one.categories) for one in examples]
    exported = export_bundle(
        train(rows[_CALIBRATION:], task=task, recipe=_RECIPE, seed=0),
        task=task,
        version=name,
        calibration=rows[:_CALIBRATION],
        parity_texts=[one.text for one in rows],
        lineage={},
    )
    return Student(exported.bundle)


def _distinct(examples: Sequence[Example], *, but: Sequence[Example]) -> list[Example]:
    seen = {one.text for one in but}
    return list({one.text: one for one in examples if one.text not in seen}.values())


def _tagged(
    student: Student,
    examples: Sequence[Example],
    truth: Callable[[Example], frozenset[Fact]],
    said: Callable[[Annotated], frozenset[Fact]],
) -> tuple[list[float], list[bool]]:
    examples = examples[:_MOST_TAGGED]
    taggings = student.tag([one.text for one in examples])
    right = [said(tagging) == truth(one) for tagging, one in zip(taggings, examples, strict=True)]
    return [round(tagging.confidence, 6) for tagging in taggings], right


def _by_llm(example: Example) -> frozenset[Fact]:
    return frozenset((0, 0, one.label) for one in example.llm_categories or ())


def _coarse(said: Annotated) -> frozenset[Fact]:
    """Compare what two label sets share: people, places and organisations."""
    named = ((a, b, _COARSE.get(label.lower().partition("-")[0])) for a, b, label in facts(said))
    return frozenset((a, b, label) for a, b, label in named if label)
