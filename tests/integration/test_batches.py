"""Batches over real processes: killed while one waits, they go on with the same."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import httpx

from schemas.types import RoutingPolicy, SilverLabel
from stream.kafka.local.embedded import EmbeddedBroker
from stream.teacher.store_looks import batches_of, spendings_of, totals_of

N = 30
PRICES = {"price_in_usd_per_million": 1.0, "price_out_usd_per_million": 1.0}


def corpus(path: Path) -> Path:
    records = [
        {
            "id": str(number),
            "text": f"Ada met number {number}",
            "entities": [{"start": 0, "end": 3, "label": "PER"}],
        }
        for number in range(N)
    ]
    path.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
    return path


async def test_a_bootstrap_killed_while_a_batch_waits_pays_for_no_other(
    make_system: Any, embedded_broker: EmbeddedBroker, teacher_sim: Any, tmp_path: Path, until: Any
) -> None:
    texts = corpus(tmp_path / "texts.jsonl")
    url = await teacher_sim(texts, "--batch-latency", "5", "--batch-fault", "double=0.2")
    state = tmp_path / "teacher.sqlite"
    batch = {"purposes": ["bootstrap"], "poll_s": 0.2, "max_requests": 20}
    settings = {"base_url": url, "state": str(state), "batch": batch, **PRICES}
    system = make_system(embedded_broker.bootstrap_servers, teacher=settings)
    await system.create_topics()
    run = ("bootstrap", str(texts), "--yes", "--max-usd", "1", "--run", str(tmp_path / "run"))
    process = system.start(*run)
    await until(
        lambda: any(one.id for one in batches_of(state)),
        "a batch that waits",
        logs=lambda: process.output,
    )
    await process.stop(signal.SIGKILL)
    reserved = totals_of(state).usd
    told = tmp_path / "told.json"
    process = system.start(*run, "--resume", "--json", str(told))
    assert await process.ended() == 0, process.output
    facts = json.loads(told.read_text(encoding="utf-8"))
    records = await system.records(system.names.silver_labels)
    labels = [system.codec.decode(SilverLabel, record.value) for record in records]
    assert len({label.text for label in labels}) == N
    async with httpx.AsyncClient(trust_env=False) as http:
        counts = (await http.get(url.removesuffix("/v1") + "/stats")).json()
    assert (counts["batches"], counts["batch lines"], counts["requests"]) == (2, N - 2, 2)
    assert facts["labelled"] == N - 1  # the first was written before the kill
    assert 0 < facts["usd"] < reserved < 1
    assert sum(row.calls for row in spendings_of(state)) == N
    assert batches_of(state) == []


async def test_a_teach_worker_killed_while_a_batch_waits_answers_each_request_from_it(
    make_system: Any, embedded_broker: EmbeddedBroker, teacher_sim: Any, tmp_path: Path, until: Any
) -> None:
    url = await teacher_sim(corpus(tmp_path / "texts.jsonl"), "--batch-latency", "6")
    state = tmp_path / "teacher.sqlite"
    batch = {"purposes": ["stream"], "poll_s": 0.2, "gather_s": 3.0, "deadline_s": 3600}
    settings = {"base_url": url, "state": str(state), "batch": batch, **PRICES}
    system = make_system(
        embedded_broker.bootstrap_servers, teacher=settings, routing={"budget_share": 1.0}
    )
    await system.create_topics()
    await system.promote("v1", policy=RoutingPolicy(threshold=1.0, audit_share=0.0, audit_seed=0))
    tag = system.start("run", "tag")
    teach = system.start("run", "teach")
    await tag.until_ready()
    await system.produce([f"Ada met number {number}".encode() for number in range(N)])
    await until(
        lambda: any(one.id for one in batches_of(state)),
        "a batch that waits",
        logs=lambda: teach.output,
    )
    await teach.stop(signal.SIGKILL)
    teach = system.start("run", "teach")
    final = await system.until_events(N, revision=2)
    assert {event.decided_by for event in final} == {"teacher"}
    async with httpx.AsyncClient(trust_env=False) as http:
        counts = (await http.get(url.removesuffix("/v1") + "/stats")).json()
    assert counts["texts"] == N
    assert await tag.stop() == 0
    assert await teach.stop() == 0
