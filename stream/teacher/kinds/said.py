"""What an answer says of its text, whichever kind it is of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.types import Category, Entity

Annotation = Sequence[Entity] | Sequence[Category]
"""What is said of one text, of either kind; nothing said is of both."""


@dataclass(frozen=True, slots=True)
class Said:
    """A grounded answer's content; the tuple that is not of the task's kind is empty."""

    entities: tuple[Entity, ...] = ()
    categories: tuple[Category, ...] = ()


def said_by(annotation: Annotation) -> Said:
    """Sort an annotation to its kind."""
    return Said(
        tuple(x for x in annotation if isinstance(x, Entity)),
        tuple(x for x in annotation if isinstance(x, Category)),
    )
