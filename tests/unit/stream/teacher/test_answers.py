from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.bio import validate_entities
from schemas.errors import InvalidAnswerError, RefusedError
from schemas.files.corpus import read_corpus
from schemas.types import Entity
from stream.teacher.answers import MAX_CONTENT_CHARS, parse_answer, sound_unicode
from stream.teacher.kinds.entities import MAX_ENTITIES
from stream.teacher.kinds.kind import ENTITIES
from stream.teacher.prompt import render_answer
from stream.teacher.prompt_parts import answer_code, text_code

TEXT = "Ada met Bob in Oslo, and Bob of Oslo University left OSLO"
LABELS = ("PER", "LOC", "ORG")


def mention(text: Any, label: Any = "LOC", occurrence: Any = 1, **more: Any) -> dict[str, Any]:
    return {"text": text, "label": label, "occurrence": occurrence, **more}


def answer(*entities: Any, text: str = TEXT) -> str:
    written = json.dumps({"id": answer_code(text), "entities": list(entities)})
    # Python would write no JSON; a number this large parses to an infinity.
    return written.replace("Infinity", "1e309")


def parsed(
    content: str | None, *, text: str = TEXT, finish_reason: str | None = "stop"
) -> list[tuple[int, int, str]]:
    entities = read(content, text=text, finish_reason=finish_reason)
    validate_entities(text, entities)
    return [(x.start, x.end, x.label) for x in entities]


def read(
    content: str | None,
    *,
    text: str = TEXT,
    labels: Sequence[str] = LABELS,
    finish_reason: str | None = "stop",
) -> tuple[Entity, ...]:
    said = parse_answer(
        content, finish_reason=finish_reason, text=text, labels=labels, kind=ENTITIES
    )
    assert said.categories == ()
    return said.entities


def refuse(content: str | None, *, text: str = TEXT, finish_reason: str | None = "stop") -> str:
    with pytest.raises(InvalidAnswerError) as caught:
        parsed(content, text=text, finish_reason=finish_reason)
    return str(caught.value)


def test_mentions_become_spans_in_the_order_of_the_text() -> None:
    content = answer(mention("Oslo"), mention("Bob", "PER", 2), mention("Ada", "PER"))
    assert parsed(content) == [(0, 3, "PER"), (15, 19, "LOC"), (25, 28, "PER")]


def test_no_entities_is_an_answer() -> None:
    assert parsed(answer()) == []


@pytest.mark.parametrize("finish_reason", ["stop", None, "tool_calls"])
def test_other_reasons_to_stop_do_not_matter(finish_reason: str | None) -> None:
    assert parsed(answer(), finish_reason=finish_reason) == []


# What is unmistakable is repaired.


@pytest.mark.parametrize("fence", ["```json\n{}\n```", "```\n{}\n```", "\n```JSON\n{}\n```\n"])
def test_a_code_fence_is_taken_off(fence: str) -> None:
    assert parsed(fence.replace("{}", answer(mention("Ada", "PER")))) == [(0, 3, "PER")]


@pytest.mark.parametrize("occurrence", [0, -1, 9, None, True, False, 1.5, "first", 1e309, [1]])
def test_a_wrong_occurrence_does_not_matter_for_a_surface_in_one_place(occurrence: Any) -> None:
    assert parsed(answer(mention("Ada", "PER", occurrence))) == [(0, 3, "PER")]


def test_a_missing_occurrence_does_not_matter_either() -> None:
    assert parsed(answer({"text": "Ada", "label": "PER"})) == [(0, 3, "PER")]


def test_the_one_whole_word_is_meant_where_others_are_parts_of_words() -> None:
    text = "Also Al"
    assert parsed(answer(mention("Al", "PER", 7), text=text), text=text) == [(5, 7, "PER")]


def test_white_space_around_a_mention_is_taken_off() -> None:
    assert parsed(answer(mention(" Ada\n", "PER"))) == [(0, 3, "PER")]


def test_a_mention_in_other_letter_case_is_found_if_it_stands_in_one_place() -> None:
    assert parsed(answer(mention("ADA", "PER"))) == [(0, 3, "PER")]
    assert "one place" in refuse(answer(mention("oslo")))


