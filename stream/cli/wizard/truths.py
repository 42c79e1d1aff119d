"""What a person says of a text: that labels are right, or what is. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.alignment import aligned
from schemas.categories import of_labels
from schemas.errors import InvalidAnswerError
from schemas.files.corpus import Example
from schemas.files.task import Task, TaskExample, check_annotation
from schemas.types import Annotated, Entity, facts, text_digest
from stream.teacher.kinds.said import Said
from stream.teacher.mentions import loose_mentions, mentions
from stream.teacher.prompt_parts import known_label

NOTHING = "-"
_MOST_SHOWN = 3
_SHOWN_OF = 3
"""One text of so many is shown to the teacher, at most three: the others judge."""
_BETWEEN = re.compile(r"\s*;\s*")


@dataclass(frozen=True, slots=True)
class Truth:
    """A text, and what a person said of it; `corrected` where the teacher had said other."""

    text: str
    said: Said
    corrected: bool = False


def read_truth(line: str, text: str, task: Task) -> Said:
    """Read `LABEL: words; LABEL: words`, or `label, label`; `-` is nothing.

    Words that are named twice are their first and their second place. Raises `ValueError`.
    """
    told = "" if line.strip() == NOTHING else line.strip()
    said = _entities(told, text, task) if task.kind == "entities" else _categories(told, task)
    check_annotation(said, text, task)
    return said


def _entities(told: str, text: str, task: Task) -> Said:
    found = list[Entity]()
    taken = set[tuple[int, int]]()
    for part in filter(None, _BETWEEN.split(told)):
        name, colon, words = part.partition(":")
        words = words.strip()
        if not colon or not words:
            raise ValueError("LABEL: words, with ; between several; - for nothing")
        standing = mentions(text, words) or loose_mentions(text, words)
        places = [place for place in standing if place not in taken]
        if not places:
            raise ValueError(f"{words!r} does not stand in the text (once more)")
        taken.add(places[0])
        start, end = places[0]
        found.append(Entity(start, end, _known(name, task), text[start:end]))
    return Said(entities=aligned(text, tuple(sorted(found))))


def _categories(told: str, task: Task) -> Said:
    names = [name for part in told.split(",") if (name := part.strip())]
    return Said(categories=of_labels(_known(name, task) for name in names))


def _known(name: str, task: Task) -> str:
    try:
        return known_label(name.strip(), task.label_names, of="it")
    except InvalidAnswerError:
        raise ValueError(f"{name.strip()!r} is none of {', '.join(task.label_names)}") from None


def words_of(said: Annotated) -> str:
    """Write what is said as `read_truth` reads it."""
    if said.categories:
        return ", ".join(x.label for x in said.categories)
    return "; ".join(f"{x.label}: {x.surface}" for x in said.entities) or NOTHING


def divided(truths: Sequence[Truth]) -> tuple[list[Truth], list[Truth]]:
    """Part what the teacher is shown from gold; corrected ones are shown first.

    A text that is shown judges nobody, so two of three are left to judge.
    """
    n = min(len(truths) // _SHOWN_OF, _MOST_SHOWN)
    shown = sorted(truths, key=lambda one: not one.corrected)[:n]
    return shown, [one for one in truths if one not in shown]


def as_shown(truths: Sequence[Truth]) -> tuple[TaskExample, ...]:
    """Give them as examples of a task."""
    return tuple(TaskExample(x.text, x.said.entities, x.said.categories) for x in truths)


def as_gold(truths: Sequence[Truth]) -> list[Example]:
    """Give them as gold, named by their texts."""
    return [
        Example(text_digest(x.text)[:12], x.text, x.said.entities, categories=x.said.categories)
        for x in truths
    ]


def agrees(said: Annotated | None, truth: Truth) -> bool:
    """Whether somebody says of the text just what the person does."""
    return said is not None and facts(said) == facts(truth.said)
