from __future__ import annotations

from typing import Any

import pytest

from schemas.errors import InvalidAnswerError
from stream.teacher.occurrences import Listed, place, read_number

TEXT = "Oslo beat Bergen. Oslo cheered. Bergen wept. Mira Holt of Oslo left."
OSLO = [0, 18, 58]
BERGEN = [10, 32]


def starts(*listed: tuple[str, str, Any], text: str = TEXT) -> list[int]:
    """Where the mentions begin that are listed as (surface, label, occurrence)."""
    named = [Listed(surface, label, read_number(n)) for surface, label, n in listed]
    return sorted(entity.start for entity in place(text, named))


def refuse(*listed: tuple[str, str, Any], text: str = TEXT) -> str:
    with pytest.raises(InvalidAnswerError) as caught:
        starts(*listed, text=text)
    return str(caught.value)


def oslo(*numbers: Any) -> list[tuple[str, str, Any]]:
    return [("Oslo", "LOC", n) for n in numbers]


def bergen(*numbers: Any) -> list[tuple[str, str, Any]]:
    return [("Bergen", "LOC", n) for n in numbers]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1), (0, 0), ("2", 2), (" 3 ", 3), (2.0, 2), (None, None), ("", None),
        (-7, -1), (True, -1), (1.5, -1), (float("inf"), -1), ("first", -1), ("1" * 10, -1),
        ("\u0663", -1), ([1], -1), ({}, -1), ("-1", -1),
    ],
)  # fmt: skip
def test_numbers_are_read_as_models_write_them(value: Any, number: int | None) -> None:
    assert read_number(value) == number


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([1, 2, 3], OSLO),
        ([3, 1], [0, 58]),
        ([1, 1, 1], OSLO),
        ([None, None, None], OSLO),
        ([0, 0, 0], OSLO),
        ([1, 1], OSLO[:2]),
        ([2, 2], OSLO[1:]),
        ([0, 1, 2], OSLO),
        ([0, 2], [0, 58]),
        ([0], [0]),
        (["1", "2", "3"], OSLO),
        (["0", "1", "2"], OSLO),
        ([1.0, "2", 3], OSLO),
    ],
)
def test_what_can_mean_one_thing_only_is_understood(
    numbers: list[Any], expected: list[int]
) -> None:
    assert starts(*oslo(*numbers)) == expected


@pytest.mark.parametrize(
    "numbers",
    [
        [1, 1, 2],
        [1, 2, 2],
        [1, None],
        [None],
        [3, 3],
        [1, 1, 1, 1],
        [None] * 4,
        [0, 3],
        [0, 1, 2, 3],
        [4],
        [1, 4],
        [-1, -1, -1],
        ["first", "second", "third"],
        [True, True, True],
    ],
)
def test_what_contradicts_itself_is_refused_and_not_thinned(numbers: list[Any]) -> None:
    refuse(*oslo(*numbers))


def test_a_number_from_zero_anywhere_says_how_the_answer_counts() -> None:
    assert starts(*oslo(0, 1, 2), *bergen(0, 1), ("Mira Holt", "PER", 0)) == sorted(
        [*OSLO, *BERGEN, 45]
    )
    assert starts(*bergen(1, 2), ("Mira Holt", "PER", 0)) == [*BERGEN, 45]
    assert "from 0 or from 1" in refuse(*bergen(1), ("Mira Holt", "PER", 0))


def test_a_number_from_zero_does_not_matter_where_no_surface_stands_twice() -> None:
    assert starts(("Mira", "PER", 0), ("Holt", "PER", 1)) == [45, 50]


def test_places_within_a_longer_mention_are_left_out_of_a_repetition() -> None:
    text = "Oslo, Oslo University, Oslo"
    university = ("Oslo University", "ORG", 1)
    assert starts(*oslo(1, 1), university, text=text) == [0, 6, 23]
    assert starts(*oslo(1, 1, 1), university, text=text) == [0, 6, 6, 23]


def test_a_repetition_runs_into_parts_of_words_only_where_every_place_is_meant() -> None:
    text = "Oslo, Oslo and Oslofjord"
    assert starts(*oslo(1, 1), text=text) == [0, 6]
    assert starts(*oslo(1, 1, 1), text=text) == [0, 6, 15]
    refuse(*oslo(2, 2), text=text)
    tokyo = "\u6771\u4eac"
    written = f"{tokyo}\u306f{tokyo}\u3001{tokyo}"
    assert starts(*[(tokyo, "LOC", 1)] * 3, text=written) == [0, 3, 6]


def test_a_repetition_with_two_labels_takes_the_same_places_twice() -> None:
    listed = [*oslo(1, 1), ("Oslo", "ORG", 1), ("Oslo", "ORG", 1)]
    assert starts(*listed) == [0, 0, 18, 18]


def test_mentions_in_another_form_are_placed_when_all_of_them_are_listed() -> None:
    assert starts(("OSLO", "LOC", 1), ("OSLO", "LOC", 1), ("OSLO", "LOC", 1)) == OSLO
    assert starts(*(("OSLO", "LOC", n) for n in (1, 2, 3))) == OSLO
    assert "one place" in refuse(("OSLO", "LOC", 1), ("OSLO", "LOC", 1))


def test_a_surface_that_is_not_there_is_refused() -> None:
    assert "stand in the text" in refuse(("Trondheim", "LOC", 1), ("Trondheim", "LOC", 1))


def test_many_mentions_of_many_surfaces_are_placed() -> None:
    text = "".join(f"n{i} n{i} " for i in range(500))
    listed = [(f"n{i}", "LOC", 1) for i in range(500) for _ in range(2)]
    assert len(starts(*listed, text=text)) == 1000
