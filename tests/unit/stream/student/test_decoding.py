from __future__ import annotations

from itertools import pairwise, product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.bio import allowed_start, allowed_transitions, decode_bio, tag_names
from stream.student.decoding import Decoded, decode, illegal_texts, log_softmax, search, spans

TAGS = tag_names(("PER", "LOC"))
STARTS, STEPS = allowed_start(TAGS), allowed_transitions(TAGS)

Array = npt.NDArray[Any]

LENGTHS = st.lists(st.integers(0, 4), min_size=1, max_size=5)
SEEDS = st.integers(0, 2**32 - 1)


def logits_of(lengths: list[int], seed: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    logits = (3 * rng.standard_normal((sum(lengths), len(TAGS)))).astype(np.float32)
    return logits, np.cumsum([0, *lengths])


def is_legal(path: tuple[int, ...]) -> bool:
    steps = pairwise(path)
    return not path or bool(STARTS[path[0]] and all(STEPS[before, now] for before, now in steps))


def best_path(log_probs: Array) -> list[int]:
    """By trying them all."""
    paths = filter(is_legal, product(range(len(TAGS)), repeat=len(log_probs)))
    words = np.arange(len(log_probs))
    return list(max(paths, key=lambda path: log_probs[words, list(path)].sum(dtype=np.float64)))


@settings(max_examples=50, deadline=None)
@given(lengths=LENGTHS, seed=SEEDS)
def test_the_tags_are_the_likeliest_legal_ones(lengths: list[int], seed: int) -> None:
    logits, bounds = logits_of(lengths, seed)
    tags, log_probs = decode(logits, bounds).tag_ids.tolist(), log_softmax(logits)
    for start, end in pairwise(bounds):
        assert tags[start:end] == best_path(log_probs[start:end])


@settings(max_examples=50, deadline=None)
@given(lengths=st.lists(st.integers(1, 5), min_size=1, max_size=6), seed=SEEDS)
def test_where_each_words_best_tag_is_legal_the_search_finds_just_these(
    lengths: list[int], seed: int
) -> None:
    logits, bounds = logits_of(lengths, seed)
    log_probs = log_softmax(logits)
    best = log_probs.argmax(axis=1)
    illegal = set(illegal_texts(best, bounds).tolist())
    paths = search(log_probs, bounds[:-1], bounds[1:])
    for text, path in enumerate(paths):
        words = best[bounds[text] : bounds[text + 1]].tolist()
        assert is_legal(tuple(words)) == (text not in illegal)
        assert (path == words) == (text not in illegal)


@settings(max_examples=50, deadline=None)
@given(lengths=LENGTHS, seed=SEEDS)
def test_a_text_is_decoded_the_same_in_every_company(lengths: list[int], seed: int) -> None:
    logits, bounds = logits_of(lengths, seed)
    together = decode(logits, bounds)
    for text, (start, end) in enumerate(pairwise(bounds)):
        alone = decode(logits[start:end], np.array([0, end - start]))
        assert alone.tag_ids.tolist() == together.tag_ids[start:end].tolist()
        assert alone.confidences.tolist() == together.confidences[start:end].tolist()
        assert alone.scores.tolist() == [together.scores[text]]


@settings(max_examples=50, deadline=None)
@given(lengths=LENGTHS, seed=SEEDS)
def test_spans_are_those_of_the_bio_rules(lengths: list[int], seed: int) -> None:
    logits, bounds = logits_of(lengths, seed)
    decoded = decode(logits, bounds)
    expected = [
        (
            int(start) + first,
            int(start) + last,
            label,
            decoded.confidences[start:][first:last].min(),
        )
        for start, end in pairwise(bounds)
        for first, last, label in decode_bio(decoded.tag_ids[start:end], TAGS)
    ]
    found = spans(decoded)
    labels = [("PER", "LOC")[label] for label in found.label_ids.tolist()]
    firsts, ends = found.first_words.tolist(), found.end_words.tolist()
    assert list(zip(firsts, ends, labels, found.confidences, strict=True)) == expected


def test_a_score_is_the_probability_of_the_worst_words_tag() -> None:
    probabilities = np.array([[0.7, 0.1, 0.1, 0.05, 0.05], [0.1, 0.6, 0.1, 0.1, 0.1]])
    decoded = decode(np.log(probabilities).astype(np.float32), np.array([0, 2]))
    assert decoded.tag_ids.tolist() == [0, 1]
    assert decoded.confidences == pytest.approx([0.7, 0.6])
    assert decoded.scores == pytest.approx([0.6])


def test_a_tag_that_the_rules_force_keeps_its_own_low_probability() -> None:
    probabilities = np.array([[0.3, 0.2, 0.4, 0.05, 0.05]])  # I-PER cannot come first
    decoded = decode(np.log(probabilities).astype(np.float32), np.array([0, 1]))
    assert decoded.tag_ids.tolist() == [0]
    assert decoded.scores == pytest.approx([0.3])


def test_texts_without_words_score_one() -> None:
    decoded = decode(np.zeros((0, 5), dtype=np.float32), np.array([0, 0, 0]))
    assert decoded.scores.tolist() == [1.0, 1.0]
    assert spans(decoded).first_words.tolist() == []


def test_a_word_counts_for_the_label_of_its_tag_or_for_the_likeliest_of_an_o() -> None:
    far, near = -9.0, 0.0
    logits = np.array(
        [[far, 1, far, near, far], [1, far, far, far, near]], dtype=np.float32
    )  # B-PER rather than B-LOC; O rather than I-LOC
    found = decode(logits, np.array([0, 1, 2]))
    per, loc = found.label_scores.T.tolist()
    assert per == [found.scores[0], np.inf]
    assert loc == [np.inf, found.scores[1]]


@settings(max_examples=50, deadline=None)
@given(lengths=LENGTHS, seed=SEEDS)
def test_the_least_sure_label_is_as_sure_as_the_text(lengths: list[int], seed: int) -> None:
    found = decode(*logits_of(lengths, seed))
    assert np.minimum(found.label_scores, 1).min(axis=1).tolist() == found.scores.tolist()


def test_an_entity_ends_with_its_text() -> None:
    tags = np.array([1, 2, 1, 2])
    decoded = Decoded(
        tags,
        np.ones(4, dtype=np.float32),
        np.ones(2),
        np.ones((2, 2)),
        np.zeros((4, 5), dtype=np.float32),
    )
    assert spans(decoded).end_words.tolist() == [2, 4]


def test_probabilities_never_exceed_one_whatever_the_logits() -> None:
    logits = np.array(
        [[1e30, -1e30, 0, 0, 0], [-1e30] * 5, [5e3, 4.9e3, 0, 0, 0]], dtype=np.float32
    )
    decoded = decode(logits, np.array([0, 3]))
    assert (decoded.confidences <= 1).all()
    assert (decoded.confidences > 0).all()
