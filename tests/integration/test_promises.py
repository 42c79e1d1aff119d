"""A promise breaks: the worker withdraws it by itself, and everybody is told."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

from schemas.types import Entity, Promise, SilverLabel
from schemas.wire.record_ids import label_key
from stream.kafka.local.embedded import EmbeddedBroker
from stream.kafka.promotions import append_promotion, read_history
from stream.kafka.topic_logs import append
from stream.testing.messages import a_label, a_promised

PROMISED = a_promised()


async def status(system: Any) -> tuple[int, dict[str, Any]]:
    process = system.start("status", "--json")
    code = await process.ended()
    found: dict[str, Any] = json.loads(process.output[process.output.index("{\n") :])
    return code, found


def wrong_audits(digest: str) -> list[SilverLabel]:
    """Audits in which the teacher found a person whom the student does not know."""
    now_ms = time.time_ns() // 1_000_000
    return [
        a_label(
            task_digest=digest,
            text=f"zzz{i} sings",
            entities=(Entity(0, len(f"zzz{i}"), "PER", f"zzz{i}"),),
            audit=True,
            record_id=f"text-0-{i}",
            labelled_at_ms=now_ms + i,
        )
        for i in range(12)
    ]


async def test_a_broken_promise_raises_the_threshold_warns_consumers_and_status_ends_with_1(
    make_system: Any, until: Any, embedded_broker: EmbeddedBroker
) -> None:
    system = make_system(
        embedded_broker.bootstrap_servers, distill={"check_every_s": 0.5, "min_new_labels": 10**6}
    )
    await system.create_topics()
    first = replace(
        await system.promote("v1"),
        sequence=2,
        parent="v1",
        action="policy",
        metrics=PROMISED.metrics(),
    )
    kafka, topic = system.settings.kafka, system.names.promotions
    await append_promotion(kafka, topic, system.codec, first)
    code, found = await status(system)
    assert (code, found["student"]) == (0, "v1")
    system.start("run", "distill")
    for label in wrong_audits(first.task_digest):
        value = system.codec.encode(label, system.names.silver_labels)
        await append(kafka, system.names.silver_labels, key=label_key(label), value=value)

    async def broken() -> list[Promise] | None:
        records = await system.records(system.names.promises)
        said = [system.codec.decode(Promise, record.value or b"") for record in records]
        return said if said and said[-1].state == "broken" else None

    said = await until(broken, "the broken promise")
    assert [one.state for one in said] == ["kept", "broken"]
    assert said[-1].offsets
    *_, changed = await read_history(kafka, topic, system.codec, "test")
    assert (changed.action, changed.student_version, changed.digest) == (
        "policy",
        "v1",
        first.digest,
    )
    assert changed.policy.threshold > first.policy.threshold
    code, found = await status(system)
    assert code == 1
    assert found["promise"]["state"] == "broken"
    assert found["alarms"]
