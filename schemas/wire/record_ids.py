"""What names a record: its id, for ever, and the keys of the silver labels of its text."""

from __future__ import annotations

from schemas.types import SilverLabel, text_digest

_TEACHERS = b":teacher"


def record_id(topic: str, partition: int, offset: int) -> str:
    """`topic-partition-offset`: names one input record for ever."""
    return f"{topic}-{partition}-{offset}"


def silver_key(task: str, text: str) -> bytes:
    """Key of a person's silver label: one per task and exact text, so compaction keeps the newest.

    0.1.0 wrote the teacher's labels under it too: a person's takes their place, as it should.
    """
    return f"{task}:{text_digest(text)}".encode()


def label_key(label: SilverLabel) -> bytes:
    """Key of this silver label: a person's has the text's own, a teacher's one beside it.

    Were it the same, compaction would drop a person's label for the teacher's next answer to that
    text; who writes the answer cannot know of it without reading the whole topic.
    """
    key = silver_key(label.task, label.text)
    return key if label.source == "human" else key + _TEACHERS


def text_of_key(key: bytes) -> bytes:
    """Give what the keys of one text have in common: that of a person's label."""
    return key.removesuffix(_TEACHERS)
