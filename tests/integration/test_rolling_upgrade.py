"""A rolling upgrade from 0.1.0: its worker processes beside ours, on one set of topics."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from schemas.types import EntityEvent, RoutingPolicy, SilverLabel
from stream.testing.apache_kafka import ApacheKafka
from tests.compatibility.writing import CodecOf010

VERSION_0_1_0 = "6ea5f20"
REPOSITORY = Path(__file__).parents[2]
ASK_ALL = RoutingPolicy(threshold=1.0, audit_share=0.0, audit_seed=0)
BATCH = 12


@pytest.fixture(scope="module")
def version_0_1_0(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Unpack version 0.1.0 from this repository's history; the environment to run it in."""
    command = ["git", "-C", str(REPOSITORY), "archive", VERSION_0_1_0, "schemas", "stream"]
    found = subprocess.run(command, capture_output=True, check=False)
    if found.returncode:
        pytest.skip(f"this clone's history has no version 0.1.0 (commit {VERSION_0_1_0})")
    folder = tmp_path_factory.mktemp("0.1.0")
    with tarfile.open(fileobj=io.BytesIO(found.stdout)) as archive:
        archive.extractall(folder, filter="data")
    # Before the installed package, and without the folder that pytest runs in.
    return {"PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}


def _answers(folder: Path, texts: list[str]) -> Path:
    path = folder / "answers.jsonl"
    spans = [{"start": 0, "end": 3, "label": "PER"}]
    lines = [json.dumps({"id": x, "text": x, "entities": spans}) for x in texts]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.kafka
async def test_workers_of_0_1_0_and_ours_serve_side_by_side_in_the_order_of_the_manual(
    make_system: Any,
    apache_kafka: ApacheKafka,
    teacher_sim: Any,
    until: Any,
    version_0_1_0: dict[str, str],
) -> None:
    texts = [f"Ada {n} in Oslo" for n in range(4 * BATCH)]
    system = make_system(
        apache_kafka.bootstrap_servers,
        kafka={"delivery": "exactly_once", "session_timeout_ms": 10_000},
        routing={"budget_share": 1.0},
        topics={"partitions": 4},
        # So that all of the budget is the lanes', in both versions; only a round would read it.
        distill={"gold": "gold.jsonl"},
    )
    ours = {"SILVERSTREAM_TEACHER__BASE_URL": await teacher_sim(_answers(system.folder, texts))}
    theirs = ours | version_0_1_0
    batches = [[x.encode() for x in texts[n : n + BATCH]] for n in range(0, len(texts), BATCH)]
    await system.create_topics()
    system.codec = CodecOf010()  # promoted by a distill that is upgraded last
    await system.promote("v1", policy=ASK_ALL)

    async def sent(number: int) -> None:
        async def corrected() -> bool:
            done = {event.record_id for event in await system.events() if event.revision == 2}
            return len(done) == BATCH * (number + 1)

        await system.produce(batches[number])
        await until(corrected, f"all corrections of batch {number}")

    tag, teach = (system.start("run", role, env=theirs) for role in ("tag", "teach"))
    await tag.until_ready(student="v1")
    await teach.until_ready()
    await sent(0)
    our_teach = system.start("run", "teach", env=ours)
    await our_teach.until_ready()
    await sent(1)
    assert await teach.stop() == 0
    our_tag = system.start("run", "tag", env=ours)
    await our_tag.until_ready(student="v1")
    await sent(2)
    assert await tag.stop() == 0
    await sent(3)

    _all_final(await system.events(), texts)
    labels = [
        system.codec.decode(SilverLabel, record.value or b"")
        for record in await system.records(system.names.silver_labels)
    ]
    assert {label.text for label in labels} == set(texts)
    assert not await system.records(system.names.dead_letters)
    for worker in (our_tag, our_teach):
        assert await worker.stop() == 0


def _all_final(events: list[EntityEvent], texts: list[str]) -> None:
    """Each record once, and its correction at least once: a rebalance may let teach repeat one."""
    first = [event.record_id for event in events if event.revision == 1]
    assert len(set(first)) == len(first) == len(texts)
    taught = [event for event in events if event.revision == 2]
    assert {event.record_id for event in taught} == set(first)
    assert {event.decided_by for event in taught} == {"teacher"}
    assert all([x.surface for x in event.entities] == ["Ada"] for event in taught)
