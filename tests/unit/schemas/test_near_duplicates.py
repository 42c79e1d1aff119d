from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from schemas.near_duplicates import ONE_TEXT, NearDuplicates

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


def test_what_was_taken_longest_ago_is_forgotten_and_leaves_nothing() -> None:
    texts = NearDuplicates(most=2)
    assert [texts.take(text) for text in ("first one", "second thing", "third place")] == [None] * 3
    assert texts.take("first one") is None
    assert texts.take("third place") == "repeated"
    assert texts.take("second thing") is None


def test_one_text_with_another_ending_is_one_and_a_template_with_other_names_is_not() -> None:
    long = (
        "the parcel that you have sent to the office in the old town has not been delivered yet, "
    )
    texts = NearDuplicates(similar=ONE_TEXT)
    assert texts.take(f"{long}please call us at once if you can {long[::-1]}") is None
    assert texts.take(f"{long}please call us at once if you cam {long[::-1]}") == "near_duplicate"
    assert texts.take(f"Ada Lovelace moved to Oslo {long[:40]}") is None
    assert texts.take(f"Grace Hopper moved to Rome {long[:40]}") is None


def test_long_texts_are_compared_by_a_sample_of_their_shingles() -> None:
    rng = random.Random(3)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=7)) for _ in range(6000)]
    long, others = " ".join(words[:2500]), " ".join(words[2500:5000])
    seen = NearDuplicates(similar=ONE_TEXT)
    assert seen.take(long) is None
    assert seen.take(f"{long} with an end") == "near_duplicate"
    assert seen.take(" ".join(words[:1800] + words[5000:5700])) is None  # 0.56 in common
    assert seen.take(others) is None


def test_among_a_thousand_texts_of_one_template_the_repeat_is_still_found() -> None:
    rng = random.Random(4)
    frame = "dear customer, thank you for your order, which we have sent to you today by post. " * 4
    ends = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz ", k=250)) for _ in range(1000)]
    seen = NearDuplicates(similar=ONE_TEXT, most=1000)
    assert [seen.take(frame + end) for end in ends] == [None] * 1000
    assert seen.take(frame + ends[-1] + "!") == "near_duplicate"
    assert seen.take(frame + ends[3]) == "repeated"


def test_half_a_character_is_a_text_too() -> None:
    seen = NearDuplicates()
    assert seen.take("\ud83d half of one") is None
    assert seen.take("\ud83d half of one") == "repeated"
