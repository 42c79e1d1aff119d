"""Dead letters: the original bytes, and headers that say where they came from and why.

The names are those of Kafka Connect's dead-letter queue (KIP-298), so that existing
tools read them. Neither text nor key stands in a header: a message from the error says
what is wrong, and the classes of `schemas.errors` never quote the text.
"""

from __future__ import annotations

import time
from typing import Final

from aiokafka import ConsumerRecord

from schemas.errors import RecordError
from schemas.wire.topics import record_id
from stream.kafka.messages import Outgoing

PREFIX: Final = "__connect.errors."
ORIGIN: Final = "origin-record-id"
DROPPED: Final = "silverstream-dropped-bytes"
_MAX_MESSAGE_CHARS = 500


def dead_letter(record: ConsumerRecord, error: RecordError, *, topic: str, app: str) -> Outgoing:
    """Turn a record into a dead letter: value, key and headers untouched, ours added.

    Only a header name that is not UTF-8 is rewritten, since nobody could read it.

    A dead letter that was replayed and failed again keeps its first
    `origin-record-id`; its `__connect.errors.*` headers tell of the latest failure.
    """
    kept = tuple((_utf8(n), v) for n, v in record.headers if not n.startswith(PREFIX))
    origin = () if any(name == ORIGIN for name, _ in kept) else ((ORIGIN, _id(record)),)
    return Outgoing(
        topic=topic,
        value=record.value,
        key=record.key,
        headers=(*kept, *origin, *_reason(record, error, app)),
    )


def without_value(letter: Outgoing) -> Outgoing:
    """Cut a dead letter that the broker finds too large down to its headers of ours.

    The original stays where `origin-record-id` says; a header tells how many bytes were dropped.
    """
    ours = tuple((n, v) for n, v in letter.headers if n == ORIGIN or n.startswith(PREFIX))
    dropped = len(letter.value or b"") + len(letter.key or b"")
    return Outgoing(
        topic=letter.topic, value=b"", headers=(*ours, (DROPPED, str(dropped).encode()))
    )


def _utf8(name: str) -> str:
    """Write out bytes that are not UTF-8, which come as surrogates (`kafka.lenient`)."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _id(record: ConsumerRecord) -> bytes:
    return record_id(record.topic, record.partition, record.offset).encode()


def _reason(record: ConsumerRecord, error: RecordError, app: str) -> tuple[tuple[str, bytes], ...]:
    values = {
        "topic": record.topic,
        "partition": str(record.partition),
        "offset": str(record.offset),
        "connector.name": app,
        "stage": error.code,
        "exception.class.name": type(error).__name__,
        "exception.message": str(error)[:_MAX_MESSAGE_CHARS],
        "timestamp": str(int(time.time() * 1000)),
    }
    return tuple(
        (PREFIX + name, value.encode("utf-8", "replace")) for name, value in values.items()
    )
