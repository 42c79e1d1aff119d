from __future__ import annotations

import itertools
from typing import Any

import pytest

from distill.explain.traces import Traces, traced
from schemas.settings import Settings
from schemas.types import EntityEvent, SilverLabel
from schemas.wire.codec import Codec
from schemas.wire.headers import event_headers, request_headers
from schemas.wire.record_ids import label_key
from schemas.wire.topics import TopicNames
from stream.kafka.dead_letters import ORIGIN, PREFIX
from stream.kafka.local.embedded import EmbeddedBroker
from stream.kafka.promotions import append_promotion
from stream.kafka.topic_logs import append
from stream.kafka.topics import create_topics, specs
from stream.testing.messages import TEXT, a_label, a_promotion, a_request, an_event

_numbers = itertools.count()


class Bench:
    """The topics of one task, `test`, with a partition each."""

    def __init__(self, servers: str) -> None:
        name = f"traces{next(_numbers)}"
        self.settings = Settings.model_validate(
            {
                "kafka": {
                    "bootstrap_servers": servers,
                    "topic_prefix": f"{name}.",
                    "text_topic": f"{name}.text",
                },
                "topics": {"partitions": 1},
            }
        )
        self.names, self.codec = TopicNames.of(self.settings.kafka), Codec()

    @property
    def id(self) -> str:
        return f"{self.names.text}-0-0"

    async def write(self, topic: str, value: bytes | None, **how: Any) -> None:
        await append(self.settings.kafka, topic, **{"key": None, "value": value, **how})

    async def event(self, **changes: Any) -> EntityEvent:
        event = an_event(**{"record_id": self.id, **changes})
        value = self.codec.encode(event, self.names.entities)
        await self.write(self.names.entities, value, headers=tuple(event_headers(event)))
        return event

    async def label(self, **changes: Any) -> SilverLabel:
        label = a_label(**changes)
        value = self.codec.encode(label, self.names.silver_labels)
        await self.write(self.names.silver_labels, value, key=label_key(label))
        return label

    async def traced(self, *, most: int = 100) -> Traces:
        return await traced(self.settings, "test", self.id, most=most)


@pytest.fixture
async def bench(embedded_broker: EmbeddedBroker) -> Bench:
    made = Bench(embedded_broker.bootstrap_servers)
    await create_topics(made.settings.kafka, specs(made.names, made.settings.topics))
    return made


async def test_what_belongs_to_a_record_is_found_and_nothing_else(bench: Bench) -> None:
    person = await bench.label(source="human")
    await bench.write(bench.names.text, TEXT.encode())
    first = await bench.event(status="provisional")
    await bench.event(record_id=f"{bench.names.text}-0-1")
    await bench.event(task="another")
    second = await bench.event(revision=2)
    request = a_request(record_id=bench.id)
    topic = bench.names.teacher_requests
    value = bench.codec.encode(request, topic)
    await bench.write(topic, value, headers=tuple(request_headers(request)))
    teacher = await bench.label()
    other = await bench.label(text="another")
    await bench.write(
        bench.names.silver_labels,
        bench.codec.encode(other, bench.names.silver_labels),
        key=label_key(teacher),
    )
    promotion = a_promotion()
    await append_promotion(bench.settings.kafka, bench.names.promotions, bench.codec, promotion)
    found = await bench.traced()
    assert (found.text, found.whereabouts, found.fault) == (TEXT, "there", "")
    assert found.events == (first, second)
    assert found.requests == (request,)
    assert set(found.labels) == {person, teacher}
    assert (found.letters, found.history) == ((), [promotion])
    assert not any(seen.cut for seen in found.looks.values())


async def test_a_label_that_was_forgotten_is_not_there(bench: Bench) -> None:
    await bench.write(bench.names.text, TEXT.encode())
    await bench.event()
    label = await bench.label(teacher_model="old")
    await bench.write(bench.names.silver_labels, None, key=label_key(label))
    assert (await bench.traced()).labels == ()
    newer = await bench.label()
    assert (await bench.traced()).labels == (newer,)


async def test_a_text_that_cannot_be_read_has_a_dead_letter_in_its_place(bench: Bench) -> None:
    await bench.write(bench.names.text, b"\xff")
    headers = (
        (ORIGIN, bench.id.encode()),
        (PREFIX + "stage", b"undecodable"),
        (PREFIX + "exception.message", b"not UTF-8"),
        (PREFIX + "timestamp", b"5"),
    )
    await bench.write(bench.names.dead_letters, b"\xff", headers=headers)
    await bench.write(bench.names.dead_letters, b"x", headers=((ORIGIN, b"other-0-0"),))
    found = await bench.traced()
    assert found.text is None
    assert found.fault.startswith("undecodable")
    assert found.letters == ({"code": "undecodable", "message": "not UTF-8", "at_ms": "5"},)


async def test_a_record_that_the_student_settled_alone_has_no_request_to_be_looked_for(
    bench: Bench,
) -> None:
    await bench.write(bench.names.text, TEXT.encode())
    await bench.event(status="final")
    found = await bench.traced()
    assert not any("teacher-requests" in name for name in found.looks)


async def test_an_event_tells_the_labels_of_a_text_that_is_not_there(bench: Bench) -> None:
    """The text topic has nothing at the offset; the digest is the event's."""
    event, label = await bench.event(), await bench.label()
    found = await bench.traced()
    assert (found.text, found.whereabouts) == (None, "to come")
    assert (found.digest, found.labels) == (event.text_digest, (label,))


async def test_a_look_keeps_to_its_bound(bench: Bench) -> None:
    await bench.write(bench.names.text, TEXT.encode())
    for n in range(3):
        await bench.event(record_id=f"{bench.names.text}-0-{n + 1}")
    await bench.event()
    found = await bench.traced(most=2)
    seen = found.looks[f"{bench.names.entities}-0"]
    assert (found.events, seen.read, seen.cut) == ((), 2, True)
