"""How many new labels are signed: where labels must be, no others are to start a round.

Offsets count whatever lies in the topic. So where they say that a round is due, what they counted
is read, once, and what a trusted key signed is counted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from schemas.settings import KafkaSettings
from stream.kafka.signatures import Signatures
from stream.kafka.topic_logs import read_since

Read = Callable[[Mapping[int, int]], Awaitable[tuple[Sequence[Any], Mapping[int, int]]]]
"""Gives the believed records from these offsets on, and where to go on; see `read_since`."""
_AT_ONCE = 2000


class Believed:
    """Counts on from where it was while the mark stays; each call reads a bounded number."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._mark: Mapping[str, int] | None = None
        self._positions: Mapping[int, int] = {}
        self._n = 0

    async def since(self, mark: Mapping[str, int]) -> int:
        """Count the believed records after the mark, end offsets by partition; as far as read."""
        if mark != self._mark:
            self._mark, self._n = dict(mark), 0
            self._positions = {int(partition): offset for partition, offset in mark.items()}
        records, self._positions = await self._read(self._positions)
        self._n += len(records)
        return self._n


def believed_labels(settings: KafkaSettings, topic: str) -> Believed | None:
    """Count the signed labels of the topic; None where unsigned ones are believed, too."""
    if topic not in Signatures.of(settings).trusted:
        return None
    return Believed(partial(read_since, settings, topic, most=_AT_ONCE))
