"""BIO tags and spans: the one place that says how words become entities and back.

A tag set is `("O", "B-x", "I-x", "B-y", "I-y", ...)` in the order of the labels, so
tag 0 is O, tag `2k+1` begins label k and tag `2k+2` continues it. Words are given by
their offsets in the text, sorted and not overlapping. Offsets count code points.

Source: the IOB2 scheme of Tjong Kim Sang and Veenstra (1999),
https://aclanthology.org/E99-1023.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.errors import ConfigError
from schemas.types import Entity

Ints = Sequence[int] | NDArray[np.integer[Any]]
Floats = Sequence[float] | NDArray[np.floating[Any]]


def tag_names(labels: Sequence[str]) -> tuple[str, ...]:
    """`2 * n_labels + 1` tags: O, then B- and I- of each label in order."""
    return ("O", *(prefix + label for label in labels for prefix in ("B-", "I-")))


def encode_bio(
    word_starts: Ints, word_ends: Ints, entities: Sequence[Entity], tags: Sequence[str]
) -> list[int]:
    """One tag id per word.

    An entity that does not align with the words is widened to those it touches; one that
    touches none is left out. Of two entities that want one word the earlier wins, of two
    that start together the longer. `ConfigError` when a label has no tag.
    """
    ids = [0] * len(word_starts)
    for entity in sorted(entities, key=lambda x: (x.start, -x.end)):
        begin = _begin_tag(entity.label, tags)
        first, last = bisect_right(word_ends, entity.start), bisect_left(word_starts, entity.end)
        if first < last and not any(ids[first:last]):
            ids[first:last] = [begin] + [begin + 1] * (last - first - 1)
    return ids


def decode_bio(tag_ids: Ints, tags: Sequence[str]) -> list[tuple[int, int, str]]:
    """Entities as (first word, last word exclusive, label), in order.

    Lenient: an I- that continues nothing starts an entity, so every sequence decodes.
    """
    spans: list[tuple[int, int, str]] = []
    first, inside = 0, 0  # `inside` is the I- tag that would continue the open entity
    for word, tag in enumerate(_to_list(tag_ids)):
        if inside and tag != inside:
            spans.append((first, word, tags[inside][2:]))
            inside = 0
        if tag and not inside:
            first, inside = word, tag + tag % 2
    if inside:
        spans.append((first, len(tag_ids), tags[inside][2:]))
    return spans


def allowed_start(tags: Sequence[str]) -> NDArray[np.bool_]:
    """[n_tags]: which tags may come first (all but I-)."""
    return np.array([not tag.startswith("I-") for tag in tags], dtype=np.bool_)


def allowed_transitions(tags: Sequence[str]) -> NDArray[np.bool_]:
    """[n_tags, n_tags], from and to: I-x only after B-x or I-x."""
    allowed = np.tile(allowed_start(tags), (len(tags), 1))
    for tag in range(2, len(tags), 2):
        allowed[tag - 1 : tag + 1, tag] = True
    return allowed


def entities_from_bio(  # noqa: PLR0917 - a row of parallel values, as the student makes them
    text: str,
    word_starts: Ints,
    word_ends: Ints,
    tag_ids: Ints,
    tags: Sequence[str],
    confidences: Floats,
) -> tuple[Entity, ...]:
    """Read the entities off a tagged text.

    `confidences` holds one probability per word, that of its tag; an entity's is the
    lowest of its words'.
    """
    return tuple(
        _entity(
            text,
            int(word_starts[first]),
            int(word_ends[last - 1]),
            label,
            float(min(confidences[first:last])),
        )
        for first, last, label in decode_bio(tag_ids, tags)
    )


def validate_entities(text: str, entities: Sequence[Entity]) -> None:
    """`ValueError` unless the entities are spans of the text, sorted, without overlap.

    The message gives places, never the text.
    """
    end = 0
    for number, entity in enumerate(entities):
        if not 0 <= entity.start < entity.end <= len(text):
            raise ValueError(f"entity {number} is out of the text's bounds")
        if entity.start < end:
            raise ValueError(f"entity {number} overlaps the one before it or is out of order")
        if text[entity.start : entity.end] != entity.surface:
            raise ValueError(f"entity {number}: the surface is not the text at its offsets")
        end = entity.end


def _begin_tag(label: str, tags: Sequence[str]) -> int:
    try:
        return tags.index(f"B-{label}")
    except ValueError:
        raise ConfigError(f"{label!r} is not one of the labels of this tag set") from None


def _entity(text: str, start: int, end: int, label: str, confidence: float) -> Entity:
    return Entity(start, end, label, text[start:end], confidence)


def _to_list(values: Ints) -> Sequence[int]:
    # Iterating over an array would box a numpy scalar per word.
    return values.tolist() if isinstance(values, np.ndarray) else values
