"""Labels of long ago count for less, where the newest labels ask for it.

Topics drift, and so do teachers: what an LLM or a person marked last year is not always what they
mark today, and a student that learns both learns neither. A label's *age* is the share of the
labels that are newer; its weight in the loss is 0.5 ** (age / half-life). Ageing throws labels
away where nothing drifts, so each round asks by forward validation whether it helps: two pilots
(one layer, few steps) learn the labels since the cold start but the newest, one with all alike and
one with the older aged, and are scored on the newest. The cold start stays out: it was not chosen
for being hard, the newest were, and that alone would speak against it.

What it gives, and what else was tried: `docs/measurements.md`, "Ageing labels".

Sources: forward validation, Tashman (2000), "Out-of-sample tests of forecasting accuracy"; time
decay under concept drift, Klinkenberg (2004), "Learning drifting concepts: example selection vs.
example weighting".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from distill.judging.scoring import Interval, paired_bootstrap
from distill.labels.splits import is_cold_start
from distill.labels.table import LabelTable
from distill.lazily import Lazily
from distill.learning.tagging import tag_with
from distill.training.batches import TrainExample
from distill.training.train import train, training_steps
from schemas.files.task import Task
from schemas.files.task_identity import asked_facts, unasked_of
from schemas.settings import Recipe
from schemas.types import SilverLabel, Tagging, facts

HALF_LIFE = 1 / 16
"""What `auto` trains with where the labels are to be aged."""
PILOT_HALF_LIFE = 1 / 8
"""The pilots know fewer labels."""
HELD_BACK_SHARE = 0.2
"""Of the labels, the newest, that the pilots are scored on; half of those since the cold start at
most."""
MIN_HELD_BACK = 20
MIN_GAIN = 0.03
"""In strict span F1: the gain's interval must exclude less. So far two pilots may be apart by the
chance of their training, which the interval does not know."""
PILOT_STEPS = 150
"""But no more than a training on the same labels takes."""
PILOT_LABELS = 20_000
"""More are not looked at by a pilot, nor held back to score it."""
_RESAMPLES, _CONFIDENCE = 1000, 0.90

Pilot = Callable[[Sequence[TrainExample], Sequence[TrainExample]], Sequence[Tagging]]
"""Learns the first examples, then tags the texts of the second."""


@dataclass(frozen=True, slots=True)
class AgedExample:
    """A labelled text and its age: the share of the labels that are newer, in [0, 1)."""

    example: TrainExample
    age: float


@dataclass(frozen=True, slots=True)
class Ageing:
    """The half-life to train with; None: all labels count alike.

    `gain` is what ageing gave the pilots in the gate's measure, None where it was not tried.
    """

    half_life: float | None
    gain: Interval | None = None

    @property
    def stream_changed(self) -> bool:
        """Whether the newest labels said that the older ones tell of another stream."""
        return self.half_life is not None and self.gain is not None

    def facts(self) -> dict[str, float]:
        """Give the figures for logs and JSON."""
        found = {} if self.half_life is None else {"label_half_life": self.half_life}
        if self.gain is None:
            return found
        return found | {
            "ageing_gain": self.gain.estimate,
            "ageing_gain_low": self.gain.low,
            "ageing_gain_high": self.gain.high,
        }


def ages(labels: Sequence[SilverLabel]) -> npt.NDArray[np.float64]:
    """Give the age of each label [n]; cold-start labels made in one go are of one age."""
    table = LabelTable.of(labels)
    newest_first = np.argsort(-table.times_ms, kind="stable")
    is_cold = np.fromiter(map(is_cold_start, table), np.bool_, len(table))[newest_first]
    newer = np.arange(len(table))
    # The newest of each go: those that follow it are of its age.
    goes_on = np.append(False, is_cold[1:] & is_cold[:-1])[: len(table)]
    found = np.empty(len(table))
    found[newest_first] = np.maximum.accumulate(np.where(goes_on, 0, newer)) / max(len(table), 1)
    return found


def aged_examples(labels: Sequence[SilverLabel], task: Task) -> Sequence[AgedExample]:
    """Make an example of each label, in their order."""
    return Lazily(
        lambda label, age: AgedExample(as_train_example(label, task), float(age)),
        labels,
        ages(labels),
    )


def as_train_example(label: SilverLabel, task: Task) -> TrainExample:
    """Take a label as what is to be learnt."""
    return TrainExample(
        label.text, label.entities, label.weight, label.categories, unasked_of(label, task)
    )


def aged(examples: Sequence[AgedExample], half_life: float | None) -> Sequence[TrainExample]:
    """Weigh each example by its age, on top of the weight that it has."""

    def weighed(one: AgedExample) -> TrainExample:
        if half_life is None:
            return one.example
        return replace(one.example, weight=one.example.weight * 0.5 ** (one.age / half_life))

    return Lazily(weighed, examples)


def drawn(examples: Sequence[TrainExample], most: int = PILOT_LABELS) -> Sequence[TrainExample]:
    """Draw as many, `most` at most, each as often as its weight says and then weighing 1.

    So short a training as a pilot's hardly feels weights in the loss.
    """
    edges = np.cumsum(np.fromiter((one.weight for one in examples), np.float64, len(examples)))
    n = min(len(examples), most)
    middles = (np.arange(n) + 0.5) / max(n, 1) * (edges[-1] if n else 0)
    found = np.searchsorted(edges, middles).tolist()
    return Lazily(lambda i: replace(examples[i], weight=1.0), found)


def choose_ageing(examples: Sequence[AgedExample], pilot: Pilot, *, seed: int) -> Ageing:
    """Ask the newest examples whether the older ones tell them better when these are aged."""
    if len(examples) < MIN_HELD_BACK:
        return Ageing(None)
    older, newest = _held_back(examples)
    if len(newest) < MIN_HELD_BACK:
        return Ageing(None)
    gold = [facts(example) for example in newest]
    alike, by_age = (
        [
            asked_facts(tagging, example.unasked)
            for tagging, example in zip(
                pilot(drawn(aged(older, half_life)), newest), newest, strict=True
            )
        ]
        for half_life in (None, PILOT_HALF_LIFE)
    )
    gain = paired_bootstrap(
        gold, alike, by_age, resamples=_RESAMPLES, confidence=_CONFIDENCE, seed=seed
    )
    return Ageing(HALF_LIFE if gain.low > MIN_GAIN else None, gain)


def _held_back(
    examples: Sequence[AgedExample],
) -> tuple[Sequence[AgedExample], Sequence[TrainExample]]:
    """Cut off the newest, and leave out the oldest age: the cold start, where there was one."""
    by_age = np.fromiter((one.age for one in examples), np.float64, len(examples))
    order = np.argsort(-by_age, kind="stable")
    order = order[by_age[order] < by_age[order[0]]]
    n_cut = min(int(HELD_BACK_SHARE * len(examples)), len(order) // 2, PILOT_LABELS)
    n_kept = len(order) - n_cut
    # Their ages are as they were before the newest came.
    then = np.maximum(0.0, by_age[order[:n_kept]] * len(examples) - n_cut) / max(n_kept, 1)
    return (
        Lazily(lambda i, age: replace(examples[i], age=float(age)), order[:n_kept], then),
        Lazily(lambda i: examples[i].example, order[n_kept:]),
    )


def settle_ageing(
    examples: Sequence[AgedExample], *, task: Task, recipe: Recipe, seed: int
) -> Ageing:
    """Take the recipe's half-life; where it leaves that to the labels, real pilots tell."""
    if recipe.label_half_life != "auto":
        return Ageing(recipe.label_half_life)

    def pilot(known: Sequence[TrainExample], unknown: Sequence[TrainExample]) -> list[Tagging]:
        return _piloted(known, unknown, task=task, recipe=recipe, seed=seed)

    return choose_ageing(examples, pilot, seed=seed)


def _piloted(
    known: Sequence[TrainExample],
    unknown: Sequence[TrainExample],
    *,
    task: Task,
    recipe: Recipe,
    seed: int,
) -> list[Tagging]:
    n_steps = min(PILOT_STEPS, training_steps(len(known), recipe))
    small = {"layers": 1, "epochs": 1e-6, "min_steps": n_steps}
    trained = train(known, task=task, recipe=recipe.model_copy(update=small), seed=seed)
    return tag_with(trained, [example.text for example in unknown], task=task)
