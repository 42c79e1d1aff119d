from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from distill.labels.written.near_duplicates import NearDuplicates

TEXT = "The ferry to the island leaves at noon, and the last one comes back late in the evening."


def test_the_same_text_but_for_case_digits_and_spaces_is_a_repeat() -> None:
    seen = NearDuplicates()
    assert seen.take("Train 12 leaves  now") is None
    assert seen.take("train 47 leaves now") == "repeated"


def test_a_text_with_a_few_other_words_is_a_near_duplicate() -> None:
    seen = NearDuplicates()
    assert seen.take(TEXT) is None
    assert seen.take(TEXT.replace("noon", "nine")) == "near_duplicate"
    assert seen.take(TEXT.replace("noon", "nine").replace("back", "home")) == "near_duplicate"


def test_texts_of_one_pattern_with_other_names_are_taken() -> None:
    seen = NearDuplicates()
    assert seen.take("Ada was born in Oslo") is None
    assert seen.take("Radia was born in Quito") is None


def test_what_was_not_taken_hides_nothing() -> None:
    seen = NearDuplicates()
    texts = [TEXT, TEXT.replace("noon", "nine"), "Another one altogether, about a goat"]
    assert [seen.take(text) for text in texts] == [None, "near_duplicate", None]


@given(st.lists(st.text(min_size=1, max_size=60), max_size=12))
def test_no_text_is_taken_twice(texts: list[str]) -> None:
    seen = NearDuplicates()
    for text in texts:
        seen.take(text)
        assert seen.take(text) is not None
