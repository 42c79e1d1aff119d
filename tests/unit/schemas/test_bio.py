from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.bio import (
    allowed_start,
    allowed_transitions,
    decode_bio,
    encode_bio,
    entities_from_bio,
    tag_names,
    validate_entities,
)
from schemas.errors import ConfigError
from schemas.types import Entity

LABELS = ("PER", "LOC", "org-x")
TAGS = tag_names(LABELS)

tag_sequences = st.lists(st.integers(0, len(TAGS) - 1), max_size=12)


@st.composite
def tagged_texts(draw: st.DrawFn) -> tuple[str, list[int], list[int], tuple[Entity, ...]]:
    """A text, the offsets of its words, and entities that are runs of whole words."""
    words = draw(st.lists(st.text("aé\U0001f600ヿ", min_size=1, max_size=3), max_size=10))
    text = " ".join(words)
    ends = [sum(map(len, words[: i + 1])) + i for i in range(len(words))]
    starts = [end - len(word) for end, word in zip(ends, words, strict=True)]
    entities = []
    first = 0
    while first < len(words):
        last = first + draw(st.integers(1, 3))
        if last <= len(words) and draw(st.booleans()):
            start, end = starts[first], ends[last - 1]
            label = draw(st.sampled_from(LABELS))
            entities.append(Entity(start, end, label, text[start:end]))
        first = last
    return text, starts, ends, tuple(entities)


def _entity(start: int, end: int, label: str = "PER") -> Entity:
    return Entity(start, end, label, "x" * (end - start))


def test_tags_follow_the_order_of_the_labels() -> None:
    assert tag_names(["B", "A"]) == ("O", "B-B", "I-B", "B-A", "I-A")


@given(tagged_texts())
def test_entities_of_whole_words_survive_bio(
    tagged: tuple[str, list[int], list[int], tuple[Entity, ...]],
) -> None:
    text, starts, ends, entities = tagged
    ids = encode_bio(starts, ends, entities, TAGS)
    validate_entities(text, entities)
    assert entities_from_bio(text, starts, ends, ids, TAGS, [1.0] * len(ids)) == entities
    assert encode_bio(np.array(starts, int), np.array(ends, int), entities, TAGS) == ids


@given(tag_sequences)
def test_every_sequence_decodes_to_sorted_spans_that_encode_back_to_it(ids: list[int]) -> None:
    spans = decode_bio(ids, TAGS)
    assert spans == decode_bio(np.array(ids, dtype=np.int64), TAGS)
    covered = [word for first, last, _ in spans for word in range(first, last)]
    assert covered == [word for word, tag in enumerate(ids) if tag]
    for first, last, label in spans:
        assert {TAGS[tag][2:] for tag in ids[first:last]} == {label}
        assert all(TAGS[tag].startswith("I-") for tag in ids[first + 1 : last])


def test_an_inside_tag_that_continues_nothing_starts_an_entity() -> None:
    ids = [TAGS.index(tag) for tag in ("I-PER", "I-LOC", "O", "I-LOC", "B-LOC", "I-LOC")]
    assert decode_bio(ids, TAGS) == [(0, 1, "PER"), (1, 2, "LOC"), (3, 4, "LOC"), (4, 6, "LOC")]


def test_an_entity_is_widened_to_the_words_it_touches() -> None:
    assert encode_bio([0, 4, 8], [3, 7, 11], [_entity(2, 5)], TAGS) == [1, 2, 0]


def test_an_entity_between_words_is_left_out() -> None:
    assert encode_bio([0, 5], [3, 8], [_entity(3, 5)], TAGS) == [0, 0]


def test_the_earlier_of_two_entities_in_one_word_wins() -> None:
    entities = [_entity(2, 7, "LOC"), _entity(0, 1)]
    assert encode_bio([0, 4], [3, 7], entities, TAGS) == [1, 0]


def test_the_longer_of_two_entities_that_start_together_wins() -> None:
    entities = [_entity(0, 3), _entity(0, 7, "LOC")]
    assert encode_bio([0, 4], [3, 7], entities, TAGS) == [3, 4]


def test_a_label_without_a_tag_is_refused() -> None:
    with pytest.raises(ConfigError, match="GPE"):
        encode_bio([0], [3], [_entity(0, 3, "GPE")], TAGS)


def test_the_confidence_of_an_entity_is_that_of_its_worst_word() -> None:
    confidences = np.array([0.9, 0.5, 0.1], dtype=np.float32)
    (entity,) = entities_from_bio("ab cd ef", [0, 3, 6], [2, 5, 8], [1, 2, 0], TAGS, confidences)
    assert entity == Entity(0, 5, "PER", "ab cd", 0.5)
    assert type(entity.confidence) is float
    assert type(entity.start) is int


@given(tag_sequences)
def test_what_the_transitions_allow_is_what_strict_bio_allows(ids: list[int]) -> None:
    start, transitions = allowed_start(TAGS), allowed_transitions(TAGS)
    allowed = not ids or bool(start[ids[0]] and transitions[ids[:-1], ids[1:]].all())
    strict = [0] * len(ids)
    for first, last, label in decode_bio(ids, TAGS):
        begin = TAGS.index(f"B-{label}")
        strict[first:last] = [begin] + [begin + 1] * (last - first - 1)
    assert allowed == (ids == strict)


@pytest.mark.parametrize(
    ("entities", "words"),
    [
        ([Entity(0, 0, "X", "")], "bounds"),
        ([Entity(-1, 2, "X", "b")], "bounds"),
        ([Entity(2, 1, "X", "")], "bounds"),
        ([Entity(2, 4, "X", "c")], "bounds"),
        ([Entity(0, 2, "X", "ab"), Entity(1, 3, "X", "bc")], "overlaps"),
        ([Entity(1, 2, "X", "b"), Entity(0, 1, "X", "a")], "out of order"),
        ([Entity(0, 2, "X", "aB")], "surface"),
    ],
)
def test_spans_that_are_not_the_texts_are_refused(entities: list[Entity], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        validate_entities("abc", entities)


def test_neighbouring_spans_are_accepted() -> None:
    validate_entities("abc", [Entity(0, 1, "X", "a"), Entity(1, 3, "X", "bc")])
