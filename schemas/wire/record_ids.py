"""What names a record: its id, for ever, and the key of the silver label of its text."""

from __future__ import annotations

from schemas.types import text_digest


def record_id(topic: str, partition: int, offset: int) -> str:
    """`topic-partition-offset`: names one input record for ever."""
    return f"{topic}-{partition}-{offset}"


def silver_key(task: str, text: str) -> bytes:
    """Key of a silver label: one per task and exact text, so compaction keeps the newest."""
    return f"{task}:{text_digest(text)}".encode()
