"""Real workers of the role tag: what a person who runs one sees."""

from __future__ import annotations

import signal
import socket
from typing import Any

import pytest

from stream.kafka.local.embedded import EmbeddedBroker, free_port
from stream.testing.apache_kafka import ApacheKafka, kafka_libs


async def test_text_waits_for_the_first_student_and_is_then_tagged(
    make_system: Any, embedded_broker: EmbeddedBroker, until: Any
) -> None:
    system = make_system(embedded_broker.bootstrap_servers)
    await system.create_topics()
    await system.produce([b"Ada in Oslo", b"\xff", b"  "])
    worker = system.start("run", "tag")
    await until(lambda: worker.status("/ready"), "an answer of /ready")
    report = (await worker.get("/ready")).json()
    assert report["ok"] is False
    assert report["student_version"] is None
    assert await worker.status("/live") == 200

    await system.promote("v1")
    await worker.until_ready(student="v1")
    events = await system.until_events(2)
    by_reason = {event.reason: event for event in events}
    surfaces = [(e.surface, e.label) for e in by_reason["confident"].entities]
    assert surfaces == [("Ada", "PER"), ("Oslo", "LOC")]
    assert by_reason["blank"].entities == ()
    await until(lambda: system.records(system.names.dead_letters), "a dead letter")
    (letter,) = await system.records(system.names.dead_letters)
    assert letter.value == b"\xff"

    assert await worker.metric("silverstream_records_total") == 3
    assert await worker.metric("silverstream_dead_letters_total") == 1
    assert await worker.metric("silverstream_events_total") == 2
    assert await worker.metric("silverstream_student_info") == 1
    assert await worker.stop(signal.SIGTERM) == 0
    assert len(await system.events()) == 2
    assert worker.events("stopped")
    assert "Ada" not in worker.output


async def test_a_promoted_student_takes_over_and_a_bad_bundle_does_not(
    make_system: Any, embedded_broker: EmbeddedBroker, until: Any
) -> None:
    system = make_system(embedded_broker.bootstrap_servers)
    await system.create_topics()
    await system.promote("v1", words={"ada": "B-PER"})
    worker = system.start("run", "tag")
    await worker.until_ready(student="v1")
    await system.promote("v2", words={"ada": "B-LOC"})
    await worker.until_ready(student="v2")
    await system.produce([b"Ada"])
    (event,) = await system.until_events(1)
    assert event.entities[0].label == "LOC"
    assert event.student_version == "v2"

    await system.promote("v3", spoil=True)
    await until(lambda: worker.events("swap_failed"), "the alarm")
    assert await worker.metric("silverstream_swap_failures_total") == 1
    assert (await worker.until_ready())["student_version"] == "v2"
    assert await worker.stop() == 0

    later = system.start("run", "tag")
    assert (await later.until_ready())["student_version"] == "v2"


async def test_brokers_that_cannot_be_reached_end_the_worker_after_the_set_time(
    make_system: Any, until: Any
) -> None:
    system = make_system(f"127.0.0.1:{free_port()}", kafka={"startup_timeout_s": 8})
    worker = system.start("run", "tag", "teach")
    await until(lambda: worker.status("/live"), "the web server")
    assert await worker.status("/ready") == 503
    assert await worker.ended() == 1
    last = worker.output.strip().splitlines()[-1]
    assert last.startswith("silverstream: no Kafka broker answered at 127.0.0.1")
    assert "Traceback" not in worker.output


@pytest.mark.parametrize("roles", [("tag", "teach"), ("distill",)])
async def test_a_worker_that_still_waits_for_brokers_is_not_ready_and_can_be_stopped(
    make_system: Any, until: Any, roles: tuple[str, ...]
) -> None:
    system = make_system(f"127.0.0.1:{free_port()}")
    worker = system.start("run", *roles)
    await until(lambda: worker.status("/live"), "the web server")
    assert await worker.status("/ready") == 503
    assert await worker.stop(signal.SIGTERM) == 0


async def test_a_web_port_that_is_taken_ends_the_worker_with_the_setting_to_change(
    make_system: Any, embedded_broker: EmbeddedBroker
) -> None:
    system = make_system(embedded_broker.bootstrap_servers)
    await system.create_topics()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        worker = system.start("run", "tag", env={"SILVERSTREAM_WEB__PORT": port})
        assert await worker.ended() == 2
    last = worker.output.strip().splitlines()[-1]
    assert last.startswith(f"silverstream: cannot listen on 127.0.0.1:{port}")
    assert "web.port" in last
    assert "Traceback" not in worker.output


async def test_missing_topics_end_the_worker_with_the_command_that_makes_them(
    make_system: Any, embedded_broker: EmbeddedBroker
) -> None:
    system = make_system(embedded_broker.bootstrap_servers)
    worker = system.start("run", "tag", "teach")
    assert await worker.ended() == 1
    assert "silverstream topics create" in worker.output.strip().splitlines()[-1]
    assert "Traceback" not in worker.output


@pytest.mark.kafka
async def test_a_worker_goes_on_when_one_of_three_brokers_dies(
    make_system: Any, apache_kafka: ApacheKafka
) -> None:
    del apache_kafka  # asked for only to skip where it would
    with ApacheKafka(brokers=3, heap_mb=256) as cluster:
        system = make_system(
            cluster.bootstrap_servers,
            kafka={"delivery": "exactly_once"},
            topics={"partitions": 3, "replication": 3},
        )
        await system.create_topics()
        await system.promote("v1")
        worker = system.start("run", "tag")
        await worker.until_ready()
        await system.produce([b"Ada"] * 30)
        await system.until_events(30)
        cluster.kill(2)
        await system.produce([b"Oslo"] * 30)
        events = await system.until_events(60)
        assert len({event.record_id for event in events}) == len(events) == 60
        assert await worker.stop() == 0


@pytest.mark.kafka
async def test_a_worker_outlives_a_broker_that_goes_and_comes_back(
    make_system: Any, apache_kafka: ApacheKafka, until: Any
) -> None:
    assert kafka_libs() is not None
    del apache_kafka  # this test kills its broker, so it has one of its own
    with ApacheKafka(brokers=1) as cluster:
        system = make_system(cluster.bootstrap_servers, kafka={"delivery": "exactly_once"})
        await system.create_topics()
        await system.promote("v1")
        worker = system.start("run", "tag", "teach")
        await worker.until_ready()
        await system.produce([b"Ada"] * 10)
        await system.until_events(10)
        cluster.kill(1)

        async def unready() -> bool:
            return bool(await worker.status("/ready") == 503)

        await until(unready, "unready")
        cluster.start(1)
        await system.produce([b"Oslo"] * 10)
        events = await system.until_events(20)
        assert len(events) == 20
        await worker.until_ready()
        assert await worker.stop() == 0
