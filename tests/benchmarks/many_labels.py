"""What a round takes from the topic of very many labels to its first training step.

`python -m tests.benchmarks.many_labels --labels 50000`: made-up labels, the same each time, are
written to an Apache Kafka; then a process of its own begins a round, the first of its task, and is
stopped after the first step of the training, the pilots that settle the labels' ageing
(`distill/learning/ageing.py`) done. Prints CPU and wall seconds of each stage and the peak of the
process's memory after it, as JSON. `--producers N` names producers, so that quotas are asked too;
`--no-pilots` lets all labels count alike, and the first step is the training's own; with
`--no-broker` the labels come from their maker, and no topic is written or read.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from distill.labels.journal import KafkaJournal
from distill.labels.standing import Entry, standing_labels
from distill.learning.making import Made, MakeStudent
from distill.round import run_round
from distill.testing.fakes import ListJournal
from schemas.files.task import LabelSpec, Task
from schemas.files.task_file import load_task, task_yaml
from schemas.settings import Settings, TopicSettings
from schemas.types import Entity, SilverLabel
from schemas.wire.codec import Codec
from schemas.wire.record_ids import label_key, record_id
from schemas.wire.topics import TopicNames
from stream.kafka import clients
from stream.kafka.topics import create_topics, specs
from stream.testing.apache_kafka import ApacheKafka

TASK = Task("bench", "en", (LabelSpec("PER"), LabelSpec("LOC"), LabelSpec("ORG")))
BEGAN_MS = 1_700_000_000_000
COLD_START, AUDITS, PERSONS, AGAIN = 0.02, 0.05, 0.01, 0.02
"""Shares of the labels: from before the stream, audits, people's, and of a text asked about again.
"""
_SYLLABLES = [a + b for a in "bdklmn" for b in "aeio"]
console = Console()


@dataclass(frozen=True, slots=True)
class Words:
    """What texts are made of: words, and mentions with their labels."""

    words: list[str]
    mentions: list[tuple[str, str]]


class Enough(Exception):  # noqa: N818 - no error
    """The first training step is done."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", type=int, default=50_000)
    parser.add_argument("--producers", type=int, default=0)
    parser.add_argument("--no-pilots", action="store_true")
    parser.add_argument("--no-broker", action="store_true")
    parser.add_argument("--round", type=Path, help="settings: only begin the round")
    options = parser.parse_args()
    n, producers = options.labels, options.producers
    if options.round:
        made = made_up(n, producers=producers) if options.no_broker else None
        console.print_json(json.dumps(begun_round(options.round, made)))
        return
    with (
        nullcontext() if options.no_broker else ApacheKafka() as kafka,
        tempfile.TemporaryDirectory() as folder,
    ):
        bootstrap = kafka.bootstrap_servers if kafka else "127.0.0.1:9"
        config = written_settings(Path(folder), bootstrap, producers, pilots=not options.no_pilots)
        if kafka:
            asyncio.run(write_labels(config, n, producers=producers))
        command = [sys.executable, "-m", __spec__.name, *sys.argv[1:], "--round", str(config)]
        raise SystemExit(subprocess.run(command, check=False).returncode)


def written_settings(folder: Path, bootstrap: str, producers: int, *, pilots: bool) -> Path:
    (folder / "task.yaml").write_text(task_yaml(TASK), encoding="utf-8")
    values = {
        "task": str(folder / "task.yaml"),
        "kafka": {"bootstrap_servers": bootstrap},
        "topics": {"partitions": 4},
        "student": {"registry": str(folder / "models")},
        "distill": {"snapshots": str(folder / "snapshots")},
        "routing": {"quotas": {"source_header": "producer" if producers else None}},
        "experiment": {"label_half_life": "auto" if pilots else None},
    }
    path = folder / "settings.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


def settings_of(path: Path) -> Settings:
    return Settings.model_validate(json.loads(path.read_text(encoding="utf-8")))


async def write_labels(config: Path, n: int, *, producers: int) -> None:
    settings, codec = settings_of(config), Codec()
    names = TopicNames.of(settings.kafka)
    await create_topics(settings.kafka, specs(names, TopicSettings(partitions=4)))
    topic = names.silver_labels
    async with clients.started(
        lambda: clients.producer(settings.kafka), settings=settings.kafka
    ) as writer:
        for label in made_up(n, producers=producers):
            await writer.send(topic, codec.encode(label, topic), label_key(label))
        await writer.flush()


