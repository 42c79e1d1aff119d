"""From what an LLM wrote to spans of the text, or to a reason why not.

An answer counts whole or not at all: a label set with a hole teaches the
student that the missing entity is none. What is unmistakable is repaired (a fence
around the JSON, letter case, quotation marks, a wrong occurrence of a surface that stands
in one place only, a mention nested in another); the rest raises `InvalidAnswerError`,
whose message never quotes text.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NoReturn

from schemas.errors import InvalidAnswerError, RefusedError
from schemas.types import Entity
from stream.teacher.mentions import Span, loose_mentions, mentions, whole_mentions
from stream.teacher.prompt import answer_code

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
    answer = _parse_json(content)
    if answer.get("id") != answer_code(text):
        raise InvalidAnswerError("the answer carries the code of another text, or none")
    items = answer.get("entities")
    if not isinstance(items, list) or len(items) > MAX_ENTITIES:
        raise InvalidAnswerError(f"no list of at most {MAX_ENTITIES} entities")
    return _flattened([_ground(item, text, labels) for item in items])


def _check_finished(finish_reason: str | None) -> None:
    if finish_reason == "content_filter":
        raise RefusedError("a content filter stopped the answer")
    if finish_reason == "length":
        raise InvalidAnswerError("the answer is cut off at its token limit")


def _parse_json(content: str | None) -> dict[str, Any]:
    if not isinstance(content, str):
        raise InvalidAnswerError("the answer has no content")
    if len(content) > MAX_CONTENT_CHARS:
        raise InvalidAnswerError(f"the answer has more than {MAX_CONTENT_CHARS} characters")
    try:
        answer = json.loads(
            _unfenced(content.strip()),
            object_pairs_hook=_without_repeats,
            parse_constant=_refuse_constant,
        )
    except (ValueError, RecursionError):
        # The decoder's own message would do, but its `doc` holds the answer.
        raise InvalidAnswerError("the answer is not JSON") from None
    if not isinstance(answer, dict):
        raise InvalidAnswerError("the answer is no JSON object")
    return answer


def _unfenced(content: str) -> str:
    """Take Markdown's fence off, as in ```json ... ```."""
    first, newline, rest = content.partition("\n")
    is_fenced = newline and first.strip().lower() in {"```", "```json"} and rest.endswith("```")
    return rest.removesuffix("```") if is_fenced else content


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a key is repeated")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _ground(item: Any, text: str, labels: Sequence[str]) -> Entity:
    if not isinstance(item, dict):
        raise InvalidAnswerError("an entity is no JSON object")
    label = _known_label(item.get("label"), labels)
    surface = item.get("text")
    if not isinstance(surface, str) or not surface.strip():
        raise InvalidAnswerError("an entity has no text")
    start, end = _locate(text, surface.strip(), item.get("occurrence"))
    return Entity(start, end, label, text[start:end])


def _known_label(name: Any, labels: Sequence[str]) -> str:
    if name in labels:
        return str(name)
    folded = name.strip().casefold() if isinstance(name, str) else None
    alike = [label for label in labels if label.casefold() == folded]
    if len(alike) != 1:
        raise InvalidAnswerError("an entity has a label that the task does not know")
    return alike[0]


def _locate(text: str, surface: str, occurrence: Any) -> Span:
    exact = mentions(text, surface)
    # `True` is an `int` in Python, but not a number that a model meant.
    counts = isinstance(occurrence, int) and not isinstance(occurrence, bool)
    if counts and 1 <= occurrence <= len(exact):
        return exact[int(occurrence) - 1]
    span = _only(text, exact) or (None if exact else _only(text, loose_mentions(text, surface)))
    if span is None:
        raise InvalidAnswerError(
            "an entity's occurrence is not among its mentions"
            if exact
            else "an entity does not stand in the text, or not in one place only"
        )
    return span


def _only(text: str, spans: list[Span]) -> Span | None:
    """Return the one place there is; a whole word outweighs what stands inside words."""
    candidates = whole_mentions(text, spans) or spans
    return candidates[0] if len(candidates) == 1 else None


def _flattened(entities: list[Entity]) -> tuple[Entity, ...]:
    """Sorted, repetitions and nested mentions left out."""
    kept: list[Entity] = []
    for entity in sorted(entities, key=lambda x: (x.start, -x.end)):
        if not kept or entity.start >= kept[-1].end:
            kept.append(entity)
        else:
            _check_nested(entity, kept[-1])
    return tuple(kept)


def _check_nested(inner: Entity, outer: Entity) -> None:
    if (inner.start, inner.end) == (outer.start, outer.end) and inner.label != outer.label:
        raise InvalidAnswerError("two labels for one mention")
    if inner.end > outer.end:
        raise InvalidAnswerError("two mentions overlap")