@pytest.mark.parametrize("label", ["per", " PER "])
def test_a_label_in_other_letter_case_is_known(label: str) -> None:
    assert parsed(answer(mention("Ada", label))) == [(0, 3, "PER")]


def test_equal_mentions_are_successive_places() -> None:
    content = answer(mention("Bob", "PER"), mention("Ada", "PER"), mention("Bob", "PER"))
    assert parsed(content) == [(0, 3, "PER"), (8, 11, "PER"), (25, 28, "PER")]


def test_of_nested_mentions_the_longest_counts() -> None:
    content = answer(mention("Oslo", "LOC", 2), mention("Oslo University", "ORG"))
    assert parsed(content) == [(32, 47, "ORG")]


@pytest.mark.parametrize("extra", ["NaN-free", 1e309, "0.9", {"a": 1}])
def test_members_that_were_not_asked_for_are_passed_over(extra: Any) -> None:
    content = answer(mention("Ada", "PER", 1, confidence=extra, start=99, end=3))
    assert parsed(content) == [(0, 3, "PER")]


# The rest is refused, whole.


def test_a_content_filter_is_a_refusal() -> None:
    with pytest.raises(RefusedError):
        parsed(None, finish_reason="content_filter")


def test_an_answer_cut_off_is_refused_even_if_it_parses() -> None:
    assert "cut off" in refuse(answer(), finish_reason="length")


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "Sure! " + answer()[:-5],
        answer()[:-5],
        "<html>busy</html>",
        "[" * 100_000,
        '{"id": NaN}',
        "null",
        "[]",
        '"text"',
        "9" * 5000,
        "```json\nnot json\n```",
        "x" * (MAX_CONTENT_CHARS + 1),
    ],
)
def test_what_is_no_json_object_is_refused(content: str | None) -> None:
    refuse(content)


def test_repeated_keys_are_refused() -> None:
    code = answer_code(TEXT)
    refuse(f'{{"id": "{code}", "entities": [], "entities": []}}')
    refuse(answer().replace("[]", '[{"text": "Ada", "text": "Bob", "label": "PER"}]'))


def test_a_confidence_of_nan_is_no_json() -> None:
    refuse(answer(mention("Ada", "PER", 1, confidence=float("nan"))))


@pytest.mark.parametrize("digits", [8, 9, 15, 16])
def test_more_of_the_code_than_was_asked_for_is_the_code_still(digits: int) -> None:
    short = answer(mention("Ada", "PER", 1))
    long = short.replace(answer_code(TEXT), text_code(TEXT)[:digits])
    assert parsed(long) == parsed(short + long) == parsed(short)


@pytest.mark.parametrize(
    "identity",
    [
        answer_code("another text"),
        text_code(TEXT)[:7],
        answer_code(TEXT) + "x",
        text_code(TEXT) + "0",
        None,
        7,
        "",
    ],
)
def test_the_answer_to_another_request_is_refused(identity: Any) -> None:
    message = refuse(json.dumps({"id": identity, "entities": []}))
    assert "another text" in message


def test_an_answer_without_a_code_is_refused() -> None:
    refuse('{"entities": []}')


@pytest.mark.parametrize("entities", [None, {}, "Ada", 3])
def test_entities_must_be_a_list(entities: Any) -> None:
    refuse(json.dumps({"id": answer_code(TEXT), "entities": entities}))


@pytest.mark.parametrize("entity", [None, "Ada", 3, [], ["Ada", "PER", 1]])
def test_an_entity_must_be_an_object(entity: Any) -> None:
    refuse(answer(entity))


@pytest.mark.parametrize("text", [None, "", "  ", 3, ["Ada"], "Eve", "Ada met Eve", "\ud800"])
def test_a_mention_must_stand_in_the_text(text: Any) -> None:
    refuse(answer(mention(text, "PER")))


@pytest.mark.parametrize("label", [None, "", "PERSON", 3, ["PER"], {"PER": 1}])
def test_a_label_must_be_one_of_the_task(label: Any) -> None:
    assert "label" in refuse(answer(mention("Ada", label)))


def test_a_label_that_two_could_be_is_unknown() -> None:
    with pytest.raises(InvalidAnswerError, match="label"):
        read(answer(mention("Ada", "Per")), labels=("PER", "per"))


