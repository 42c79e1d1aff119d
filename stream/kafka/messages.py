"""What goes into a lane's processor and what comes out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from aiokafka import ConsumerRecord

from schemas.errors import RecordError
from schemas.types import Headers


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record to write.

    It goes to `partition`, and is tried again while the topic is not known to have it. What
    must keep its source's order names the source's partition so, for keyless input too.
    Without, it goes there modulo the partitions known just now: good for dead letters.
    `timestamp_ms` is the time of writing where None.
    """

    topic: str
    value: bytes | None
    key: bytes | None = None
    partition: int | None = None
    headers: Headers = ()
    timestamp_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The result of a record that is to become a dead letter."""

    error: RecordError


Processor: TypeAlias = Callable[
    [Sequence[ConsumerRecord]], Awaitable[Sequence[Sequence[Outgoing] | Failed]]
]
"""One result per record, in the records' order; an empty one for a delete, which is passed over.

It raises nothing for what one record did: that is a `Failed`. A `RetryError` makes the
lane begin again at its committed offset; any other exception ends the worker.
"""


class Deliver(Protocol):
    """Produces one record and returns when the brokers have it."""

    async def __call__(self, outgoing: Outgoing, /, *, beside: int | None) -> None:
        """Write beside a source of partition `beside` (see `Outgoing`); with None its key chooses.

        `OutputTooLargeError` when the brokers refuse this very record; else raise if impossible.
        """
        ...
