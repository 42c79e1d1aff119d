"""From what an LLM wrote to spans of the text, or to a reason why not.

An answer counts whole or not at all: a label set with a hole teaches the
student that the missing entity is none. What is unmistakable is repaired (words
around the JSON, letter case, quotation marks, a wrong occurrence of a surface that stands
in one place only, a mention nested in another); the rest raises `InvalidAnswerError`,
whose message never quotes text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from schemas.bio import validate_entities
from schemas.errors import InvalidAnswerError, RefusedError
from schemas.types import Entity
from stream.teacher.extraction import find_answer
from stream.teacher.occurrences import Listed, place, read_number
from stream.teacher.prompt import text_code

MAX_ENTITIES = 1000
MAX_CONTENT_CHARS = 100_000


def parse_answer(
    content: str | None, *, finish_reason: str | None, text: str, labels: Sequence[str]
) -> tuple[Entity, ...]:
    """Read the entities of `text` that the answer names: sorted, without overlap, of known labels.

    `finish_reason` is the API's word for why the model stopped. Raises `RefusedError`
    when a content filter stopped it and `InvalidAnswerError` for an answer that is cut off, no
    JSON of the asked form, about another text, or names what is not in the text.
    """
    _check_finished(finish_reason)
    items = find_answer(_said(content), text_code(text)).get("entities")
    if not isinstance(items, list) or len(items) > MAX_ENTITIES:
        raise InvalidAnswerError(f"no list of at most {MAX_ENTITIES} entities")
    return _flattened(place(text, [_listed(item, labels) for item in items]))


def ground_again(
    spans: Iterable[tuple[int, int, str]], *, text: str, labels: Sequence[str]
) -> tuple[Entity, ...] | None:
    """Read a remembered answer about `text`; None unless it could have been given today."""
    try:
        entities = tuple(Entity(start, end, label, text[start:end]) for start, end, label in spans)
        validate_entities(text, entities)
    except (ValueError, TypeError):
        return None
    return entities if all(x.label in labels for x in entities) else None


def _check_finished(finish_reason: str | None) -> None:
    if finish_reason == "content_filter":
        raise RefusedError("a content filter stopped the answer")
    if finish_reason == "length":
        raise InvalidAnswerError("the answer is cut off at its token limit")


def _said(content: str | None) -> str:
    if not isinstance(content, str):
        raise InvalidAnswerError("the answer has no content")
    if len(content) > MAX_CONTENT_CHARS:
        raise InvalidAnswerError(f"the answer has more than {MAX_CONTENT_CHARS} characters")
    return content


def _listed(item: Any, labels: Sequence[str]) -> Listed:
    if not isinstance(item, dict):
        raise InvalidAnswerError("an entity is no JSON object, or names a member twice")
    label = _known_label(item.get("label"), labels)
    surface = item.get("text")
    if not isinstance(surface, str) or not surface.strip():
        raise InvalidAnswerError("an entity has no text")
    return Listed(surface.strip(), label, read_number(item.get("occurrence")))


def _known_label(name: Any, labels: Sequence[str]) -> str:
    if name in labels:
        return str(name)
    folded = name.strip().casefold() if isinstance(name, str) else None
    alike = [label for label in labels if label.casefold() == folded]
    if len(alike) != 1:
        raise InvalidAnswerError("an entity has a label that the task does not know")
    return alike[0]


def _flattened(entities: list[Entity]) -> tuple[Entity, ...]:
    """Sorted, nested mentions left out."""
    kept: list[Entity] = []
    for entity in sorted(entities, key=lambda x: (x.start, -x.end)):
        if not kept or entity.start >= kept[-1].end:
            kept.append(entity)
        else:
            _check_nested(entity, kept[-1])
    return tuple(kept)


def _check_nested(inner: Entity, outer: Entity) -> None:
    if (inner.start, inner.end) == (outer.start, outer.end):
        what = "two labels for one mention" if inner.label != outer.label else "a mention twice"
        raise InvalidAnswerError(what)
    if inner.end > outer.end:
        raise InvalidAnswerError("two mentions overlap")
