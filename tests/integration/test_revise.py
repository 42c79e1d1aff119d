"""`silverstream revise`: what a person who runs it sees, and what consumers read afterwards."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.types import Entity, EntityEvent, SilverLabel
from schemas.wire.record_ids import label_key
from stream.kafka.local.embedded import EmbeddedBroker
from stream.kafka.topic_logs import append
from stream.testing.apache_kafka import ApacheKafka
from stream.testing.messages import a_label

ADA = Entity(0, 3, "PER", "Ada")
RANGE = ("--from", "2020-01-01", "--to", "2100-01-01T00:00:00Z", "--max-records", "1000")


def upserted(events: list[EntityEvent]) -> dict[str, EntityEvent]:
    """What a consumer holds: the higher revision wins, then the later offset."""
    held: dict[str, EntityEvent] = {}
    for event in events:
        known = held.get(event.record_id)
        if known is None or event.revision >= known.revision:
            held[event.record_id] = event
    return held


def labels_of(events: list[EntityEvent]) -> list[list[str]]:
    held = upserted(events).values()
    return sorted([entity.label for entity in event.entities] for event in held)


async def revised(system: Any, *arguments: str) -> dict[str, Any]:
    """Run the command; give what it told."""
    out = system.folder / "revised.json"
    process = system.start("revise", *RANGE, *arguments, "--json", str(out))
    assert await process.ended() == 0, process.output
    told: dict[str, Any] = json.loads(out.read_text())
    return told


async def tagged_by_the_first_student(system: Any) -> None:
    await system.create_topics()
    await system.promote("v1", words={"ada": "B-LOC", "oslo": "B-LOC"})
    worker = system.start("run", "tag")
    await system.produce([b"Ada", b"Oslo", b"Ada", b"Bo", b"\xff", None])
    await system.until_events(4)
    assert await worker.stop() == 0


async def tell_the_story(system: Any, folder: Path) -> None:
    await tagged_by_the_first_student(system)
    await system.promote("v2", words={"ada": "B-PER", "oslo": "B-LOC"})

    dry = await revised(system, "--dry-run")
    assert (dry["read"], dry["changed"], dry["published"]) == (6, 2, 0)
    assert len(await system.events()) == 4

    told = await revised(system)
    assert (told["read"], told["changed"], told["published"]) == (6, 2, 2)
    assert told["kept"] == {"same": 2, "unreadable": 1, "delete": 1}
    assert labels_of(await system.events()) == [[], ["LOC"], ["PER"], ["PER"]]

    # People: one by a label that stands, one by a file, in a format of an annotation tool.
    await system.codec.prepare({system.names.silver_labels: SilverLabel})
    await append_label(system, a_person(system))
    file = folder / "people.jsonl"
    file.write_text(json.dumps({"text": "Oslo", "label": []}) + "\n")
    told = await revised(system, "--labels", str(file), "--format", "doccano")
    assert told["changed_by"] == {"person": 2}
    assert labels_of(await system.events()) == [[], ["PER"], ["PER"], ["PER"]]
    last = [event for event in await system.events() if event.decided_by == "person"]
    assert {event.reason for event in last} == {"revised"}
    assert {event.revision for event in last} == {3}

    await system.promote("v3", words={})
    told = await revised(system)
    assert told["kept"] == {"same": 1, "person": 1, "unreadable": 1, "delete": 1}
    assert labels_of(await system.events()) == [[], [], [], ["PER"]]

    # The teacher was asked about a text that a student had settled.
    await append_label(
        system, replace(a_person(system), text="Ada", entities=(ADA,), source="judging")
    )
    told = await revised(system, "--answers")
    assert told["changed_by"] == {"teacher": 2}
    assert labels_of(await system.events()) == [[], ["PER"], ["PER"], ["PER"]]


async def append_label(system: Any, label: SilverLabel) -> None:
    topic = system.names.silver_labels
    value = system.codec.encode(label, topic)
    await append(system.settings.kafka, topic, key=label_key(label), value=value)


def a_person(system: Any) -> SilverLabel:
    """A person found a name that no student did."""
    found = (Entity(0, 2, "PER", "Bo"),)
    digest = system.history[0].task_digest
    label: SilverLabel = a_label(text="Bo", entities=found, source="human", task_digest=digest)
    return label


async def test_a_later_student_and_people_correct_what_was_published(
    make_system: Any, embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    await tell_the_story(make_system(embedded_broker.bootstrap_servers), tmp_path)


@pytest.mark.kafka
async def test_a_later_student_and_people_correct_what_was_published_exactly_once(
    make_system: Any, apache_kafka: ApacheKafka, tmp_path: Path
) -> None:
    system = make_system(apache_kafka.bootstrap_servers, kafka={"delivery": "exactly_once"})
    await tell_the_story(system, tmp_path)


async def test_without_a_student_it_says_how_to_get_one(
    make_system: Any, embedded_broker: EmbeddedBroker
) -> None:
    system = make_system(embedded_broker.bootstrap_servers)
    await system.create_topics()
    process = system.start("revise", *RANGE)
    assert await process.ended() == 2
    assert "has no student yet" in process.output.strip().splitlines()[-1]
