"""Cold start, rounds, hot swap and rollback: the commands that a person types, on a real broker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from distill.round import run_round
from distill.testing.tiny_base import write_tiny_base
from schemas.files.corpus import Example, write_jsonl
from schemas.types import Entity, Promotion, SilverLabel
from stream.kafka.local.embedded import EmbeddedBroker

PEOPLE = [f"per{a}{b}" for a in "abcde" for b in "fghij"]
PLACES = [f"loc{a}{b}" for a in "abcde" for b in "fghij"]
OTHERS = ["saw", "today", "heard", "about", "again", "the", *(f"word{a}" for a in "abcdefgh")]
"""Nothing but the word itself tells what it is."""


def corpus(path: Path, *patterns: str, names: Sequence[str]) -> Path:
    """Each pattern filled with each name, and with words that are none."""
    examples: list[Example] = []
    for text, name in ((x.format(name), name) for x in patterns for name in (*names, *OTHERS)):
        start = text.index(name)
        label = "PER" if name in PEOPLE else "LOC"
        entity = Entity(start, start + len(name), label, name)
        entities = () if name in OTHERS else (entity,)
        examples.append(Example(f"{len(examples)}", text, entities))
    write_jsonl(path, examples)
    return path


@pytest.fixture
def recipe(tmp_path: Path) -> dict[str, Any]:
    """A student of seconds."""
    base = write_tiny_base(tmp_path / "base", words=[*PEOPLE, *PLACES, *OTHERS])
    return {
        "base": str(base),
        "layers": 2,
        "casing": False,
        "max_tokens": 32,
        "stride": 8,
    }


TRAINING = {
    "epochs": 1,
    "min_steps": 300,
    "word_dropout": 0,  # a hidden word here leaves nothing to learn from
    "learning_rate": 3e-3,
    "batch_records": 16,
}


async def finish(system: Any, *arguments: str) -> str:
    """Run a command to its end, which must be good; its output."""
    process = system.start(*arguments)
    assert await process.ended(deadline_s=180) == 0, process.output
    output: str = process.output
    return output


async def distill(system: Any, *, force: bool = False) -> dict[str, Any]:
    """Run a round in this process: a new one would spend its time on importing torch."""
    result = await asyncio.to_thread(run_round, system.settings, force=force)
    return result.as_dict()


async def test_from_unlabelled_text_to_a_better_student_and_back(
    make_system: Any,
    embedded_broker: EmbeddedBroker,
    teacher_sim: Any,
    recipe: dict[str, Any],
    tmp_path: Path,
) -> None:
    half, every = [*PEOPLE[:12], *PLACES[:12]], [*PEOPLE, *PLACES]
    gold = corpus(tmp_path / "gold.jsonl", "saw {} again", names=every)
    cold = corpus(tmp_path / "cold.jsonl", "saw {} today", names=half)
    more = corpus(tmp_path / "more.jsonl", "the {} again", "heard {} today", names=every)
    system = make_system(
        embedded_broker.bootstrap_servers,
        teacher={"base_url": await teacher_sim(cold), "api_key": "sim"},
        distill={
            "gold": str(gold),
            "min_new_labels": 30,
            "recipe": recipe,
            "gate": {"min_records": 50, "max_slowdown": 100},
        },
        experiment=TRAINING,
    )
    await system.create_topics()

    refused = system.start("bootstrap", str(cold))
    assert await refused.ended() == 2
    assert "pass --yes" in refused.output

    facts = tmp_path / "bootstrap.json"
    await finish(system, "bootstrap", str(cold), "--yes", "--json", str(facts))
    told = json.loads(facts.read_text())
    assert (told["labelled"], told["failed"]) == (len(half) + len(OTHERS), {})
    assert told["tokens_in"] > 0
    assert told["usd"] > 0
    await finish(system, "bootstrap", str(cold), "--yes", "--json", str(facts))
    told = json.loads(facts.read_text())
    assert (told["labelled"], told["skipped"]) == (0, {"labelled_before": 38})

    facts = tmp_path / "round.json"
    await finish(system, "distill", "--json", str(facts))
    first = json.loads(facts.read_text())
    assert (first["status"], first["reason"]) == ("promoted", "first student")
    assert first["promotion"]["metrics"]["f1"] > 0.3
    worker = system.start("run", "tag")
    await worker.until_ready(student=first["student"])

    waiting = await distill(system)
    assert (waiting["status"], waiting["reason"]) == ("waiting", "too few new labels")

    await finish(system, "bootstrap", str(more), "--labelled")
    second = await distill(system)
    assert (second["status"], second["champion"]) == ("promoted", first["student"])
    assert second["promotion"]["metrics"]["gain_low"] > 0.05
    await worker.until_ready(student=second["student"])

    same = await distill(system, force=True)
    assert (same["status"], same["reason"]) == ("refused", "no gain")

    words = await finish(system, "rollback", "--json", str(tmp_path / "back.json"))
    assert f"{first['student']} is in force again" in words
    assert json.loads((tmp_path / "back.json").read_text())["student_version"] == first["student"]
    await worker.until_ready(student=first["student"])
    assert await worker.stop() == 0

    labels = [
        system.codec.decode(SilverLabel, record.value)
        for record in await system.records(system.names.silver_labels)
    ]
    assert {label.source for label in labels} == {"bootstrap", "human"}
    history = [
        system.codec.decode(Promotion, record.value)
        for record in await system.records(system.names.promotions)
    ]
    assert [(entry.sequence, entry.action) for entry in history] == [
        (1, "promote"),
        (2, "promote"),
        (3, "rollback"),
    ]
    assert history[0].policy_digest == history[2].policy_digest

    figures = tmp_path / "figures.json"
    bundle = Path(system.settings.student.registry) / history[1].location
    await finish(system, "evaluate", str(bundle), str(gold), "--json", str(figures))
    found = json.loads(figures.read_text())
    assert found["f1"] == history[1].metrics["f1"]
    assert found["f1_interval"] == second["trial"]["challenger"]["f1_interval"]
