from __future__ import annotations

import pytest

from schemas.settings import KafkaSettings
from stream.kafka.room import Room
from stream.kafka.topics import TopicSpec, create_topics, partition_counts
from stream.testing.apache_kafka import ApacheKafka
from stream.testing.place import PARTITIONS, make_place


@pytest.mark.kafka
async def test_outputs_get_what_the_text_topic_has_and_no_more(apache_kafka: ApacheKafka) -> None:
    place = await make_place(apache_kafka, "exactly_once")
    kafka, narrow = place.kafka, f"{place.out}.narrow"
    await create_topics(kafka, [TopicSpec(narrow, 1, 1)])
    room = Room(kafka, [place.out, narrow])
    assert not await room.find(PARTITIONS, sure=0)
    assert not await room.find(2**31 - 1, sure=1)
    assert not await room.find(-1, sure=0)
    both = [place.out, narrow]
    assert await partition_counts(kafka, both) == dict.fromkeys(both, PARTITIONS)
    assert await room.find(PARTITIONS - 1, sure=0)
    assert await room.find(PARTITIONS, sure=PARTITIONS)
    await room.make(PARTITIONS + 1)
    assert await partition_counts(kafka, both) == dict.fromkeys(both, PARTITIONS + 2)


async def test_without_outputs_there_is_always_room_and_nobody_is_asked() -> None:
    room = Room(KafkaSettings(bootstrap_servers="127.0.0.1:1"), [])
    await room.make(7)
    assert await room.find(7, sure=0)
