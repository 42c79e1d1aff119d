"""Dead letters: the original bytes, and headers that say where they came from and why.

The names are those of Kafka Connect's dead-letter queue (KIP-298), so that existing
tools read them. Neither text nor key stands in a header: a message from the error says
what is wrong, and the classes of `schemas.errors` never quote the text.
"""

from __future__ import annotations

import itertools
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog
from aiokafka import ConsumerRecord

from schemas.errors import OutputTooLargeError, RecordError, TopicError
from schemas.wire.record_ids import record_id
from stream.kafka.messages import Deliver, Outgoing

log = structlog.get_logger(__name__)

PREFIX: Final = "__connect.errors."
ORIGIN: Final = "origin-record-id"
DROPPED: Final = "silverstream-dropped-bytes"
_MAX_MESSAGE_CHARS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetters:
    """Makes the dead letters of `app`, for `topic`."""

    topic: str
    app: str

    def letter(self, record: ConsumerRecord, error: RecordError, *, refused: int = 0) -> Outgoing:
        """Make the letter to send when the brokers have refused this many for this record.

        The first is whole, the second goes without its value. `TopicError` when even that
        was refused.
        """
        whole = self._whole(record, error)
        if refused == 0:
            return whole
        if refused == 1:
            return _without_value(whole)
        raise TopicError(f"topic {self.topic} refuses even a dead letter without its value")

    def _whole(self, record: ConsumerRecord, error: RecordError) -> Outgoing:
        """Leave value, key and headers untouched, and add ours.

        Only a header name that is not UTF-8 is rewritten, since nobody could read it. A dead
        letter that was replayed and failed again keeps its first `origin-record-id`; its
        `__connect.errors.*` headers tell of the latest failure.
        """
        kept = tuple((_utf8(n), v) for n, v in record.headers if not n.startswith(PREFIX))
        origin = () if any(name == ORIGIN for name, _ in kept) else ((ORIGIN, _id(record)),)
        return Outgoing(
            topic=self.topic,
            value=record.value,
            key=record.key,
            headers=(*kept, *origin, *_reason(record, error, self.app)),
        )


async def bury(
    letters: DeadLetters, record: ConsumerRecord, error: RecordError, *, deliver: Deliver
) -> None:
    """Deliver a record's dead letter, cut down as far as the brokers demand, and log it.

    Lanes do the same in their batches: there a refusal is remembered until the next attempt
    (`lane.batch`), since the letter must be committed together with the batch.
    """
    for refused in itertools.count():
        letter = letters.letter(record, error, refused=refused)
        with suppress(OutputTooLargeError):
            await deliver(letter, beside=record.partition)
            break
    log_buried(record.topic, record.partition, record.offset, error)


def log_buried(topic: str, partition: int, offset: int, error: RecordError) -> None:
    """Say that the dead letter of this record is delivered."""
    log.warning("dead_lettered", record_id=record_id(topic, partition, offset), code=error.code)


def _without_value(letter: Outgoing) -> Outgoing:
    """Cut a dead letter down to its headers of ours.

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
