from __future__ import annotations

import ctypes
from collections.abc import Iterator

import pytest

from stream.student import memory
from stream.student.memory import give_back_memory


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    memory._malloc_trim.cache_clear()
    yield
    memory._malloc_trim.cache_clear()


def test_memory_is_given_back_where_the_c_library_can() -> None:
    give_back_memory()


@pytest.mark.parametrize("error", [OSError, TypeError, AttributeError])
def test_where_it_cannot_nothing_happens(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def no_library(_: None) -> None:
        raise error

    monkeypatch.setattr(ctypes, "CDLL", no_library)
    give_back_memory()