@pytest.mark.parametrize("occurrence", [3, -1, True, None, "second", 1.5, 10**30])
def test_a_wrong_occurrence_of_a_surface_in_several_places_is_refused(occurrence: Any) -> None:
    assert "occurrence" in refuse(answer(mention("Bob", "PER", occurrence)))


def test_other_letter_case_is_not_tried_for_a_surface_that_stands_in_the_text() -> None:
    text = "metal royal AL"
    assert "occurrence" in refuse(answer(mention("al", "PER", 9), text=text), text=text)


def test_one_mention_listed_twice_is_refused_and_not_thinned() -> None:
    assert "more often" in refuse(answer(mention("Ada", "PER"), mention("Ada", "PER")))
    assert "twice" in refuse(answer(mention("Ada", "PER"), mention("ada", "PER")))


def test_overlapping_mentions_are_refused() -> None:
    assert "overlap" in refuse(answer(mention("Ada met", "PER"), mention("met Bob", "PER")))


def test_two_labels_for_one_mention_are_refused() -> None:
    assert "two labels" in refuse(answer(mention("Ada", "PER"), mention("Ada", "ORG")))


def test_one_wrong_mention_refuses_the_answer_whole() -> None:
    refuse(answer(mention("Ada", "PER"), mention("Eve", "PER")))


def test_more_entities_than_any_text_has_are_refused() -> None:
    text = "Ada " * (MAX_ENTITIES + 1)
    most = answer(*[mention("Ada", "PER")] * MAX_ENTITIES, text=text)
    assert len(parsed(most, text=text)) == MAX_ENTITIES
    refuse(answer(*[mention("Ada", "PER")] * (MAX_ENTITIES + 1), text=text), text=text)
    refuse(answer(*[mention("Ada", "PER")] * 100_000, text=text), text=text)


def test_a_message_never_quotes_the_text_or_the_answer() -> None:
    text = "my card is CANARY-4111"
    for content in (
        answer(mention("CANARY-9", "PER"), text=text),
        answer(mention("CANARY-4111", "CANARY"), text=text),
        "CANARY " + answer(text=text)[1:],
    ):
        assert "CANARY" not in refuse(content, text=text)


# Any labelling can be said, and nothing said breaks the parser.


@st.composite
def labelled_texts(draw: st.DrawFn) -> tuple[str, tuple[Entity, ...]]:
    text = draw(st.text(alphabet="ab \n'é\u0301\U0001f600", min_size=1, max_size=40))
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    spans = zip(cuts[::2], cuts[1::2], strict=False)
    return text, tuple(
        Entity(a, b, draw(st.sampled_from(LABELS)), text[a:b])
        for a, b in spans
        if text[a:b] == text[a:b].strip()
    )


@settings(max_examples=150)
@given(labelled_texts())
def test_a_rendered_answer_parses_to_the_same_entities(
    labelled: tuple[str, tuple[Entity, ...]],
) -> None:
    text, entities = labelled
    content = render_answer(text, entities)
    assert read(content, text=text) == entities


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["Bob", "PER", ""]),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["text", "label"]), inner),
    max_leaves=8,
)


@settings(max_examples=150)
@given(st.lists(_json | st.builds(mention, _json, _json, _json), max_size=4))
def test_any_answer_gives_valid_entities_or_one_error(entities: list[Any]) -> None:
    try:
        parsed(answer(*entities))
    except InvalidAnswerError:
        return


@pytest.mark.data
@pytest.mark.parametrize("corpus", ["btc/by_date_gold.jsonl", "uner_ewt/dev.jsonl"])
def test_the_gold_of_a_corpus_can_be_said(data_dir: Path, corpus: str) -> None:
    for example in read_corpus(data_dir / corpus):
        labels = tuple({x.label for x in example.entities})
        content = render_answer(example.text, example.entities)
        assert read(content, text=example.text, labels=labels) == example.entities, example.id


def test_half_a_character_is_no_answer() -> None:
    assert sound_unicode({"texts": ["\U0001f600"]}) == {"texts": ["\U0001f600"]}
    with pytest.raises(InvalidAnswerError, match="half a character"):
        sound_unicode({"texts": ["cut \ud83d"]})
