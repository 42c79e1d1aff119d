"""Labels in columns: a sequence of `SilverLabel` of which each is made when it is looked at.

A label as objects takes some 2 kB, in columns a sixth of that, most of it the text. A table is a
choice of rows of columns that are never changed, in an order of its own and with weights of its
own; so a million labels are there once, whoever sorts, leaves out or weighs them.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import cached_property
from typing import Any, Final, TypeVar, overload

import numpy as np
import numpy.typing as npt

from schemas.likeness import likeness
from schemas.types import Category, Entity, Opinion, SilverLabel

T = TypeVar("T")
Rows = npt.NDArray[np.int64]
Marks = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Digests = npt.NDArray[np.bytes_]

_REPEATED: Final = (
    "task",
    "task_digest",
    "source",
    "teacher_model",
    "prompt_version",
    "student_version",
    "producer",
    "asked",
    "teacher",
)
"""Fields of few different values, of which each is kept once."""
_LIKENESS_BYTES: Final = 16
_DIGEST_BYTES: Final = 32


class LabelTable(Sequence[SilverLabel]):
    """A choice of labels; equal to any sequence of the same ones.

    `rows` int64 [n] are those of the columns, `weights` float64 [n] the labels' own;
    `changed` has, by row, the labels that the columns do not say: few.
    """

    __slots__ = ("_changed", "_columns", "_rows", "_weights")
    __hash__ = None  # type: ignore[assignment] # as a list

    def __init__(
        self, columns: Columns, rows: Rows, weights: Floats, changed: Mapping[int, SilverLabel]
    ) -> None:
        self._columns, self._rows, self._weights = columns, rows, weights
        self._changed = changed

    @classmethod
    def of(cls, labels: Iterable[SilverLabel]) -> LabelTable:
        """Pack labels, one after the other; a table is given back as it is."""
        if isinstance(labels, LabelTable):
            return labels
        columns = Columns()
        for label in labels:
            columns.append(label)
        return columns.table()

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> SilverLabel: ...
    @overload
    def __getitem__(self, index: slice) -> LabelTable: ...
    def __getitem__(self, index: int | slice) -> SilverLabel | LabelTable:
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        return self._label(int(self._rows[index]), float(self._weights[index]))

    def __iter__(self) -> Iterator[SilverLabel]:
        return map(self._label, map(int, self._rows), map(float, self._weights))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    def __repr__(self) -> str:
        return f"<{len(self)} labels>"

    def take(self, chosen: Rows | Marks | Sequence[int]) -> LabelTable:
        """Choose labels by their places, in that order, or by a mark for each."""
        where = np.asarray(chosen, dtype=None if len(chosen) else np.int64)
        return LabelTable(self._columns, self._rows[where], self._weights[where], self._changed)

    def weighed(self, factors: Floats | Sequence[float]) -> LabelTable:
        """Multiply the weight of each label."""
        weights = self._weights * np.asarray(factors, dtype=np.float64)
        return LabelTable(self._columns, self._rows, weights, self._changed)

    def changed(self, labels: Mapping[int, SilverLabel]) -> LabelTable:
        """Put labels in the places of others; for few of them."""
        if not labels:
            return self
        rows, weights = self._rows.copy(), self._weights.copy()
        changed = dict(self._changed)
        for at, label in labels.items():
            changed[int(rows[at])] = label
            weights[at] = label.weight
        return LabelTable(self._columns, rows, weights, changed)

    def by_digest(self) -> LabelTable:
        """Sort the labels by the digests of their texts; of one text the last stays."""
        digests = self.digests
        order = np.argsort(digests, kind="stable")
        ordered = digests[order]
        is_last = np.ones(len(order), dtype=np.bool_)
        is_last[:-1] = ordered[1:] != ordered[:-1]
        return self.take(order[is_last])

    def joined(self, other: LabelTable) -> LabelTable:
        """Give these labels, and behind them the other ones."""
        if self._columns is not other._columns:
            return LabelTable.of((*self, *other))
        return LabelTable(
            self._columns,
            np.concatenate([self._rows, other._rows]),
            np.concatenate([self._weights, other._weights]),
            {**self._changed, **other._changed},
        )

    @property
    def weights(self) -> Floats:
        """How much each label counts."""
        return self._weights

    @property
    def times_ms(self) -> Rows:
        """When each label was made."""
        return np.frombuffer(self._columns.labelled_at_ms, dtype=np.int64)[self._rows]

    @property
    def audits(self) -> Marks:
        """Which labels are audits."""
        return np.frombuffer(self._columns.audit, dtype=np.bool_)[self._rows]

    @property
    def digests(self) -> Digests:
        """SHA-256 of each text's UTF-8, as 32 bytes."""
        return self._columns.digests[self._rows]

    @property
    def likenesses(self) -> Digests:
        """16 bytes for each text, the same of texts that are alike (`schemas.likeness`)."""
        return self._columns.likenesses[self._rows]

    def texts(self) -> Iterator[str]:
        """Give the text of each label."""
        return map(self._columns.text, map(int, self._rows))

    def among(self, field: str, values: AbstractSet[str] | Mapping[str, Any]) -> Marks:
        """Mark the labels whose `field`, one of few different values, is among these."""
        said = self._columns.repeated[field]
        is_among = np.array([value in values for value in said.values], dtype=np.bool_)
        return is_among[self.codes(field)] if len(said.values) else np.zeros(0, dtype=np.bool_)

    def codes(self, field: str) -> npt.NDArray[np.int32]:
        """Give the number of each label's value of a field among `values_of` it."""
        said = self._columns.repeated[field]
        return np.frombuffer(said.codes, dtype=np.int32)[self._rows]

    def values_of(self, field: str) -> Sequence[str]:
        """Give the values that a field has in these columns."""
        return self._columns.repeated[field].values

    def _label(self, row: int, weight: float) -> SilverLabel:
        found = self._changed.get(row)
        if found is None:
            return self._columns.label(row, weight)
        return found if found.weight == weight else replace(found, weight=weight)


