from __future__ import annotations

import hashlib

from schemas.settings import KafkaSettings
from schemas.wire.topics import TopicNames, record_id, silver_key


def test_all_topics_but_the_input_carry_the_prefix() -> None:
    names = TopicNames.of(KafkaSettings(topic_prefix="app.", text_topic="news"))
    assert names.text == "news"
    outputs = [
        names.entities,
        names.teacher_requests,
        names.silver_labels,
        names.promotions,
        names.dead_letters,
    ]
    assert outputs == [
        "app.entities",
        "app.teacher-requests",
        "app.silver-labels",
        "app.promotions",
        "app.dead-letters",
    ]


def test_a_record_id_names_topic_partition_and_offset() -> None:
    assert record_id("news", 3, 41) == "news-3-41"


def test_a_silver_key_tells_tasks_and_exact_texts_apart() -> None:
    digest = hashlib.sha256("é".encode()).hexdigest()
    assert silver_key("t", "é") == f"t:{digest}".encode()
    keys = {silver_key("t", "é"), silver_key("t", "e\u0301"), silver_key("u", "é")}
    assert len(keys) == 3
