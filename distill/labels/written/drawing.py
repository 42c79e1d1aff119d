"""What is asked for next: attributes, names, labels, drawn by what the texts so far lack. Pure."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from schemas.files.task import Task
from stream.teacher.writing.planning import ATTRIBUTES, Attributes
from stream.teacher.writing.texts import Draft, Seed

_NOTHING: Final = 0.15
"""The share of texts that are to hold no entity, or to be of no category."""
_TRAPS: Final = 0.15
"""The share of hard negatives."""
_HOW_MANY: Final[Mapping[str | None, tuple[float, ...]]] = {
    None: (0.45, 0.35, 0.2),
    "one": (1.0,),
    "any": (0.75, 0.25),
}
"""By what is to be chosen: how often one, two or three seeds go into a text."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What texts can be about: attributes, and names (or situations) of each label."""

    attributes: Attributes
    names: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a draft: `novelty` in [0, 1], 0 for what was dropped; the labels of its text.

    `labels` are those that the text was meant to have, or those drafted where nobody knows.
    """

    draft: Draft
    novelty: float
    labels: tuple[str, ...]


def draw(
    n: int, plan: Plan, so_far: Sequence[Outcome], task: Task, *, lot: random.Random
) -> list[Draft]:
    """Draw `n` drafts: what was used seldom, and what brought something new, comes more often."""
    uses = _Uses(task, so_far)
    drafts = list[Draft]()
    for _ in range(n):
        drafts.append(_drawn(plan, uses, task, lot))
        uses.note(drafts[-1], novelty=None, labels=[seed.label for seed in drafts[-1].use])
    return drafts


class _Uses:
    """How often each value was used, and what it brought."""

    def __init__(self, task: Task, so_far: Sequence[Outcome]) -> None:
        self.labels = Counter(dict.fromkeys(task.label_names, 0))
        self.names = Counter[Seed]()
        self._uses = Counter[tuple[str, str]]()
        self._known = Counter[tuple[str, str]]()
        self._new = Counter[tuple[str, str]]()
        for outcome in so_far:
            self.note(outcome.draft, novelty=outcome.novelty, labels=outcome.labels)

    def note(self, draft: Draft, *, novelty: float | None, labels: Sequence[str]) -> None:
        """Count a draft; its novelty is None while nobody knows what will come of it."""
        self.labels.update(labels)
        self.names.update(draft.use)
        for key in zip(ATTRIBUTES, draft.attributes, strict=True):
            self._uses[key] += 1
            if novelty is not None:
                self._known[key] += 1
                self._new[key] += novelty  # type: ignore[assignment] # a Counter adds floats too

    def weight(self, attribute: str, value: str) -> float:
        """Give how often a value is to come: by what it brought so far, and how seldom it came."""
        key = attribute, value
        brought = (1.0 + self._new[key]) / (1.0 + self._known[key])
        return brought / (1.0 + self._uses[key])


def _drawn(plan: Plan, uses: _Uses, task: Task, lot: random.Random) -> Draft:
    domain, style, length, register = (
        _by_weight(
            {value: uses.weight(name, value) for value in getattr(plan.attributes, name)}, lot
        )
        for name in ATTRIBUTES
    )
    use = _seeds(plan, uses, task, lot)
    return Draft(domain, style, length, register, use, trap=_trap(use, uses, task, lot))


def _seeds(plan: Plan, uses: _Uses, task: Task, lot: random.Random) -> tuple[Seed, ...]:
    if task.choose != "one" and lot.random() < _NOTHING:
        return ()
    chances = _HOW_MANY[task.choose]
    how_many = lot.choices(range(1, len(chances) + 1), chances)[0]
    found = dict[Seed, None]()
    taken = set[str]()
    for _ in range(how_many):
        # Categories of one text are different ones; entities may be of one label.
        closed = taken if task.kind == "categories" else set[str]()
        labels = {
            x: 1 / (1 + uses.labels[x]) for x in plan.names if plan.names[x] and x not in closed
        }
        if labels:
            label = _by_weight(labels, lot)
            taken.add(label)
            found[_seed(label, plan.names[label], uses, lot)] = None
    return tuple(found)


def _seed(label: str, names: Sequence[str], uses: _Uses, lot: random.Random) -> Seed:
    seeds = [Seed(label, name) for name in names]
    least = min(uses.names[seed] for seed in seeds)
    return lot.choice([seed for seed in seeds if uses.names[seed] == least])


def _trap(use: Sequence[Seed], uses: _Uses, task: Task, lot: random.Random) -> str:
    used = {seed.label for seed in use}
    free = [label for label in task.label_names if task.kind == "entities" or label not in used]
    if not free or lot.random() >= _TRAPS:
        return ""
    return _by_weight({label: 1 / (1 + uses.labels[label]) for label in free}, lot)


def _by_weight(weights: Mapping[str, float], lot: random.Random) -> str:
    return lot.choices(list(weights), list(weights.values()))[0]