def made_up(n: int, *, producers: int) -> Iterator[SilverLabel]:
    """Labels in the order of their making: some 150 characters and two mentions each."""
    lot = random.Random(15)
    words = ["".join(lot.choices(_SYLLABLES, k=lot.randint(1, 4))) for _ in range(20_000)]
    mentions = [(f"{word} {lot.choice(words)}".title(), lot.choice(TASK.labels).name)
                for word in words]  # fmt: skip
    before: list[SilverLabel] = []
    for number in range(n):
        if before and lot.random() < AGAIN:
            yield replace(lot.choice(before), labelled_at_ms=BEGAN_MS + 1000 * number)
            continue
        label = _made_up(number, n, lot, Words(words, mentions), producers)
        if lot.random() < 10_000 / n:
            before.append(label)
        yield label


def _made_up(
    number: int,
    n: int,
    lot: random.Random,
    told: Words,
    producers: int,
) -> SilverLabel:
    words, mentions = told.words, told.mentions
    text, entities = "", []
    for _ in range(lot.randint(0, 4)):
        text += " ".join(lot.choices(words, k=lot.randint(3, 9))) + " "
        surface, label = lot.choice(mentions)
        entities.append(Entity(len(text), len(text) + len(surface), label, surface))
        text += surface + " "
    text += " ".join(lot.choices(words, k=lot.randint(6, 12))) + "."
    is_cold = number < COLD_START * n
    is_persons = not is_cold and lot.random() < PERSONS
    return SilverLabel(
        task=TASK.name,
        task_digest=TASK.digest,
        text=text,
        entities=tuple(entities),
        source="bootstrap" if is_cold else "human" if is_persons else "teacher",
        audit=not is_cold and not is_persons and lot.random() < AUDITS,
        teacher_model="" if is_persons else "some-teacher-of-2026",
        prompt_version="" if is_persons else "0123456789abcdef",
        student_version="" if is_cold else f"20261101T0000{number * 50 // n:02}Z-01234567",
        record_id="" if is_cold else record_id("text", number % 8, number * 7),
        weight=1.0,
        labelled_at_ms=BEGAN_MS + 1000 * number,
        tokens_in=600,
        tokens_out=60,
        producer=f"{lot.randrange(producers):064x}" if producers and not is_cold else "",
    )


def begun_round(config: Path, made: Iterator[SilverLabel] | None) -> dict[str, Any]:
    """Begin a round and stop it at its first training step; its stages."""
    settings, stages = settings_of(config), Stages()
    task = load_task(settings.task)
    journal = MakersJournal(made, stages) if made else TimedJournal(settings, task, stages)
    stages.end("start")

    def progress(what: str, share: float) -> None:
        if what == "training" and share > 0:
            stages.end("to the first step")
            raise Enough

    try:
        run_round(settings, force=True, journal=journal, make=_made(stages), progress=progress)
    except Enough:
        return {"labels": journal.n, "stages": stages.found}
    raise RuntimeError("the round ended without a training")


def _made(stages: Stages) -> MakeStudent:
    def make(*args: Any, **how: Any) -> Made:
        stages.end("split, weigh, snapshot")
        from distill.learning.student_maker import make_student  # noqa: PLC0415 - torch, as a round

        stages.end("import torch")
        return make_student(*args, **how)

    return make


class Stages:
    """CPU and wall seconds from the end of one stage to that of the next, and memory so far."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, float]] = {}
        self._cpu, self._wall = 0.0, time.perf_counter()

    def end(self, name: str) -> None:
        cpu, wall = time.process_time(), time.perf_counter()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.found[name] = {
            "cpu_s": round(cpu - self._cpu, 1),
            "wall_s": round(wall - self._wall, 1),
            "peak_mb": round(peak / 1024),
        }
        self._cpu, self._wall = cpu, wall


class TimedJournal(KafkaJournal):
    """Says when the labels are read, and how many there were."""

    def __init__(self, settings: Settings, task: Task, stages: Stages) -> None:
        super().__init__(settings, task)
        self._stages = stages
        self.n = 0

    def labels(self) -> Any:
        found = super().labels()
        self.n = len(found)
        self._stages.end("read")
        return found


class MakersJournal(ListJournal):
    """Reads labels from their maker, as if they came from a topic."""

    def __init__(self, made: Iterator[SilverLabel], stages: Stages) -> None:
        super().__init__()
        self._made, self._stages = made, stages
        self.n = 0

    def labels(self) -> Any:
        found = standing_labels(
            (Entry(label_key(label), label, label.labelled_at_ms) for label in self._made),
            versions=TASK.versions,
        )
        self.n = len(found)
        self._stages.end("read")
        return found


if __name__ == "__main__":
    main()
