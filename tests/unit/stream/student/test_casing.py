from __future__ import annotations

import numpy as np
import pytest

from stream.student.casing import (
    DIGIT,
    LOWER,
    MIXED,
    OTHER,
    TITLE,
    UPPER,
    after_marks,
    char_kinds,
    code_points,
    piece_classes,
)


def classes(*pieces: str) -> list[int]:
    ends = np.cumsum([len(piece) for piece in pieces]).astype(np.int32)
    starts = (ends - [len(piece) for piece in pieces]).astype(np.int32)
    kinds = char_kinds(code_points("".join(pieces)))
    return list(map(int, piece_classes(kinds, starts, ends)))


@pytest.mark.parametrize(
    ("piece", "expected"),
    [
        ("rio", LOWER),
        ("RIO", UPPER),
        ("A", UPPER),
        ("Rio", TITLE),
        ("Élan", TITLE),
        ("Ǆ", UPPER),
        ("iPhone", MIXED),
        ("McDonald", MIXED),
        ("2009", DIGIT),
        ("B2b", DIGIT),
        ("٣", DIGIT),
        ("!", OTHER),
        ("日", OTHER),
        ("ß", LOWER),
        ("\U0001d400", UPPER),
        ("Σας", TITLE),
    ],
)
def test_a_piece_has_the_class_of_its_letters(piece: str, expected: int) -> None:
    assert classes(piece) == [expected]


def test_each_piece_is_classed_by_its_own_characters() -> None:
    assert classes("Rio", "de", "JANEIRO", "1", "-") == [TITLE, LOWER, UPPER, DIGIT, OTHER]


def test_a_batch_of_no_pieces_has_no_classes() -> None:
    assert classes() == []


def test_very_long_pieces_do_not_overflow_their_counts() -> None:
    assert classes("A" + "b" * 1_500_000, "C" * 1_500_000) == [TITLE, UPPER]


@pytest.mark.parametrize("text", ["plain", "Zoë", "日本", "👩‍👩‍👧", "\x00"])
def test_code_points_are_those_of_the_text(text: str) -> None:
    assert code_points(text).tolist() == [ord(char) for char in text]


@pytest.mark.parametrize(
    ("text", "end", "expected"),
    [
        ("Cafe\u0301 x", 4, 5),
        ("ab c", 2, 2),
        ("葛\U000e0100城\n", 1, 2),
        ("a" + "\u0301" * 9 + "\n", 1, 10),
    ],
)
def test_an_end_moves_past_the_marks_that_follow(text: str, end: int, expected: int) -> None:
    kinds = char_kinds(code_points(text))
    assert after_marks(kinds, np.array([end], dtype=np.int32)).tolist() == [expected]
