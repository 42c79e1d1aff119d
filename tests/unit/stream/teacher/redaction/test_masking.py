"""Placeholders, and the way back."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import InvalidAnswerError, RedactionError
from schemas.types import Entity
from stream.teacher.redaction.masking import Masked, mask
from stream.teacher.redaction.patterns import Found


def shouting(text: str) -> Sequence[Found]:
    """Capitals are phones: enough to try everything by hand."""
    return [(*x.span(), "phone") for x in re.finditer(r"[A-Z]+(?!\w*_)", text)]


def entity(text: str, surface: str, label: str = "X") -> Entity:
    start = text.index(surface)
    return Entity(start, start + len(surface), label, surface)


def test_the_same_words_get_the_same_placeholder() -> None:
    assert mask("AB, c, D, AB", shouting).text == "[PHONE_1], c, [PHONE_2], [PHONE_1]"


def test_labels_land_on_the_original_text() -> None:
    masked = mask("call AB or Bo in Oslo".replace("Bo", "bo").replace("Oslo", "oslo"), shouting)
    said = [entity(masked.text, "[PHONE_1]"), entity(masked.text, "oslo")]
    assert [x.surface for x in masked.restored(said)] == ["AB", "oslo"]


def test_a_span_that_touches_a_placeholder_becomes_the_whole_original() -> None:
    masked = mask("call ABC now", shouting)
    assert [x.surface for x in masked.restored([entity(masked.text, "ONE_1] now")])] == ["ABC now"]
    assert [x.surface for x in masked.masked([entity(masked.original, "l AB")])] == ["l [PHONE_1]"]


def test_two_labels_within_one_placeholder_are_no_answer() -> None:
    masked = mask("ABC", shouting)
    said = [entity(masked.text, "PHONE"), entity(masked.text, "1", "Y")]
    with pytest.raises(InvalidAnswerError):
        masked.restored(said)
    assert len(masked.restored([entity(masked.text, "PHONE"), entity(masked.text, "1")])) == 1


def test_facts_of_a_whole_text_stay_as_they_are() -> None:
    assert mask("AB c", shouting).masked_facts([(0, 0, "glad"), (3, 4, "X")]) == {
        (0, 0, "glad"),
        (10, 11, "X"),
    }


def test_what_is_written_oddly_is_searched_as_it_looks() -> None:
    def digits(text: str) -> Sequence[Found]:
        return [(*x.span(), "card") for x in re.finditer(r"\d{4}-\d{4}", text)]

    masked = mask("my 41\u200b11\u2013\uff11\uff11\u0661\u0661, thanks", digits)
    assert masked.text == "my [CARD_1], thanks"


def test_a_text_that_is_never_clean_is_not_given_out() -> None:
    with pytest.raises(RedactionError):
        mask("a b", lambda text: [(0, 1, "id")] if text[:1] == "[" else [(0, 1, "phone")])


@given(st.text("abAB é😀", max_size=40), st.data())
def test_every_span_beside_placeholders_comes_back(text: str, data: st.DataObject) -> None:
    masked: Masked = mask(text, shouting)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    if start == end:
        return
    (moved,) = masked.masked([Entity(start, end, "X", text[start:end])])
    assert masked.text[moved.start : moved.end] == moved.surface
    (back,) = masked.restored([moved])
    assert back.start <= start
    assert back.end >= end
    if not any(a < end and start < b for (a, b), _ in masked.pieces):
        assert (back.start, back.end) == (start, end)
