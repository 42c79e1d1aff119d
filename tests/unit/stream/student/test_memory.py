from __future__ import annotations

import pytest

from stream.student.memory import give_back_memory


def test_memory_is_given_back_where_the_c_library_can() -> None:
    given: list[int] = []

    class Library:
        def malloc_trim(self, pad: int) -> None:
            given.append(pad)

    give_back_memory(c_library=Library)
    assert given == [0]


def test_the_c_library_of_this_process_is_asked() -> None:
    give_back_memory()


@pytest.mark.parametrize("error", [OSError, TypeError, AttributeError])
def test_where_it_cannot_nothing_happens(error: type[Exception]) -> None:
    def no_library() -> None:
        raise error

    give_back_memory(c_library=no_library)
