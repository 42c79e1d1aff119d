"""Which label of a text stands: pure, whatever the order in which the log is read.

A person's label stands against every answer of the teacher to the same text and task version,
earlier or later. So the two lie under keys of their own (`schemas.wire.record_ids`), for of one key
a compacted topic keeps the newest alone. Keys lie in partitions of their own too, between which a
log has no order: what must be compared goes by time.

Under a text's own key lie, beside a person's labels, the teacher's of 0.1.0: it knew no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from schemas.files.task_identity import Version, carried
from schemas.types import SilverLabel
from schemas.wire.record_ids import text_of_key


@dataclass(frozen=True, slots=True)
class Entry:
    """A record of the labels topic; a label of None forgets. `written_ms` is the record's time."""

    key: bytes
    label: SilverLabel | None
    written_ms: int


def standing_labels(
    entries: Iterable[Entry], *, versions: Mapping[str, Version]
) -> list[SilverLabel]:
    """Reduce the log to one label a text, given each partition in its order.

    Of the labels of a text those of the task's `versions` come first, of these a person's, of these
    what was asked about most labels of today, of these the newest; they are given in today's names.
    None under either key of a text forgets what was written under both before.
    """
    kept, forgotten = _by_key(entries)
    texts: dict[bytes, SilverLabel] = {}
    for entry, label in _remembered(kept, forgotten):
        key = text_of_key(entry.key)
        if key not in texts or _rank(label, versions) >= _rank(texts[key], versions):
            texts[key] = label
    return [carried(x, versions.get(x.task_digest, Version())) for x in texts.values()]


_Kept = dict[bytes, dict[tuple[str, bool], Entry]]


def _by_key(entries: Iterable[Entry]) -> tuple[_Kept, dict[bytes, Entry]]:
    """Give the newest entry of each key, task version and kind of source; the newest None of each.

    They differ where compaction has not come to a key yet: what it left a person is taken.
    """
    kept: _Kept = {}
    forgotten: dict[bytes, Entry] = {}
    for entry in entries:
        label = entry.label
        if label is None:
            kept.pop(entry.key, None)
            forgotten[entry.key] = entry
        else:
            kind = (label.task_digest, label.source == "human")
            kept.setdefault(entry.key, {})[kind] = entry
    return kept, forgotten


def _remembered(kept: _Kept, forgotten: dict[bytes, Entry]) -> Iterator[tuple[Entry, SilverLabel]]:
    """Leave out what was forgotten under the text's other key; its own has done so by order."""
    ends: dict[bytes, list[Entry]] = {}
    for end in forgotten.values():
        ends.setdefault(text_of_key(end.key), []).append(end)
    for key, entries in kept.items():
        others = [x.written_ms for x in ends.get(text_of_key(key), ()) if x.key != key]
        for entry in entries.values():
            if entry.label is not None and not any(entry.written_ms <= end for end in others):
                yield entry, entry.label


def _rank(label: SilverLabel, versions: Mapping[str, Version]) -> tuple[bool, bool, int, int]:
    version = versions.get(label.task_digest)
    unasked = len(version.unasked) if version else 0
    return version is not None, label.source == "human", -unasked, label.labelled_at_ms
