"""Sequences whose items are made when they are asked for, each time anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any, Generic, TypeVar, overload

import numpy.typing as npt

T = TypeVar("T")


class _Lazy(Sequence[T]):
    """Equal to any sequence of the same items."""

    __hash__ = None  # type: ignore[assignment] # as a list

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))


class Lazily(_Lazy[T], Generic[T]):
    """What `make` makes of the items of some sequences or arrays of one length, side by side."""

    def __init__(self, make: Callable[..., T], *sources: Sequence[Any] | npt.NDArray[Any]) -> None:
        self._make, self._sources = make, sources

    def __len__(self) -> int:
        return len(self._sources[0])

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Lazily[T]: ...
    def __getitem__(self, index: int | slice) -> T | Lazily[T]:
        found = [source[index] for source in self._sources]
        return Lazily(self._make, *found) if isinstance(index, slice) else self._make(*found)

    def __iter__(self) -> Iterator[T]:
        return map(self._make, *self._sources)


class Behind(_Lazy[T], Generic[T]):
    """One sequence, and behind it another."""

    def __init__(self, first: Sequence[T], second: Sequence[T]) -> None:
        self._first, self._second = first, second

    def __len__(self) -> int:
        return len(self._first) + len(self._second)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Lazily[T]: ...
    def __getitem__(self, index: int | slice) -> T | Lazily[T]:
        if isinstance(index, slice):
            return Lazily(self.__getitem__, range(len(self))[index])
        at = range(len(self))[index]
        n = len(self._first)
        return self._first[at] if at < n else self._second[at - n]

    def __iter__(self) -> Iterator[T]:
        return chain(self._first, self._second)
