"""What answers to do with entities says `test_answers.py`; here is what else differs by kind."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.types import Entity
from stream.teacher.kinds.kind import ENTITIES
from stream.teacher.kinds.said import Said

TEXT = "Ada met Bob in Oslo, and Bob of Oslo University left OSLO"
LABELS = ("PER", "LOC", "ORG")


def test_a_remembered_answer_is_read_back() -> None:
    spans = ((0, 3, "PER"), (15, 19, "LOC"))
    entities = (Entity(0, 3, "PER", "Ada"), Entity(15, 19, "LOC", "Oslo"))
    said = ENTITIES.ground_again(spans, text=TEXT, labels=LABELS)
    assert said == Said(entities)


@pytest.mark.parametrize(
    "spans",
    [
        [(0, 3, "DRUG")],
        [(0, 3000, "PER")],
        [(-3, 3, "PER")],
        [(3, 3, "PER")],
        [(0, 3, "PER"), (2, 7, "LOC")],
        [(15, 19, "LOC"), (0, 3, "PER")],
        [(0.5, 3, "PER")],
        [("0", "3", "PER")],
        [(0, 3, ["PER"])],
        [(0, None, None)],
    ],
)
def test_a_remembered_answer_that_could_not_be_given_today_is_none(spans: Any) -> None:
    assert ENTITIES.ground_again(spans, text=TEXT, labels=LABELS) is None


def test_a_category_is_no_entity() -> None:
    assert ENTITIES.ground_again([(0, 0, "PER")], text=TEXT, labels=LABELS) is None


def test_longer_texts_have_longer_answers() -> None:
    assert ENTITIES.expected_tokens_out(TEXT * 9) > ENTITIES.expected_tokens_out(TEXT) > 40
