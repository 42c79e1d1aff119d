"""From a processor's results to what is written: outputs, or a dead letter in their place."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aiokafka import ConsumerRecord

from schemas.errors import OutputTooLargeError, RecordError
from stream.kafka.dead_letters import DeadLetters
from stream.kafka.lane.failures import Judged
from stream.kafka.lane.sending import Addressed
from stream.kafka.messages import Failed, Outgoing


@dataclass(frozen=True, slots=True)
class Batch:
    """Processed records, ready for delivery.

    `errors` are those of its dead letters, by offset. `judged` are the records with a value, in
    their order: the others are deletes, of which nothing comes. What the brokers refused is no
    failure there.
    """

    first_offset: int
    next_offset: int
    n_records: int
    outgoing: Sequence[Addressed]
    errors: Sequence[tuple[int, RecordError]]
    judged: Sequence[Judged]
    fetched_s: float

    @property
    def n_deletes(self) -> int:
        """How many records were passed over."""
        return self.n_records - len(self.judged)


def portions(
    records: Sequence[ConsumerRecord], *, max_bytes: int
) -> Iterator[Sequence[ConsumerRecord]]:
    """Split what was fetched, in its order, into batches of at most `max_bytes` of values.

    A larger record is a batch of its own.
    """
    first, size = 0, 0
    for i, record in enumerate(records):
        n_bytes = len(record.value or b"")
        if i > first and size + n_bytes > max_bytes:
            yield records[first:i]
            first, size = i, 0
        size += n_bytes
    if records:
        yield records[first:]


class Refusals:
    """What the broker refused, remembered from one attempt to the next.

    A refused batch is sent again record by record; a record whose output is refused
    becomes a dead letter; a refused dead letter goes without its value. So each
    attempt gets further, and one monstrous output cannot stop a lane for ever.
    """

    def __init__(self) -> None:
        self._singly_before = 0
        self._strikes: dict[int, int] = {}

    def batch(self, batch: Batch) -> None:
        """Remember that this batch was refused as a whole."""
        self._singly_before = batch.next_offset

    def records(self, offsets: frozenset[int]) -> None:
        """Remember that outputs of these input records were refused."""
        for offset in offsets:
            self._strikes[offset] = self._strikes.get(offset, 0) + 1

    def settled(self, batch: Batch) -> None:
        """Forget what is done."""
        if self._strikes:
            self._strikes = {o: n for o, n in self._strikes.items() if o >= batch.next_offset}

    def singly(self, batch: Batch) -> bool:
        """Tell whether to send this batch record by record."""
        return batch.first_offset < self._singly_before

    def strikes(self, offset: int) -> int:
        """Tell how often an output of this input record was refused."""
        return self._strikes.get(offset, 0)


def assemble(
    records: Sequence[ConsumerRecord],
    results: Sequence[Sequence[Outgoing] | Failed],
    *,
    letters: DeadLetters,
    refusals: Refusals,
    fetched_s: float | None = None,
) -> Batch:
    """Put the results of one batch together; `records` must not be empty.

    A record whose result is empty is passed over. Raises `ValueError` when there is not one
    result per record.
    """
    outgoing: list[Addressed] = []
    errors: list[tuple[int, RecordError]] = []
    judged: list[Judged] = []
    for record, result in zip(records, results, strict=True):
        offset = record.offset
        if isinstance(result, Failed) or result:
            judged.append(Judged(offset, result.error if isinstance(result, Failed) else None))
        error = _error(result, refusals.strikes(offset))
        if error is None:
            outgoing.extend((offset, output) for output in result)  # type: ignore[union-attr]  # no Failed without an error
        else:
            again = refusals.strikes(offset) - (not isinstance(result, Failed))
            outgoing.append((offset, letters.letter(record, error, refused=again)))
            errors.append((offset, error))
    return Batch(
        first_offset=records[0].offset,
        next_offset=records[-1].offset + 1,
        n_records=len(records),
        outgoing=outgoing,
        errors=errors,
        judged=judged,
        fetched_s=time.monotonic() if fetched_s is None else fetched_s,
    )


def _error(result: Sequence[Outgoing] | Failed, strikes: int) -> RecordError | None:
    if isinstance(result, Failed):
        return result.error
    if strikes:
        sizes = ", ".join(
            f"{len(output.value or b'')} bytes to {output.topic}" for output in result
        )
        return OutputTooLargeError(f"the broker refused the result ({sizes})")
    return None