class Repeated:
    """A column of few different strings."""

    def __init__(self) -> None:
        self.codes, self.values = array("i"), list[str]()
        self._code = dict[str, int]()

    def append(self, value: str) -> None:
        """Add a row."""
        self.codes.append(self.code(value))

    def code(self, value: str) -> int:
        """Give a value's number, a new one where it was not there."""
        if (code := self._code.setdefault(value, len(self.values))) == len(self.values):
            self.values.append(value)
        return code

    def __getitem__(self, row: int) -> str:
        return self.values[self.codes[row]]


class Strings:
    """A column of strings, one behind the other as UTF-8."""

    def __init__(self) -> None:
        self._data, self._ends = bytearray(), array("q", [0])

    def append(self, value: str) -> None:
        """Add a row."""
        self._data += value.encode()
        self._ends.append(len(self._data))

    def raw(self, row: int) -> bytes:
        """Give the UTF-8 of a row."""
        return bytes(memoryview(self._data)[self._ends[row] : self._ends[row + 1]])

    def __getitem__(self, row: int) -> str:
        return self.raw(row).decode()

    def __len__(self) -> int:
        return len(self._ends) - 1


class Columns:
    """What labels say, field by field: appended to, and from the first table on unchanged."""

    def __init__(self) -> None:
        self.repeated = {name: Repeated() for name in _REPEATED}
        self.labelled_at_ms = array("q")
        self.audit = bytearray()
        self._weights = array("d")
        self._texts, self._record_ids = Strings(), Strings()
        self._tokens_in, self._tokens_out = array("q"), array("q")
        self._names = Repeated()
        self._entities, self._starts, self._ends = array("q", [0]), array("i"), array("i")
        self._confidences = array("d")
        self._categories, self._category_names = array("q", [0]), Repeated()
        self._category_confidences = array("d")
        self._opinions: dict[int, tuple[Opinion, ...]] = {}
        """Of audits that several teachers answered: few."""
        self._odd: dict[int, SilverLabel] = {}

    def append(self, label: SilverLabel) -> None:
        """Add a label as the next row."""
        if not _is_grounded(label):
            self._odd[len(self)] = label
            label = replace(label, entities=())
        for name, column in self.repeated.items():
            column.append(getattr(label, name))
        self.labelled_at_ms.append(label.labelled_at_ms)
        self.audit.append(label.audit)
        self._weights.append(label.weight)
        self._texts.append(label.text)
        self._record_ids.append(label.record_id)
        self._tokens_in.append(label.tokens_in)
        self._tokens_out.append(label.tokens_out)
        for entity in label.entities:
            self._starts.append(entity.start)
            self._ends.append(entity.end)
            self._names.append(entity.label)
            self._confidences.append(entity.confidence)
        self._entities.append(len(self._starts))
        for category in label.categories:
            self._category_names.append(category.label)
            self._category_confidences.append(category.confidence)
        self._categories.append(len(self._category_confidences))
        if label.opinions:
            self._opinions[len(self) - 1] = label.opinions

    def __len__(self) -> int:
        return len(self._weights)

    def table(self) -> LabelTable:
        """Give all rows; nothing can be appended any more while the table is there."""
        weights = np.frombuffer(self._weights, dtype=np.float64)
        return LabelTable(self, np.arange(len(self), dtype=np.int64), weights, self._odd)

    def text(self, row: int) -> str:
        """Give the text of a row."""
        return self._texts[row]

    def label(self, row: int, weight: float) -> SilverLabel:
        """Make the label of a row."""
        text, said = self._texts[row], self.repeated
        return SilverLabel(
            task=said["task"][row],
            task_digest=said["task_digest"][row],
            text=text,
            entities=self._entities_of(row, text),
            source=said["source"][row],  # type: ignore[arg-type] # as it was appended
            audit=bool(self.audit[row]),
            teacher_model=said["teacher_model"][row],
            prompt_version=said["prompt_version"][row],
            student_version=said["student_version"][row],
            record_id=self._record_ids[row],
            weight=weight,
            labelled_at_ms=self.labelled_at_ms[row],
            tokens_in=self._tokens_in[row],
            tokens_out=self._tokens_out[row],
            categories=self._categories_of(row),
            producer=said["producer"][row],
            asked=said["asked"][row],  # type: ignore[arg-type] # as above
            teacher=said["teacher"][row],
            opinions=self._opinions.get(row, ()),
        )

    @cached_property
    def digests(self) -> Digests:
        """Of all rows, see `LabelTable.digests`."""
        return self._digests(_DIGEST_BYTES, lambda row: hashlib.sha256(self._texts.raw(row)))

    @cached_property
    def likenesses(self) -> Digests:
        """Of all rows, see `LabelTable.likenesses`."""
        return self._digests(
            _LIKENESS_BYTES,
            lambda row: hashlib.blake2b(
                likeness(self._texts[row]).encode(), digest_size=_LIKENESS_BYTES
            ),
        )

    def _digests(self, size: int, digest: Callable[[int], Any]) -> Digests:
        found = bytearray()
        for row in range(len(self)):
            found += digest(row).digest()
        return np.frombuffer(found, dtype=f"S{size}")

    def _entities_of(self, row: int, text: str) -> tuple[Entity, ...]:
        return tuple(
            Entity(
                start := self._starts[at],
                end := self._ends[at],
                self._names[at],
                text[start:end],
                self._confidences[at],
            )
            for at in range(self._entities[row], self._entities[row + 1])
        )

    def _categories_of(self, row: int) -> tuple[Category, ...]:
        return tuple(
            Category(self._category_names[at], self._category_confidences[at])
            for at in range(self._categories[row], self._categories[row + 1])
        )


