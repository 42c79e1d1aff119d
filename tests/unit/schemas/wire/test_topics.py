from __future__ import annotations

from schemas.settings import KafkaSettings
from schemas.wire.topics import TopicNames


def test_all_topics_but_the_input_carry_the_prefix() -> None:
    names = TopicNames.of(KafkaSettings(topic_prefix="app.", text_topic="news"))
    assert names.text == "news"
    outputs = [
        names.entities,
        names.teacher_requests,
        names.silver_labels,
        names.promotions,
        names.promises,
        names.teacher_spend,
        names.teacher_answers,
        names.canaries,
        names.dead_letters,
    ]
    assert outputs == [
        "app.entities",
        "app.teacher-requests",
        "app.silver-labels",
        "app.promotions",
        "app.promises",
        "app.teacher-spend",
        "app.teacher-answers",
        "app.canaries",
        "app.dead-letters",
    ]
