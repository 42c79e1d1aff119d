from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.teacher.mentions import loose_mentions, mentions, whole_mentions


def test_whole_words_come_before_parts_of_words() -> None:
    assert mentions("Also Al and Albert saw Al", "Al") == [(5, 7), (23, 25), (0, 2), (12, 14)]


def test_a_hash_or_an_apostrophe_ends_a_word() -> None:
    assert whole_mentions("#Oslo's", mentions("#Oslo's", "Oslo")) == [(1, 5)]


def test_overlapping_mentions_are_all_found() -> None:
    assert mentions("aaa", "aa") == [(0, 2), (1, 3)]


def test_an_empty_surface_occurs_nowhere() -> None:
    assert mentions("text", "") == []
    assert loose_mentions("text", "\u200b") == []


def test_the_number_of_mentions_is_bounded() -> None:
    assert len(mentions("a" * 20_000, "a")) == 1000


@pytest.mark.parametrize(
    ("text", "surface", "found"),
    [
        ("in OSLO now", "Oslo", "OSLO"),
        ("in Jose\u0301 now", "Jos\u00e9", "Jose\u0301"),
        ("in Jos\u00e9 now", "Jose\u0301", "Jos\u00e9"),
        ("the \u201cBig\u2019s\u201d bar", '"Big\'s"', "\u201cBig\u2019s\u201d"),
        ("New \n York", "New York", "New \n York"),
        ("Saint\u2013Denis", "Saint-Denis", "Saint\u2013Denis"),
        ("Os\u200blo", "Oslo", "Os\u200blo"),
        ("Stra\u00dfe", "STRASSE", "Stra\u00dfe"),
        ("\ufb01re", "fire", "\ufb01re"),
        ("\uff2f\uff33\uff2c\uff2f", "Oslo", "\uff2f\uff33\uff2c\uff2f"),
    ],
)
def test_a_difference_in_form_is_overlooked(text: str, surface: str, found: str) -> None:
    [(start, end)] = loose_mentions(text, surface)
    assert text[start:end] == found


@pytest.mark.parametrize(
    ("text", "surface"),
    [
        ("Bergen", "Oslo"),
        ("\ufb01re", "f"),  # half of a ligature is no span
        ("New York", "NewYork"),
    ],
)
def test_other_differences_are_not(text: str, surface: str) -> None:
    assert loose_mentions(text, surface) == []


def test_a_letter_without_its_accent_is_no_whole_word() -> None:
    text = "Jose\u0301"
    assert whole_mentions(text, mentions(text, "Jose")) == []


@settings(max_examples=100)
@given(st.text(min_size=1, max_size=30), st.data())
def test_every_span_is_found_again_exactly_and_loosely(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    found = mentions(text, text[start:end])
    assert (start, end) in found
    assert all(text[a:b] == text[start:end] for a, b in found)
    for a, b in loose_mentions(text, text[start:end]):
        assert 0 <= a < b <= len(text)


@settings(max_examples=100)
@given(st.text(alphabet="aé\u0301 -\u2013'\u2019", min_size=1, max_size=12))
def test_a_decomposed_surface_is_found_in_its_composed_text(text: str) -> None:
    if text.strip():
        assert loose_mentions(text, unicodedata.normalize("NFD", text))
