"""Settings and histories that must not be believed, with real processes and brokers."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from stream.kafka.local.embedded import EmbeddedBroker
from stream.kafka.topic_logs import append
from stream.testing.apache_kafka import ApacheKafka

TRANSACTIONS = {"delivery": "exactly_once", "transaction_timeout_ms": 900_001}


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("role", "setting", "must"),
    [
        ("tag", {"session_timeout_ms": 500}, "session_timeout_ms must lie between"),
        ("teach", {"session_timeout_ms": 500}, "session_timeout_ms must lie between"),
        ("tag", TRANSACTIONS, "transaction_timeout_ms must not exceed"),
    ],
)
async def test_a_timeout_that_the_broker_does_not_allow_ends_the_worker_in_one_line(
    make_system: Any, apache_kafka: ApacheKafka, role: str, setting: dict[str, int], must: str
) -> None:
    system = make_system(apache_kafka.bootstrap_servers, kafka=setting)
    await system.create_topics()
    await system.promote("v1")
    worker = system.start("run", role)
    assert await worker.ended() != 0
    last = worker.output.strip().splitlines()[-1]
    assert f"kafka.{must}" in last
    assert "Traceback" not in worker.output


async def test_a_lost_history_is_told_and_promote_brings_the_student_back(
    make_system: Any, embedded_broker: EmbeddedBroker
) -> None:
    system = make_system(embedded_broker.bootstrap_servers)
    await system.create_topics()
    await system.promote("v1")
    lost = make_system(
        embedded_broker.bootstrap_servers,
        student={"registry": str(system.settings.student.registry)},
    )
    await lost.create_topics()
    status = lost.start("status")
    assert await status.ended() == 0
    assert "there is the student v1" in status.output
    assert "silverstream promote" in status.output
    back = lost.start("promote", "v1", "--reason", "the topic was lost", "--skip-gate", "--json")
    assert await back.ended() == 0
    promotion = json.loads(back.output)
    assert (promotion["student_version"], promotion["sequence"]) == ("v1", 1)
    worker = lost.start("run", "tag")
    await worker.until_ready(student="v1")


async def test_a_forged_rollback_is_not_served(
    make_system: Any, embedded_broker: EmbeddedBroker
) -> None:
    system = make_system(embedded_broker.bootstrap_servers)
    await system.create_topics()
    first = await system.promote("v1")
    worker = system.start("run", "tag")
    await worker.until_ready(student="v1")
    forged = replace(
        first,
        sequence=2,
        action="rollback",
        student_version="v0",
        location=f"{first.task}/v0",
        parent="v1",
    )
    value = system.codec.encode(forged, system.names.promotions)
    await append(
        system.settings.kafka, system.names.promotions, key=first.task.encode(), value=value
    )
    await system.promote("v2")
    await worker.until_ready(student="v2")
    (passed,) = worker.events("promotion_passed_over")
    assert "never promoted" in passed["why"]


async def test_another_app_on_the_same_prefix_tags_all_records_too_and_takes_nothing_away(
    make_system: Any, embedded_broker: EmbeddedBroker
) -> None:
    system = make_system(embedded_broker.bootstrap_servers)
    await system.create_topics()
    await system.promote("v1")
    names = (system.settings.app, f"{system.settings.app}-2")
    workers = [system.start("run", "tag", env={"SILVERSTREAM_APP": name}) for name in names]
    for worker in workers:
        await worker.until_ready(student="v1")
    await system.produce([b"Ada", b"Oslo"])
    found = await system.until_events(4)
    assert Counter(one.record_id for one in found) == {
        f"{system.names.text}-{partition}-0": 2 for partition in (0, 1)
    }
    assert len({(one.record_id, one.revision, one.entities) for one in found}) == 2
