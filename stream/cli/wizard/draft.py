"""What the task will say: suggestions as they are accepted, changed and dropped. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

from schemas.errors import ConfigError
from schemas.files.task import LabelSpec, Task, TaskExample
from stream.cli.wizard.wish import Wish

T = TypeVar("T")
Part = Literal["labels", "edge_cases", "negatives"]

GRAMMAR = (
    "Enter takes them all; `2 other words` says 2 in other words; `-2` drops it; `+ words` adds a "
    "rule; `! words` adds something that is not meant; `label NAME: words` adds a label; undo"
)
_SAYS = re.compile(r"(\d+)[.:)]?\s+(.+)", re.DOTALL)
_DROPS = re.compile(r"-\s*(\d+)")
_LABEL = re.compile(r"label\s+([^:]+?)\s*:\s*(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Draft:
    """Labels with descriptions, rules for edge cases, what is not meant."""

    labels: tuple[LabelSpec, ...]
    edge_cases: tuple[str, ...] = ()
    negatives: tuple[str, ...] = ()
    examples: tuple[TaskExample, ...] = field(default=())
    """Shown to the teacher."""

    @property
    def places(self) -> list[tuple[Part, int]]:
        """What stands at each number, from 1: the part, and the place in it."""
        return [
            *(("labels", at) for at in range(len(self.labels))),
            *(("edge_cases", at) for at in range(len(self.edge_cases))),
            *(("negatives", at) for at in range(len(self.negatives))),
        ]

    def task(self, wish: Wish) -> Task:
        """Make the task; `ConfigError` for labels that none takes."""
        return Task(
            wish.name,
            wish.language,
            self.labels,
            guidelines=self.guidelines(wish.looking_for),
            examples=self.examples,
            kind=wish.kind,
            choose=wish.choose,
        )

    def guidelines(self, looking_for: str) -> str:
        """Put what holds for all labels into sentences."""
        parts = [f"Looked for: {looking_for}"] if looking_for else []
        parts += self.edge_cases
        parts += [f"Not meant: {one}" for one in self.negatives]
        return " ".join(
            one if one.endswith((".", "!", "?", "\u3002")) else f"{one}." for one in parts
        )


def edited(draft: Draft, command: str, wish: Wish) -> Draft:
    """Apply one command of `GRAMMAR`; `ValueError` says why it cannot be."""
    command = command.strip()
    changed = _edited(draft, command)
    try:
        changed.task(wish)
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return changed


def _edited(draft: Draft, command: str) -> Draft:
    if found := _SAYS.fullmatch(command):
        return _said(draft, int(found[1]), " ".join(found[2].split()))
    if found := _DROPS.fullmatch(command):
        return _dropped(draft, int(found[1]))
    if found := _LABEL.fullmatch(command):
        label = LabelSpec(found[1], " ".join(found[2].split()))
        return replace(draft, labels=(*draft.labels, label))
    words = " ".join(command[1:].split())
    if command.startswith("+") and words:
        return replace(draft, edge_cases=(*draft.edge_cases, words))
    if command.startswith("!") and words:
        return replace(draft, negatives=(*draft.negatives, words))
    raise ValueError(GRAMMAR)


def _said(draft: Draft, number: int, words: str) -> Draft:
    part, at = _place(draft, number)
    if part == "labels":
        return replace(
            draft, labels=_with(draft.labels, at, replace(draft.labels[at], description=words))
        )
    return replace(draft, **{part: _with(getattr(draft, part), at, words)})


def _dropped(draft: Draft, number: int) -> Draft:
    part, at = _place(draft, number)
    kept = getattr(draft, part)
    return replace(draft, **{part: (*kept[:at], *kept[at + 1 :])})


def _place(draft: Draft, number: int) -> tuple[Part, int]:
    if not 1 <= number <= len(draft.places):
        raise ValueError(f"there is no {number}: they go from 1 to {len(draft.places)}")
    return draft.places[number - 1]


def _with(values: tuple[T, ...], at: int, value: T) -> tuple[T, ...]:
    return (*values[:at], value, *values[at + 1 :])
