"""What names a record: its id, for ever, and the keys of the silver labels of its text."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.types import SilverLabel, text_digest

_TEACHERS = b":teacher"
_NUMBERS = 2
_MOST_DIGITS = 19
"""Of an offset, which has 64 bits."""


def record_id(topic: str, partition: int, offset: int) -> str:
    """`topic-partition-offset`: names one input record for ever."""
    return f"{topic}-{partition}-{offset}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an input record stands."""

    topic: str
    partition: int
    offset: int


def place_of(record_id: str) -> Place | None:
    """Give the place that an id names; None for what is none. Topics may have dashes in them."""
    topic, *numbers = record_id.rsplit("-", 2)
    if not topic or len(numbers) != _NUMBERS or not all(map(_is_number, numbers)):
        return None
    return Place(topic, *map(int, numbers))


def _is_number(told: str) -> bool:
    return told.isascii() and told.isdecimal() and len(told) <= _MOST_DIGITS


def silver_key(task: str, text: str) -> bytes:
    """Key of a person's silver label: one per task and exact text, so compaction keeps the newest.

    0.1.0 wrote the teacher's labels under it too: a person's takes their place, as it should.
    """
    return label_keys(task, text_digest(text))[0]


def label_key(label: SilverLabel) -> bytes:
    """Key of this silver label: a person's has the text's own, a teacher's one beside it.

    Were it the same, compaction would drop a person's label for the teacher's next answer to that
    text; who writes the answer cannot know of it without reading the whole topic.
    """
    persons, teachers = label_keys(label.task, text_digest(label.text))
    return persons if label.source == "human" else teachers


def label_keys(task: str, digest: str) -> tuple[bytes, bytes]:
    """Keys of the labels of a text with this digest: a person's, and a teacher's."""
    key = f"{task}:{digest}".encode()
    return key, key + _TEACHERS


def text_of_key(key: bytes) -> bytes:
    """Give what the keys of one text have in common: that of a person's label."""
    return key.removesuffix(_TEACHERS)
