"""Labels of long ago count for less, where the newest labels ask for it.

Topics drift, and so do teachers: what an LLM or a person marked last year is not always what they
mark today, and a student that learns both learns neither. A label's *age* is the share of the
labels that are newer; its weight in the loss is 0.5 ** (age / half-life). Ageing throws labels
away where nothing drifts, so each round asks by forward validation whether it helps: two pilots
(one layer, half of the recipe's floor of steps) learn all but the newest labels, one with all
alike and one with the older aged, and are scored on the newest. Labels are aged only
when the gain's 90 % interval excludes a loss. The pilots of the default recipe take some 55 CPU
seconds a round.

Measured, strict span F1 in % on test, default recipe, the training labels of a finished replay
(`python -m tests.benchmarks.recipes`); beside it what the pilots saw:

========================== ====== ====== ====== ====== ====================================
labels                      alike    1/4    1/8   1/16  gain in the pilots, 90 % interval
========================== ====== ====== ====== ====== ====================================
`btc` over time, 881         55.1   60.8   62.7   64.4  +8.5 (+5.0 to +12.0): aged
other seeds and orders                            64.8  +5.7 (+1.5 to +9.8): aged
.                                                 63.6  +7.0 (+3.3 to +10.6): aged
`uner_ewt` shuffled, 1,311   73.3   72.8   71.0         -7.8 (-10.6 to -5.2): alike
========================== ====== ====== ====== ====== ====================================

In `btc` handles are no names in 2012 and are names in 2014. 1/16 was chosen on this table; 1/32
gave 62.7. Labels *drawn* by their weight instead of weighed in the loss: 60.6, 63.2, 62.5 and
61.0 for 1/4 to 1/32. Old labels kept at a tenth at least: 59.8. Old entities kept and only what is
none aged: 53.7. Swapping in the mentions of new labels only: 62.4, 64.5 with two seeds.

Sources: forward validation, Tashman (2000), "Out-of-sample tests of forecasting accuracy"; time
decay under concept drift, Klinkenberg (2004), "Learning drifting concepts: example selection vs.
example weighting".
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from distill.batches import TrainExample
from distill.export import export_bundle
from distill.scoring import Interval, paired_bootstrap
from distill.splits import is_cold_start
from distill.training import train
from schemas.settings import RecipeSettings
from schemas.task import Task
from schemas.types import Entity, SilverLabel
from stream.student import Student

HALF_LIFE = 1 / 16
"""Tried by `auto`; so short that it loses clearly, not by chance, where nothing drifts."""
HELD_BACK_SHARE = 0.2
"""Of the labels, the newest, that the pilots are scored on; but half of the aged ones at most."""
MIN_HELD_BACK = 20
_RESAMPLES, _CONFIDENCE = 1000, 0.90

Taggings = list[tuple[Entity, ...]]
Pilot = Callable[[Sequence[TrainExample], Sequence[TrainExample]], Taggings]
"""Learns the first examples, then tags the texts of the second."""


@dataclass(frozen=True, slots=True)
class AgedExample:
    """A labelled text and its age: the share of the labels that are newer, in [0, 1)."""

    example: TrainExample
    age: float


@dataclass(frozen=True, slots=True)
class Ageing:
    """The half-life to train with; None: all labels count alike.

    `gain` is what ageing gave the pilots in strict span F1, None where it was not tried.
    """

    half_life: float | None
    gain: Interval | None = None

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


def ages(labels: Sequence[SilverLabel]) -> list[float]:
    """Give the age of each label; cold-start labels made in one go are of one age."""
    newest_first = sorted(range(len(labels)), key=lambda i: -labels[i].labelled_at_ms)
    found = [0.0] * len(labels)
    for newer, i in enumerate(newest_first):
        found[i] = newer / len(labels)
    for newer, older in pairwise(newest_first):
        if is_cold_start(labels[newer]) and is_cold_start(labels[older]):
            found[older] = found[newer]
    return found


def aged(examples: Sequence[AgedExample], half_life: float | None) -> list[TrainExample]:
    """Weigh each example by its age, on top of the weight that it has."""
    if half_life is None:
        return [one.example for one in examples]
    return [
        replace(one.example, weight=one.example.weight * 0.5 ** (one.age / half_life))
        for one in examples
    ]


def choose_ageing(examples: Sequence[AgedExample], pilot: Pilot, *, seed: int) -> Ageing:
    """Ask the newest examples whether the older ones tell them better when these are aged."""
    if len(examples) < MIN_HELD_BACK:
        return Ageing(None)
    older, newest = _held_back(examples)
    if len(newest) < MIN_HELD_BACK:
        return Ageing(None)
    gold = [example.entities for example in newest]
    alike, by_age = (pilot(aged(older, half_life), newest) for half_life in (None, HALF_LIFE))
    gain = paired_bootstrap(
        gold, alike, by_age, resamples=_RESAMPLES, confidence=_CONFIDENCE, seed=seed
    )
    return Ageing(HALF_LIFE if gain.low > 0 else None, gain)


def _held_back(
    examples: Sequence[AgedExample],
) -> tuple[list[AgedExample], list[TrainExample]]:
    """Cut off the newest; the ages of the others are as they were before those came."""
    by_age = sorted(examples, key=lambda one: -one.age)
    oldest = by_age[0].age
    n_aged = sum(one.age < oldest for one in by_age)
    n_kept = len(by_age) - min(int(HELD_BACK_SHARE * len(by_age)), n_aged // 2)
    kept, cut = by_age[:n_kept], by_age[n_kept:]
    n_cut = len(cut)
    return (
        [replace(one, age=max(0.0, one.age * len(by_age) - n_cut) / n_kept) for one in kept],
        [one.example for one in cut],
    )


def settle_ageing(
    examples: Sequence[AgedExample], *, task: Task, recipe: RecipeSettings, seed: int
) -> tuple[RecipeSettings, Ageing]:
    """Settle the half-life where the recipe leaves it to the labels; the recipe then says it."""
    if recipe.label_half_life != "auto":
        return recipe, Ageing(recipe.label_half_life)

    def pilot(known: Sequence[TrainExample], unknown: Sequence[TrainExample]) -> Taggings:
        return _piloted(known, unknown, task=task, recipe=recipe, seed=seed)

    ageing = choose_ageing(examples, pilot, seed=seed)
    return recipe.model_copy(update={"label_half_life": ageing.half_life}), ageing


def _piloted(
    known: Sequence[TrainExample],
    unknown: Sequence[TrainExample],
    *,
    task: Task,
    recipe: RecipeSettings,
    seed: int,
) -> Taggings:
    small = {"layers": 1, "epochs": 1e-6, "min_steps": recipe.min_steps // 2, "int8": "off"}
    trained = train(
        known, labels=task.label_names, recipe=recipe.model_copy(update=small), seed=seed
    )
    texts = [example.text for example in unknown]
    with tempfile.TemporaryDirectory(prefix="silverstream-pilot-") as folder:
        export_bundle(
            trained,
            Path(folder),
            task=task,
            version="pilot",
            calibration=(),
            parity_texts=texts[:1],
            lineage={},
        )
        return [tagging.entities for tagging in Student.load(Path(folder)).tag(texts)]
