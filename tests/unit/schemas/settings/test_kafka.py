from __future__ import annotations

import pytest

from schemas.errors import ConfigError
from schemas.settings import OUR_TOPICS, Settings, load_settings
from schemas.wire.topics import TopicNames
from stream.kafka.topics import specs


@pytest.mark.parametrize(
    ("prefix", "text"),
    [
        ("silverstream.", "silverstream.entities"),
        ("silverstream.", "silverstream_dead-letters"),
        ("", "promotions"),
        ("a_b.", "a.b_silver-labels"),
    ],
)
def test_one_topic_under_two_names_is_refused(prefix: str, text: str) -> None:
    with pytest.raises(ConfigError, match=r"kafka: .*one of our own topics"):
        load_settings(kafka={"topic_prefix": prefix, "text_topic": text})


def test_our_topics_are_those_of_the_wire() -> None:
    names = TopicNames("p.", "text")
    topics = {topic.name for topic in specs(names, Settings().topics)}
    assert topics == {"text", *(f"p.{name}" for name in OUR_TOPICS)}


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "x" * 250])
def test_what_is_no_topic_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="kafka"):
        load_settings(kafka={"text_topic": name})


@pytest.mark.parametrize("name", ["session_timeout_ms", "transaction_timeout_ms"])
@pytest.mark.parametrize("value", [0, -1, 2**31])
def test_a_timeout_that_kafka_cannot_say_is_refused(name: str, value: int) -> None:
    with pytest.raises(ConfigError, match=name):
        load_settings(kafka={name: value})
