"""Under which key a value lies: whoever reads a topic that has keys compares the two here.

Compaction and whoever reads go by the key. A value under the key of another would push that one
out, stand beside its own, or outlive that its own is forgotten: it is no value at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from schemas.errors import DecodeError
from schemas.types import (
    Canary,
    Promise,
    Promotion,
    SilverLabel,
    TeacherAnswer,
    TeacherSpend,
    text_digest,
)
from schemas.wire.codec import Codec
from schemas.wire.record_ids import label_keys

T = TypeVar("T")
JOINED: Final = "joined"
"""The purpose of the record by which a holder of a shared budget learns where the topic ends."""


def decode_keyed(codec: Codec, kind: type[T], key: bytes | None, value: bytes) -> T:
    """Decode a value of a topic that has keys; `DecodeError` also where the key is another's."""
    found = codec.decode(kind, value)
    if key not in _KEYS[kind](found):
        raise DecodeError(f"a {kind.__name__} under the key of another")
    return found


def task_key(entry: Promotion | Canary) -> bytes:
    """Key of an entry of a task's history."""
    return entry.task.encode()


def promise_key(promise: Promise) -> bytes:
    """Key of what is said of one student and label, so that compaction keeps the newest."""
    return f"{promise.task}:{promise.student_version}:{promise.label}".encode()


def answer_key(answer: TeacherAnswer) -> bytes:
    """Key of an answer: its question's name."""
    return answer.question.encode()


def spend_key(row: TeacherSpend) -> bytes:
    """Key of a record, so that compaction keeps the newest; of those that joined, one a ledger."""
    if row.purpose == JOINED:
        return f"{JOINED}|{row.ledger}".encode()
    return f"{row.hour}|{row.task}|{row.purpose}|{row.holder}".encode()


def _keys_of_label(label: SilverLabel) -> tuple[bytes, ...]:
    """Both of its text: under a person's 0.1.0 wrote the teacher's labels, too."""
    persons, teachers = label_keys(label.task, text_digest(label.text))
    return (persons,) if label.source == "human" else (persons, teachers)


_KEYS: Final[Mapping[type, Callable[[Any], tuple[bytes, ...]]]] = {
    SilverLabel: _keys_of_label,
    Promotion: lambda entry: (task_key(entry),),
    Canary: lambda entry: (task_key(entry),),
    Promise: lambda promise: (promise_key(promise),),
    TeacherAnswer: lambda answer: (answer_key(answer),),
    TeacherSpend: lambda row: (spend_key(row),),
}
