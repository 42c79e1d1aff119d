from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.alignment import aligned
from schemas.bio import validate_entities
from schemas.types import Entity


def entity(text: str, start: int, end: int) -> Entity:
    return Entity(start, end, "X", text[start:end])


@pytest.mark.parametrize(
    ("text", "selected", "meant", "reason"),
    [
        ("in Oslo now", (2, 8), "Oslo", "white_space"),
        ("in Oslo\u200b now", (3, 8), "Oslo", "white_space"),
        ("Oslo, now", (0, 5), "Oslo", "punctuation_after_it"),
        ("(Oslo) , now", (0, 8), "(Oslo)", "punctuation_after_it"),
        ("to Zurich.", (3, 8), "Zurich", "half_word"),
        ("to Zurich.", (4, 9), "Zurich", "half_word"),
        ("cafe\u0301s", (0, 4), "cafe\u0301s", "half_word"),
        ("Acme Inc.", (0, 9), "Acme Inc.", ""),
        ("at Caf&eacute; now", (3, 14), "Caf&eacute;", ""),
        ("at Caf&#233;, now", (3, 13), "Caf&#233;", "punctuation_after_it"),
        ("in R&D; now", (3, 7), "R&D", "punctuation_after_it"),
        ("at A & Oslo; now", (3, 12), "A & Oslo", "punctuation_after_it"),
        ("so :) he said", (3, 5), ":)", ""),
        ("#Oslo-based", (1, 5), "Oslo", ""),
        ("我在北京工作", (2, 4), "北京", ""),
        ("서울에서", (0, 2), "서울", ""),
    ],
)
def test_a_selection_is_fitted_to_the_words_that_were_meant(
    text: str, selected: tuple[int, int], meant: str, reason: str
) -> None:
    tally: Counter[str] = Counter()
    (found,) = aligned(text, [entity(text, *selected)], tally=tally)
    assert found.surface == meant == text[found.start : found.end]
    assert +tally == ({reason: 1} if reason else {})


def test_a_selection_of_white_space_alone_is_left_out() -> None:
    tally: Counter[str] = Counter()
    assert aligned("a  b", [entity("a  b", 1, 3)], tally=tally) == ()
    assert +tally == {"only_white_space": 1}


def test_two_names_in_one_word_stay_apart_and_are_counted() -> None:
    tally: Counter[str] = Counter()
    both = [entity("OsloBergen", 0, 4), entity("OsloBergen", 4, 10)]
    assert aligned("OsloBergen", both, tally=tally) == tuple(both)
    assert +tally == {"half_word_left": 2}


@given(st.text(max_size=20), st.data())
def test_what_is_fitted_is_sound_and_stays_as_it_is(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=6)))
    spans = [entity(text, a, b) for a, b in zip(cuts[::2], cuts[1::2], strict=False)]
    fitted = aligned(text, spans)
    validate_entities(text, fitted)
    assert aligned(text, fitted) == fitted
