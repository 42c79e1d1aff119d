"""Which label of a text stands: pure, whatever the order in which the log is read.

A person's label stands against every answer of the teacher to the same text and task version,
earlier or later. So the two lie under keys of their own (`schemas.wire.record_ids`), for of one key
a compacted topic keeps the newest alone. Keys lie in partitions of their own too, between which a
log has no order: what must be compared goes by time.

Under a text's own key lie, beside a person's labels, the teacher's of 0.1.0: it knew no other.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from distill.labels.table import Columns, LabelTable
from schemas.files.task_identity import Version, carried
from schemas.types import SilverLabel
from schemas.wire.record_ids import text_of_key

Int64 = npt.NDArray[np.int64]
_TEXT_BYTES = 16
_UNKNOWN = np.iinfo(np.int64).max
"""Labels of today that a label of no version of the task knows nothing about."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A record of the labels topic; a label of None forgets. `written_ms` is the record's time."""

    key: bytes
    label: SilverLabel | None
    written_ms: int


def standing_labels(entries: Iterable[Entry], *, versions: Mapping[str, Version]) -> LabelTable:
    """Reduce the log to one label a text, given each partition in its order.

    Of the labels of a text those of the task's `versions` come first, of these a person's, of these
    what was asked about most labels of today, of these the newest; they are given in today's names.
    None under either key of a text forgets what was written under both before.
    """
    log = LabelLog()
    for entry in entries:
        log.append(entry)
    return log.standing(versions)


class LabelLog:
    """The log as it is read: the labels in columns, and of each record what tells which stand."""

    def __init__(self) -> None:
        self._columns = Columns()
        self._texts = bytearray()
        self._persons_key, self._rows, self._written_ms = array("b"), array("q"), array("q")

    def append(self, entry: Entry) -> None:
        """Take the next record in."""
        text = text_of_key(entry.key)
        self._texts += hashlib.blake2b(text, digest_size=_TEXT_BYTES).digest()
        self._persons_key.append(text == entry.key)
        self._rows.append(-1 if entry.label is None else len(self._columns))
        self._written_ms.append(entry.written_ms)
        if entry.label is not None:
            self._columns.append(entry.label)

    def standing(self, versions: Mapping[str, Version]) -> LabelTable:
        """Give the labels that stand, in the order of their texts; see `standing_labels`."""
        table = self._columns.table()
        if not len(table):
            return table
        found = table.take(self._rows_that_stand(table, versions))
        renamed = {digest for digest, version in versions.items() if version.renamed}
        if not found.among("task_digest", renamed).any():
            return found
        return LabelTable.of(carried(x, versions.get(x.task_digest, Version())) for x in found)

    def _rows_that_stand(self, table: LabelTable, versions: Mapping[str, Version]) -> Int64:
        _, first, text = np.unique(
            np.frombuffer(self._texts, dtype=f"S{_TEXT_BYTES}"),
            return_index=True,
            return_inverse=True,
        )
        key = 2 * text + np.frombuffer(self._persons_key, dtype=np.int8)
        row, written_ms = _int64(self._rows), _int64(self._written_ms)
        forgets = np.flatnonzero(row < 0)
        forgotten = np.full(key.max() + 2, -1)  # where the log forgets a key last
        forgotten[key[forgets]] = forgets
        at = np.flatnonzero(row >= 0)
        at = at[at > forgotten[key[at]]]
        human, digest = table.among("source", {"human"}), table.codes("task_digest")
        # They differ where compaction has not come to a key yet: what it left a person is taken.
        at = _last_of_each(at, key[at], digest[row[at]], human[row[at]])
        other = forgotten[key[at] ^ 1]
        at = at[(other < 0) | (written_ms[at] > written_ms[other])]
        unasked = _unasked(table.values_of("task_digest"), versions)[digest[row[at]]]
        rank = (table.times_ms[row[at]], -unasked, human[row[at]], unasked < _UNKNOWN)
        at = at[np.lexsort((at, *rank))]
        at = _last_of_each(at, key[at] // 2)
        return row[at[np.argsort(first[key[at] // 2])]]


def _last_of_each(items: Int64, *kinds: npt.NDArray[Any]) -> Int64:
    """Of the items of each kind, or combination of kinds, keep the last, in their order."""
    order = np.lexsort((np.arange(len(items)), *kinds))
    changes = [np.append(one[order][1:] != one[order][:-1], True) for one in kinds]
    return items[np.sort(order[np.logical_or.reduce(changes)])] if len(items) else items


def _unasked(digests: Iterable[str], versions: Mapping[str, Version]) -> Int64:
    """Count for each task digest the labels of today that its labels know nothing about."""
    known = (versions.get(digest) for digest in digests)
    return np.array(
        [_UNKNOWN if one is None else len(one.unasked) for one in known], dtype=np.int64
    )


def _int64(column: array[int]) -> Int64:
    return np.frombuffer(column, dtype=np.int64)
