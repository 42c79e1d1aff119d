"""A flood of one producer: nothing is dropped, the lag is worked off, the budget holds."""

from __future__ import annotations

import json
import random
from collections import Counter
from string import ascii_lowercase
from typing import Any

from schemas.types import RoutingPolicy, TeacherRequest
from stream.kafka import clients
from stream.kafka.local.embedded import EmbeddedBroker

HONEST, FLOOD = 20, 2_000
SHARE, OF_ONE = 0.1, 0.2
ASK_ALL = RoutingPolicy(threshold=1.0, audit_share=0.0, audit_seed=0)
USD_PER_DAY = 0.01


async def test_a_flood_of_one_producer_is_tagged_whole_and_asked_about_within_the_budget(
    make_system: Any, embedded_broker: EmbeddedBroker, teacher_sim: Any, until: Any
) -> None:
    """A hundred times as many records as all others send, each another text."""
    quotas = {"source_key_field": "*", "share": OF_ONE}
    system = make_system(
        embedded_broker.bootstrap_servers,
        routing={"budget_share": SHARE, "quotas": quotas},
        teacher={"budget_usd_per_day": USD_PER_DAY},
        topics={"partitions": 1},
    )
    records = [_record(number) for number in range(HONEST + FLOOD)]
    corpus = system.folder / "answers.jsonl"
    corpus.write_text(
        "\n".join(
            json.dumps({"id": str(n), "text": text.decode(), "entities": []})
            for n, (_, text) in enumerate(records)
        )
    )
    url = await teacher_sim(corpus)
    await system.create_topics()
    await system.promote("v1", policy=ASK_ALL)
    kafka = system.settings.kafka
    async with clients.started(lambda: clients.producer(kafka), settings=kafka) as producer:
        for key, text in records:
            await producer.send(system.names.text, text, key=key, partition=0)
        await producer.flush()

    worker = system.start("run", "tag", "teach", env={"SILVERSTREAM_TEACHER__BASE_URL": url})
    events = await system.until_events(len(records))
    assert Counter(event.record_id for event in events) == Counter(
        f"{system.names.text}-0-{offset}" for offset in range(len(records))
    )
    assert not await system.records(system.names.dead_letters)

    asked = Counter[bytes]()
    for record in await system.records(system.names.teacher_requests):
        system.codec.decode(TeacherRequest, record.value or b"")
        asked[record.key] += 1
    final = await system.until_events(asked.total(), revision=2)
    assert asked[b"flooder"] <= 1 + OF_ONE * SHARE * len(records)
    assert sum(n for who, n in asked.items() if who != b"flooder") == HONEST
    assert 0 < await worker.metric("silverstream_teacher_usd_total") <= USD_PER_DAY
    assert Counter(event.reason for event in final)["budget_exhausted"]

    async def caught_up() -> bool:
        lag = (await worker.get("/ready")).json()["lag"]
        return bool(lag) and not any(lag.values())

    await until(caught_up, "no lag")
    assert await worker.stop() == 0


def _record(number: int) -> tuple[bytes, bytes]:
    """Give key and text; every hundred-and-first is honest, of one of seven producers."""
    honest = number % (FLOOD // HONEST + 1) == FLOOD // HONEST
    key = b"honest %d" % (number % 7) if honest else b"flooder"
    lot = random.Random(number)  # repeatable, no secret
    return key, " ".join("".join(lot.choices(ascii_lowercase, k=6)) for _ in range(6)).encode()
