"""What a student is unsure of, read off what it says of words and categories."""

from __future__ import annotations

import numpy as np

from schemas.types import Doubt
from stream.student.decoding import decode
from stream.student.doubts import category_doubts, entity_doubts

LABELS = ["PER", "LOC"]
STARTS = np.arange(0, 80, 4)
ENDS = STARTS + 3


def doubts_of(*texts: list[dict[int, float]]) -> list[tuple[Doubt, ...]]:
    """Each word by the probabilities of its tags: O, B-PER, I-PER, B-LOC, I-LOC; the rest is 0."""
    words = [word for text in texts for word in text]
    probabilities = np.full((len(words), 5), 1e-9, dtype=np.float32)
    for row, word in zip(probabilities, words, strict=True):
        row[list(word)] = list(word.values())
    bounds = np.cumsum([0, *map(len, texts)])
    decoded = decode(np.log(probabilities), bounds)
    return entity_doubts(decoded, bounds, STARTS, ENDS, LABELS)


def test_a_mention_with_a_doubtful_word_is_in_doubt_as_a_whole() -> None:
    (found,) = doubts_of([{0: 1.0}, {1: 0.99}, {2: 0.6, 0: 0.4}, {0: 1.0}])
    assert [(one.start, one.end) for one in found] == [(4, 11)]
    assert [one.label for one in found[0].choices] == ["PER", ""]
    assert found[0].choices[0].probability > 0.7


def test_doubtful_words_beside_a_mention_are_one_doubt_with_it() -> None:
    (found,) = doubts_of([{0: 0.6, 1: 0.4}, {1: 0.7, 3: 0.3}, {0: 1.0}])
    assert [(one.start, one.end) for one in found] == [(0, 7)]
    assert [one.label for one in found[0].choices] == ["PER", "", "LOC"]


def test_two_mentions_side_by_side_are_two_doubts() -> None:
    (found,) = doubts_of([{1: 0.7, 3: 0.3}, {3: 0.7, 1: 0.3}])
    assert [(one.start, one.end) for one in found] == [(0, 3), (4, 7)]


def test_of_a_text_that_is_doubtful_all_over_nothing_is_told() -> None:
    words = [{0: 0.6, 1: 0.4}, {0: 1.0}] * 4
    few, many = doubts_of(words[:6], words)
    assert len(few) == 3
    assert many == ()


def test_a_sure_text_has_no_doubts_and_texts_do_not_see_each_other() -> None:
    assert doubts_of([{0: 1.0}], [], [{0: 0.5, 1: 0.5}])[:2] == [(), ()]


def test_of_one_category_the_likeliest_are_told_until_they_are_nearly_certain() -> None:
    (found,) = category_doubts([0.01, 0.6, 0.385, 0.005], ["a", "b", "c", "d"], "one")
    assert [one.label for one in found.choices] == ["b", "c"]
    assert category_doubts([0.99, 0.01], ["a", "b"], "one") == ()


def test_of_any_number_those_in_doubt_are_told() -> None:
    (found,) = category_doubts([0.99, 0.4, 0.01, 0.8], ["a", "b", "c", "d"], "any")
    assert [one.label for one in found.choices] == ["d", "b"]
    assert category_doubts([0.99, 0.01], ["a", "b"], "any") == ()
