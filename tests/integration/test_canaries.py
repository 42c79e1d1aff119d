"""A teacher changes under a name that stays: the loop notices, says so, and waits for a person."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from schemas.canaries.holds import is_withheld
from schemas.types import Entity, RoutingPolicy, SilverLabel
from stream.kafka.canaries import CanaryLog
from stream.kafka.local.embedded import EmbeddedBroker
from stream.lab.teacher_sim.simulator import serving, teacher_sim_app
from stream.teacher.store_looks import spendings_of

TEXTS = [f"Ada {n} sings" for n in range(4)]
ASK_ALL = RoutingPolicy(threshold=1.0, audit_share=0.0, audit_seed=0)


def _file(folder: Path) -> Path:
    path = folder / "canaries.jsonl"
    spans = [{"start": 0, "end": 3, "label": "PER"}]
    lines = [json.dumps({"id": text, "text": text, "entities": spans}) for text in TEXTS]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _answers(label: str) -> dict[str, tuple[Entity, ...]]:
    return {text: (Entity(0, 3, label, "Ada"),) for text in [*TEXTS, "Ada 7 sings"]}


async def _json(system: Any, *command: str) -> tuple[int, dict[str, Any]]:
    process = system.start(*command, "--json")
    code = await process.ended()
    found: dict[str, Any] = json.loads(process.output[process.output.index("{\n") :])
    return code, found


async def test_a_changed_teachers_labels_are_held_back_until_a_person_accepts_it(
    make_system: Any, until: Any, tmp_path: Path, embedded_broker: EmbeddedBroker
) -> None:
    pace = {"canaries_per_hour": 36_000, "canaries": str(_file(tmp_path))}
    system = make_system(
        embedded_broker.bootstrap_servers, teacher=pace, routing={"budget_share": 1.0}
    )
    await system.create_topics()
    await system.promote("v1", policy=ASK_ALL)
    answers = _answers("PER")
    async with serving(teacher_sim_app(answers)) as url:
        env = {"SILVERSTREAM_TEACHER__BASE_URL": url}
        worker = system.start("run", "tag", "teach", env=env)
        await until(lambda: _said(worker, 34), "some canaries", deadline_s=240)
        answers.update(_answers("LOC"))
        await until(lambda: _is_noticed(worker), "the change", deadline_s=240)
        await system.produce([b"Ada 7 sings"])
        await system.until_events(1, revision=2)
        code, told = await _json(system, "status")
        assert await worker.stop() == 0

    assert (code, told["canary"]["state"], told["canary"]["noticed_by"]) == (
        0,
        "changed",
        "answers",
    )
    assert told["canary"]["since"]["right"] < told["canary"]["before"]["right"] == 1.0
    assert any(alarm.startswith("canary: the teacher has changed") for alarm in told["alarms"])
    assert "teacher_changed" in worker.output
    (record,) = await system.records(system.names.silver_labels)
    label = system.codec.decode(SilverLabel, record.value or b"")
    log = CanaryLog(system.settings.kafka, "test", system.codec)
    assert is_withheld(label, await log.holds())

    code, accepted = await _json(system, "teacher", "accept", "--reason", "a better model")
    assert (code, accepted["reason"]) == (0, "a better model")
    assert not is_withheld(label, await log.holds())
    spent = {row.purpose for row in spendings_of(system.settings.teacher.state)}
    assert spent >= {"stream", "canary"}


async def _said(worker: Any, n: int) -> bool:
    return bool(await worker.metric("silverstream_canaries_total") >= n)


async def _is_noticed(worker: Any) -> bool:
    page = await worker.get("/metrics")
    return page is not None and 'silverstream_canary_state_info{state="changed"} 1.0' in page.text
