from __future__ import annotations

import hashlib

import pytest

from schemas.types import text_digest
from schemas.wire.record_ids import (
    Place,
    label_key,
    label_keys,
    place_of,
    record_id,
    silver_key,
    text_of_key,
)
from stream.testing.messages import a_label


def test_a_record_id_names_topic_partition_and_offset() -> None:
    assert record_id("news", 3, 41) == "news-3-41"


@pytest.mark.parametrize("topic", ["news", "a-b", "t-1-2", "x.y_z"])
def test_an_id_names_its_place_whatever_the_topic_is_called(topic: str) -> None:
    assert place_of(record_id(topic, 3, 41)) == Place(topic, 3, 41)


@pytest.mark.parametrize(
    "told", ["", "news", "news-3", "-3-41", "news-3-x", "news--3-41x", "n-3-²"]
)
def test_what_is_no_id_names_no_place(told: str) -> None:
    assert place_of(told) is None


def test_the_keys_of_a_text_are_told_by_its_digest_alone() -> None:
    labels = [a_label(task="t", text="é", source=source) for source in ("human", "teacher")]
    assert label_keys("t", text_digest("é")) == tuple(map(label_key, labels))


def test_a_silver_key_tells_tasks_and_exact_texts_apart() -> None:
    digest = hashlib.sha256("é".encode()).hexdigest()
    assert silver_key("t", "é") == f"t:{digest}".encode()
    keys = {silver_key("t", "é"), silver_key("t", "e\u0301"), silver_key("u", "é")}
    assert len(keys) == 3


def test_a_persons_label_lies_under_the_texts_key_and_the_teachers_beside_it() -> None:
    person, teacher, cold = (
        a_label(task="t", text="é", source=one) for one in ("human", "teacher", "bootstrap")
    )
    assert label_key(person) == silver_key("t", "é")
    assert label_key(teacher) == label_key(cold) == silver_key("t", "é") + b":teacher"
    assert text_of_key(label_key(teacher)) == text_of_key(label_key(person)) == label_key(person)
