"""The loop through the teacher: real workers, a real broker, the simulator over HTTP."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.types import RoutingPolicy, SilverLabel, TeacherRequest
from stream.kafka import clients
from stream.kafka.local.embedded import EmbeddedBroker
from stream.kafka.topics import TopicSpec, widen_topics
from stream.teacher.reliability import Cell, Count, Reliability
from stream.testing.apache_kafka import ApacheKafka
from stream.testing.messages import a_request

ASK_ALL = RoutingPolicy(threshold=1.0, audit_share=0.0, audit_seed=0)
BUDGET = {"budget_share": 1.0}


def _answers(folder: Path, texts: list[str]) -> Path:
    """Label the first word of each text as a person."""
    path = folder / "answers.jsonl"
    lines = [
        json.dumps(
            {
                "id": str(n),
                "text": text,
                "entities": [{"start": 0, "end": len(text.split()[0]), "label": "PER"}],
            }
        )
        for n, text in enumerate(texts)
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


async def _stats(url: str) -> dict[str, int]:
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(url.removesuffix("/v1") + "/stats")
    found: dict[str, int] = answer.json()
    return found


async def test_deferred_records_are_corrected_and_become_labels(
    make_system: Any, embedded_broker: EmbeddedBroker, teacher_sim: Any
) -> None:
    texts = [f"Ada {n} in Oslo" for n in range(20)]
    system = make_system(embedded_broker.bootstrap_servers, routing=BUDGET)
    url = await teacher_sim(_answers(system.folder, texts))
    await system.create_topics()
    await system.promote("v1", policy=ASK_ALL)
    worker = system.start("run", "tag", "teach", env={"SILVERSTREAM_TEACHER__BASE_URL": url})
    await worker.until_ready()
    unknown = "nobody answers this"
    await system.produce([text.encode() for text in [*texts, unknown]])
    await system.until_events(21, revision=2)

    first = {e.record_id: e for e in await system.until_events(21, revision=1)}
    final = {e.record_id: e for e in await system.until_events(21, revision=2)}
    assert first.keys() == final.keys()
    assert all(event.status == "provisional" for event in first.values())
    assert all(event.status == "final" for event in final.values())
    taught = [event for event in final.values() if event.decided_by == "teacher"]
    assert len(taught) == 20
    assert {e.entities[0].surface for e in taught} == {"Ada"}
    (refused,) = [event for event in final.values() if event.decided_by == "student"]
    assert refused.reason == "refused"
    assert refused.entities == first[refused.record_id].entities

    labels = [
        system.codec.decode(SilverLabel, record.value or b"")
        for record in await system.records(system.names.silver_labels)
    ]
    assert sorted(label.text for label in labels) == sorted(texts)
    assert all(label.tokens_in > 0 and label.student_version == "v1" for label in labels)
    for record in await system.records(system.names.entities):
        event_id = dict(record.headers)["ce_id"]
        assert f"-{record.partition}-".encode() in event_id

    assert await worker.metric("silverstream_labels_total") == 20
    assert await worker.metric("silverstream_teacher_calls_total") >= 20
    assert await worker.metric("silverstream_teacher_usd_total") > 0
    assert await worker.stop() == 0


async def test_a_correction_follows_the_student_where_its_promotion_says_that_it_knows_better(
    make_system: Any, embedded_broker: EmbeddedBroker, teacher_sim: Any
) -> None:
    """The teacher never marks places."""
    texts = ["Ada 0 in Oslo", "Ada 1 in Oslo"]
    system = make_system(embedded_broker.bootstrap_servers, routing=BUDGET)
    env = {"SILVERSTREAM_TEACHER__BASE_URL": await teacher_sim(_answers(system.folder, texts))}
    await system.create_topics()
    await system.promote("v1", policy=ASK_ALL)
    worker = system.start("run", "tag", "teach", env=env)
    await system.produce([texts[0].encode()])
    (plain,) = await system.until_events(1, revision=2)
    assert await worker.stop() == 0
    teacher = {"model": plain.teacher_model, "prompt_version": plain.prompt_version}
    proved = Reliability({Cell("added", "LOC", 2): Count(student=9)}, **teacher)
    await system.promote("v2", policy=ASK_ALL, metrics=proved.metrics())
    worker = system.start("run", "tag", "teach", env=env)
    await worker.until_ready(student="v2")
    await system.produce([texts[1].encode()])
    _, merged = await system.until_events(2, revision=2)

    assert (plain.decided_by, [e.surface for e in plain.entities]) == ("teacher", ["Ada"])
    assert (merged.decided_by, [e.surface for e in merged.entities]) == ("both", ["Ada", "Oslo"])
    labels = [
        system.codec.decode(SilverLabel, record.value or b"")
        for record in await system.records(system.names.silver_labels)
    ]
    assert [[e.surface for e in label.entities] for label in labels] == [["Ada"], ["Ada"]]
    assert await worker.stop() == 0


async def test_nobody_is_asked_about_what_is_unsure_in_trusted_labels_alone(
    make_system: Any, embedded_broker: EmbeddedBroker
) -> None:
    system = make_system(embedded_broker.bootstrap_servers, routing=BUDGET)
    await system.create_topics()
    await system.promote("v1", policy=replace(ASK_ALL, trusted=("LOC",)))
    worker = system.start("run", "tag")
    await system.produce([b"Oslo", b"Ada", b"Oslo"])
    events = await system.until_events(3)

    said = sorted((event.entities[0].surface, event.status, event.reason) for event in events)
    oslo = ("Oslo", "final", "trusted")
    assert said == [("Ada", "provisional", "low_confidence"), oslo, oslo]
    assert len(await system.records(system.names.teacher_requests)) == 1
    assert await worker.stop() == 0


async def test_a_worker_started_again_goes_on_where_the_last_one_ended(
    make_system: Any, embedded_broker: EmbeddedBroker, teacher_sim: Any
) -> None:
    texts = [f"Ada {n}" for n in range(12)]
    system = make_system(embedded_broker.bootstrap_servers, routing=BUDGET)
    url = await teacher_sim(_answers(system.folder, texts))
    env = {"SILVERSTREAM_TEACHER__BASE_URL": url}
    await system.create_topics()
    await system.promote("v1", policy=ASK_ALL)
    await _request(system, texts[:6])
    first = system.start("run", "teach", env=env)
    await system.until_events(6, revision=2)
    assert await first.stop() == 0
    await _request(system, texts[6:])
    second = system.start("run", "teach", env=env)
    await system.until_events(12, revision=2)
    assert await second.stop() == 0
    assert len(await system.events()) == 12
    assert (await _stats(url))["requests"] == 12


async def test_the_end_waits_for_answers_that_are_under_way(
    make_system: Any, embedded_broker: EmbeddedBroker, teacher_sim: Any, until: Any
) -> None:
    texts = [f"Ada {n}" for n in range(3)]
    system = make_system(embedded_broker.bootstrap_servers)
    url = await teacher_sim(_answers(system.folder, texts), "--latency", "3")
    env = {"SILVERSTREAM_TEACHER__BASE_URL": url}
    await system.create_topics()
    await _request(system, texts)
    worker = system.start("run", "teach", env=env)

    async def asked() -> bool:
        return (await _stats(url)).get("requests") == 3

    await until(asked, "three questions", logs=lambda: worker.output)
    assert await worker.stop() == 0
    assert {event.decided_by for event in await system.events()} == {"teacher"}
    assert len(await system.events()) == 3
    later = system.start("run", "teach", env=env)
    await later.until_ready()
    await _request(system, ["nobody knows this"])
    await system.until_events(4, revision=2)
    assert len(await system.events()) == 4
    assert await later.stop() == 0


async def test_a_teacher_whose_brokers_are_gone_is_not_ready_and_lives(
    make_system: Any, until: Any
) -> None:
    with EmbeddedBroker() as broker:
        system = make_system(broker.bootstrap_servers)
        await system.create_topics()
        worker = system.start("run", "teach")
        await worker.until_ready()

    async def unready() -> bool:
        return bool(await worker.status("/ready") == 503)

    await until(unready, "unready", logs=lambda: worker.output)
    assert await worker.status("/live") == 200


@pytest.mark.kafka
async def test_no_correction_is_lost_when_workers_come_and_are_killed(
    make_system: Any, apache_kafka: ApacheKafka, teacher_sim: Any, until: Any
) -> None:
    texts = [f"Ada {n}" for n in range(200)]
    system = make_system(
        apache_kafka.bootstrap_servers, topics={"partitions": 4}, teacher={"concurrency": 2}
    )
    url = await teacher_sim(_answers(system.folder, texts), "--latency", "0.3")
    env = {"SILVERSTREAM_TEACHER__BASE_URL": url}
    await system.create_topics()
    first = system.start("run", "teach", env=env)
    await _request(system, texts)
    await system.until_events(20, revision=2)
    second = system.start("run", "teach", env=env)
    await second.until_ready()
    first.process.kill()

    async def all_corrected() -> bool:
        return len({event.record_id for event in await system.events()}) == len(texts)

    await until(all_corrected, "all corrections", logs=lambda: second.output)
    assert {event.decided_by for event in await system.events()} == {"teacher"}
    assert await second.metric("silverstream_labels_total") > 0
    assert await second.stop() == 0


@pytest.mark.kafka
async def test_a_request_of_an_aborted_transaction_is_never_asked(
    make_system: Any, apache_kafka: ApacheKafka, teacher_sim: Any, until: Any
) -> None:
    texts = [f"Ada {n}" for n in range(4)]
    system = make_system(apache_kafka.bootstrap_servers, routing=BUDGET)
    url = await teacher_sim(_answers(system.folder, [*texts, "Aborted text"]))
    await system.create_topics()
    await _request(system, texts[:2])
    await _request(system, ["Aborted text"], abort=True)
    await _request(system, texts[2:])
    await _request(system, ["Aborted text"], abort=True)
    worker = system.start("run", "teach", env={"SILVERSTREAM_TEACHER__BASE_URL": url})
    events = await system.until_events(4, revision=2)

    async def caught_up() -> bool:
        # Past the marker too: what is never read would end the worker as standing still.
        lag: dict[str, int] = (await worker.until_ready())["teach_lag"]
        return bool(lag) and not any(lag.values())

    await until(caught_up, "an end of the lag", logs=lambda: worker.output)
    assert await worker.stop() == 0
    assert {event.decided_by for event in events} == {"teacher"}
    assert len(await system.events()) == 4
    assert (await _stats(url))["requests"] == 4


@pytest.mark.kafka
async def test_teach_alone_makes_room_for_corrections_of_partitions_added_live(
    make_system: Any, apache_kafka: ApacheKafka, teacher_sim: Any
) -> None:
    system = make_system(apache_kafka.bootstrap_servers)
    kafka, names = system.settings.kafka, system.names
    url = await teacher_sim(_answers(system.folder, ["Ada 1"]))
    await system.create_topics()
    worker = system.start("run", "teach", env={"SILVERSTREAM_TEACHER__BASE_URL": url})
    await worker.until_ready()
    await widen_topics(kafka, [TopicSpec(names.text, 1, 1, like=names.text)], at_least=4)
    asking = replace(_asking("Ada 1"), record_id="text-3-0", source_partition=3)
    await system.produce(
        [system.codec.encode(asking, names.teacher_requests)], topic=names.teacher_requests
    )
    (event,) = await system.until_events(1, revision=2)
    assert (event.record_id, event.decided_by) == ("text-3-0", "teacher")
    (record,) = await system.records(names.entities)
    assert record.partition == 3
    assert worker.events("topics_widened")
    assert await worker.stop() == 0


async def _request(system: Any, texts: list[str], *, abort: bool = False) -> None:
    """Write teacher requests, as a lane would; `abort` writes them in a transaction that fails."""
    kafka, topic = system.settings.kafka, system.names.teacher_requests
    if not abort:
        values = [system.codec.encode(_asking(text), topic) for text in texts]
        await system.produce(values, topic=topic)
        return
    producer = clients.transactional_producer(kafka, transactional_id=f"{system.settings.app}-x")
    async with clients.started(lambda: producer, settings=kafka):
        await producer.begin_transaction()
        for text in texts:
            value = system.codec.encode(_asking(text), topic)
            await producer.send_and_wait(topic, value, partition=0)
        await producer.abort_transaction()


def _asking(text: str) -> TeacherRequest:
    return a_request(record_id=f"text-0-{text}", text=text)
