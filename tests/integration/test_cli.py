"""Commands against a real broker: topics, doctor, tag, and the distill role's timer."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest
from aiohttp import web

from schemas.types import SilverLabel
from stream.kafka.local.embedded import EmbeddedBroker
from stream.kafka.topics import TopicSpec, create_topics
from stream.testing.apache_kafka import ApacheKafka
from stream.testing.endpoints import answering, completion
from stream.testing.messages import a_label


async def _finished(process: Any) -> tuple[int, str]:
    return await process.ended(), process.output


def _findings(output: str) -> list[dict[str, str]]:
    """Read what the doctor printed; what it logged stands before."""
    found: list[dict[str, str]] = json.loads(output[output.index("[\n") :])
    return found


def _own_key(system: Any) -> dict[str, str]:
    """Keep the key that is made out of the working directory."""
    return {"SILVERSTREAM_ROUTING__AUDIT_KEY_FILE": str(system.folder / "audit.key")}


async def test_topics_are_made_once_and_checked(
    make_system: Any, embedded_broker: EmbeddedBroker
) -> None:
    system = make_system(embedded_broker.bootstrap_servers)
    code, output = await _finished(system.start("topics", "check"))
    assert code == 1
    assert output.startswith("silverstream: topic")
    assert "silverstream topics create" in output
    for word in ("created", "exists"):
        code, output = await _finished(system.start("topics", "create", env=_own_key(system)))
        assert code == 0
        assert [line.split()[0] for line in output.splitlines()] == [word] * 11  # and the key
    code, _ = await _finished(system.start("topics", "check"))
    assert code == 0


@pytest.mark.kafka
async def test_topics_that_are_too_narrow_are_named_and_widened(
    make_system: Any, apache_kafka: ApacheKafka
) -> None:
    system = make_system(apache_kafka.bootstrap_servers)
    names = system.names
    await create_topics(
        system.settings.kafka, [TopicSpec(names.text, 4, 1), TopicSpec(names.entities, 3, 1)]
    )
    code, output = await _finished(system.start("topics", "check"))
    assert code == 1
    assert f"{names.entities} has 3 partitions but needs 4" in output
    code, output = await _finished(
        system.start("topics", "create", "--json", "-", env=_own_key(system))
    )
    assert code == 0
    outcomes = json.loads(output)["topics"]
    assert (outcomes[names.text], outcomes[names.entities]) == ("exists", "widened")
    code, _ = await _finished(system.start("topics", "check"))
    assert code == 0


async def test_topics_and_doctor_tell_machines_the_same(
    make_system: Any, embedded_broker: EmbeddedBroker
) -> None:
    system = make_system(embedded_broker.bootstrap_servers)
    told = system.folder / "told.json"
    code, _ = await _finished(system.start("topics", "check", "--json", str(told)))
    assert code == 1
    assert "silverstream topics create" in json.loads(told.read_text(encoding="utf-8"))["wrong"]
    code, output = await _finished(
        system.start("topics", "create", "--json", "-", env=_own_key(system))
    )
    assert code == 0
    assert set(json.loads(output)["topics"].values()) == {"created"}
    code, _ = await _finished(system.start("topics", "check", "--json", str(told)))
    assert code == 0
    facts = json.loads(told.read_text(encoding="utf-8"))
    assert (len(facts["topics"]), facts["wrong"]) == (8, "")
    _, output = await _finished(system.start("doctor", "--json", str(told)))
    assert f"settings: {system.folder}" in output
    found = {one["check"]: one["outcome"] for one in json.loads(told.read_text(encoding="utf-8"))}
    assert found["topics"] == "ok"


async def test_a_wrong_partition_count_is_said_and_the_worker_does_not_start(
    make_system: Any, embedded_broker: EmbeddedBroker
) -> None:
    system = make_system(embedded_broker.bootstrap_servers)
    await create_topics(system.settings.kafka, [TopicSpec(system.names.entities, 1, 1)])
    await system.create_topics()
    for arguments in (("topics", "check"), ("run", "tag")):
        code, output = await _finished(system.start(*arguments))
        assert code == 1
        last = output.strip().splitlines()[-1]
        assert "has 1 partitions but needs 2" in last
        assert "Traceback" not in output


async def test_the_doctor_finds_what_is_missing_and_then_nothing(
    make_system: Any, embedded_broker: EmbeddedBroker, teacher_sim: Any
) -> None:
    system = make_system(embedded_broker.bootstrap_servers)
    code, output = await _finished(system.start("doctor", "--json"))
    assert code == 1
    assert {item["check"]: item["outcome"] for item in _findings(output)} == {
        "broker": "ok",
        "topics": "failed",
        "store": "ok",
        "student": "skipped",
        "teacher": "failed",
    }
    await system.create_topics()
    await system.promote("v1")
    (system.folder / "answers.jsonl").write_text('{"id": "1", "text": "a", "entities": []}')
    url = await teacher_sim(system.folder / "answers.jsonl")
    env = {"SILVERSTREAM_TEACHER__BASE_URL": url}
    code, output = await _finished(system.start("doctor", env=env))
    assert code == 0, output
    assert "v1 loads (promotion 1)" in output


async def test_the_doctor_says_when_a_broker_has_no_transactions(
    make_system: Any, embedded_broker: EmbeddedBroker
) -> None:
    system = make_system(embedded_broker.bootstrap_servers, kafka={"delivery": "exactly_once"})
    _, output = await _finished(system.start("doctor", "--json"))
    (found,) = [item for item in _findings(output) if item["check"] == "transactions"]
    assert found["outcome"] == "failed"
    assert "at_least_once" in found["detail"]


@pytest.mark.kafka
async def test_the_doctor_finds_transactions_on_apache_kafka(
    make_system: Any, apache_kafka: ApacheKafka
) -> None:
    system = make_system(apache_kafka.bootstrap_servers, kafka={"delivery": "exactly_once"})
    await system.create_topics()
    _, output = await _finished(system.start("doctor", "--json"))
    found = {item["check"]: item["outcome"] for item in _findings(output)}
    assert found["transactions"] == found["topics"] == "ok"


async def test_the_student_in_service_tags_lines(
    make_system: Any, embedded_broker: EmbeddedBroker
) -> None:
    system = make_system(embedded_broker.bootstrap_servers)
    await system.create_topics()
    lines = system.folder / "lines.txt"
    lines.write_text("Ada in Oslo\n")
    code, output = await _finished(system.start("tag", str(lines)))
    assert code == 2
    assert "has no student yet" in output
    await system.promote("v1")
    code, output = await _finished(system.start("tag", str(lines), "--json"))
    assert code == 0
    assert [e["surface"] for e in json.loads(output)["entities"]] == ["Ada", "Oslo"]


async def test_enough_labels_start_a_round_and_the_round_ends_with_the_worker(
    make_system: Any, embedded_broker: EmbeddedBroker, until: Any
) -> None:
    system = make_system(
        embedded_broker.bootstrap_servers,
        distill={"min_new_labels": 3, "check_every_s": 0.5},
    )
    await system.create_topics()
    worker = system.start("run", "distill")
    await until(lambda: worker.status("/ready"), "the web server", logs=lambda: worker.output)
    labels = [system.codec.encode(_label(n), system.names.silver_labels) for n in range(3)]
    await system.produce(labels, topic=system.names.silver_labels)
    await until(lambda: worker.events("round_started"), "a round", logs=lambda: worker.output)
    (event,) = worker.events("round_started")
    assert (event["why"], event["new_labels"]) == ("labels", 3)
    assert await worker.stop(signal.SIGTERM) == 0


def _label(number: int) -> SilverLabel:
    return a_label(text=f"text {number}", source="human")


async def test_a_bootstrap_whose_answers_are_mostly_refused_ends_with_1_after_its_figures(
    make_system: Any, embedded_broker: EmbeddedBroker
) -> None:
    async def respond(_: web.Request) -> web.Response:
        return completion("I would rather not.")

    async with answering(respond) as url:
        system = make_system(embedded_broker.bootstrap_servers, teacher={"base_url": url})
        await system.create_topics()
        texts = system.folder / "texts.jsonl"
        texts.write_text("".join(f'{{"text": "text {n}"}}\n' for n in range(6)))
        told = system.folder / "told.json"
        code, output = await _finished(
            system.start("bootstrap", str(texts), "--yes", "--json", str(told))
        )
    assert code == 1
    assert json.loads(told.read_text(encoding="utf-8"))["failed"] == {"invalid_answer": 6}
    assert output.count("answer_refused") >= 6
    assert "Traceback" not in output
