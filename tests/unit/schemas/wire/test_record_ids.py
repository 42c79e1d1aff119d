from __future__ import annotations

import hashlib

from schemas.wire.record_ids import label_key, record_id, silver_key, text_of_key
from stream.testing.messages import a_label


def test_a_record_id_names_topic_partition_and_offset() -> None:
    assert record_id("news", 3, 41) == "news-3-41"


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