def _is_grounded(label: SilverLabel) -> bool:
    """Tell whether the surfaces follow from text and spans, as in all that a codec has decoded."""
    return all(
        0 <= x.start <= x.end and label.text[x.start : x.end] == x.surface for x in label.entities
    )


class DigestSet(AbstractSet[str]):
    """Digests of texts, as `schemas.types.text_digest` spells them; 32 bytes each."""

    def __init__(self, digests: Digests) -> None:
        self._sorted = np.unique(digests)

    @classmethod
    def of(cls, spelt: Iterable[str]) -> DigestSet:
        """Take digests as they are spelt."""
        raw = b"".join(map(bytes.fromhex, spelt))
        return cls(np.frombuffer(raw, dtype=f"S{_DIGEST_BYTES}"))

    @classmethod
    def _from_iterable(cls, items: Iterable[T]) -> AbstractSet[T]:
        return frozenset(items)  # what set operators give

    def with_these(self, digests: Digests) -> DigestSet:
        """Give the set with others in it too."""
        return DigestSet(np.concatenate([self._sorted, digests]))

    def without(self, digests: Digests) -> DigestSet:
        """Give the set without some."""
        return DigestSet(self._sorted[~np.isin(self._sorted, digests)])

    def __contains__(self, spelt: object) -> bool:
        wanted = np.array([bytes.fromhex(str(spelt))], dtype=self._sorted.dtype)
        at = int(np.searchsorted(self._sorted, wanted[0]))
        return at < len(self) and bool(self._sorted[at] == wanted[0])

    def __iter__(self) -> Iterator[str]:
        return hexadecimal(self._sorted)

    def __len__(self) -> int:
        return len(self._sorted)


def hexadecimal(digests: Digests) -> Iterator[str]:
    """Spell digests out, as `schemas.types.text_digest` does."""
    # Of an array of bytes numpy gives each without the zeros at its end.
    return (raw.ljust(_DIGEST_BYTES, b"\0").hex() for raw in map(bytes, digests))
