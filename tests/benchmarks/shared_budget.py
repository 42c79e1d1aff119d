"""Three teach workers, one budget: answers with faults of every dialect, kills, rebalances.

    python -m tests.benchmarks.shared_budget [--requests N] [--kills N] [--json FILE]

Every worker is a machine of its own: its own process, its own ledger. A fourth asks for judging all
the while, from the share kept apart. The budget is about half of what all requests would take, so
that there is demand until the end. What the simulator counts, in the bodies that it sent, is what a
provider would bill. A broken promise ends it with an error.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from aiohttp import web

from schemas.errors import AnswerError, RetryError
from schemas.files.task_file import task_yaml
from schemas.settings import Settings, load_settings
from schemas.types import Entity, EntityEvent, SilverLabel, text_digest
from schemas.wire.codec import Codec
from schemas.wire.topics import TopicNames
from stream.cli.budget import an_opening
from stream.kafka import clients
from stream.kafka.spend_log import open_spend, read_spend, spend_log_of
from stream.kafka.topic_logs import end_offsets, read_to_end
from stream.kafka.topics import create_topics, specs
from stream.lab.teacher_sim.dialects import DIALECTS
from stream.lab.teacher_sim.faults import FAULTS, SimulatorSettings
from stream.lab.teacher_sim.simulator import serving, teacher_sim_app
from stream.teacher.factory import make_teacher
from stream.teacher.kinds.kind import kind_of
from stream.teacher.shared_spend import SpendView, nano, view_of
from stream.testing.apache_kafka import ApacheKafka
from stream.testing.endpoints import TASK
from stream.testing.messages import a_request

_WORKERS: Final = 3
_PARTITIONS: Final = 6
_FAULTS: Final = 0.10
_APART: Final = 0.1
_POLL_S: Final = 2.0
_LONGEST_S: Final = 3600.0
_PILOT: Final = 40


@dataclass(slots=True)
class Billed:
    """What the simulator sent with a usage: what a provider would bill."""

    settings: Settings
    nano_usd: int = 0
    answers: int = 0

    def middleware(self) -> Any:
        """Make what counts each response."""

        @web.middleware
        async def counted(request: web.Request, handler: Any) -> web.StreamResponse:
            response: web.StreamResponse = await handler(request)
            self._count(getattr(response, "body", None))
            return response

        return counted

    def _count(self, body: Any) -> None:
        with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
            usage = json.loads(body or b"")["usage"]
            tokens_in, out = usage["prompt_tokens"], usage["completion_tokens"]
            out = max(out, usage.get("total_tokens", 0) - tokens_in)
            self.nano_usd += nano(self.settings.teacher.price_usd(tokens_in, out))
            self.answers += 1


@dataclass(slots=True)
class Machine:
    """A worker with a state file of its own, started as often as it is killed."""

    config: Path
    starts: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        """Start it; what it says is kept."""
        self.starts += 1
        command = [sys.executable, "-c", "from stream.cli.main import main; main()"]
        with self.config.with_suffix(f".{self.starts}.log").open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "run", "teach", "--config", str(self.config)],
                stdout=log,
                stderr=log,
                env=os.environ | {"SILVERSTREAM_WEB__PORT": "0"},
            )

    def end(self, number: int) -> None:
        """Send it a signal, and wait for its end."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait()


def texts_of(n: int) -> dict[str, tuple[Entity, ...]]:
    """Make texts that differ, and what is in them."""
    return {f"Ada {i} met Bea in Oslo": (Entity(0, 3, "PER", "Ada"),) for i in range(n)}


def written_settings(folder: Path, servers: str, url: str, budget_usd: float) -> Sequence[Path]:
    """Write the settings of each machine; the last one's is the one that asks for judging."""
    (folder / "task.yaml").write_text(task_yaml(TASK), encoding="utf-8")
    return [_settings_file(folder, f"m{i}", servers, url, budget_usd) for i in range(_WORKERS + 1)]


def _settings_file(folder: Path, name: str, servers: str, url: str, budget_usd: float) -> Path:
    values = {
        "task": str(folder / "task.yaml"),
        "kafka": {
            "bootstrap_servers": servers,
            "session_timeout_ms": 4000,
            "drain_timeout_s": 5,
        },
        "topics": {"partitions": _PARTITIONS},
        "student": {"registry": str(folder / "models")},
        "teacher": {
            "base_url": url,
            "state": str(folder / f"{name}.sqlite"),
            "budget_usd_per_day": budget_usd,
            "budget_usd_per_task": budget_usd,
            "budget_holds_for": "cluster",
            "budget_share_apart": _APART,
            "max_output_tokens": 96,
            "read_timeout_s": 1.0,
            "max_retry_wait_s": 2.0,
        },
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


async def request_all(settings: Settings, texts: Sequence[str]) -> None:
    """Write the requests, as the tag role would."""
    names, codec = TopicNames.of(settings.kafka), Codec()
    expires = (time.time_ns() // 1_000_000) + 24 * 3600 * 1000
    async with clients.started(
        lambda: clients.producer(settings.kafka), settings=settings.kafka
    ) as producer:
        sent = []
        for i, text in enumerate(texts):
            at = i % _PARTITIONS
            request = a_request(
                task=TASK.name,
                task_digest=TASK.digest,
                record_id=f"{names.text}-{at}-{i // _PARTITIONS}",
                source_topic=names.text,
                source_partition=at,
                text=text,
                expires_at_ms=expires,
            )
            value = codec.encode(request, names.teacher_requests)
            sent.append(await producer.send(names.teacher_requests, value, partition=at))
        await asyncio.gather(*sent)


async def ask_apart(settings: Settings, texts: Sequence[str], stop: asyncio.Event) -> Counter[str]:
    """Ask as a round's judging does, until told to stop: there is demand there too."""
    told: Counter[str] = Counter()
    teacher, _ = make_teacher(
        TASK, settings, purpose="judging", apart="judging", spend_log=spend_log_of(settings)
    )
    async with aclosing(teacher):
        for text in texts:
            if stop.is_set():
                break
            try:
                await teacher.label(text)
                told["answered"] += 1
            except (AnswerError, RetryError) as error:
                told[error.code] += 1
                await asyncio.sleep(0.2 if error.code == "budget_exhausted" else 0)
    return told


async def disturb(
    machines: Sequence[Machine], kills: int, lot: random.Random, left: Callable[[], float]
) -> list[float]:
    """Kill workers, each at its time: evenly, as what is `left` falls from 1 to 0."""
    at: list[float] = []
    for n in range(kills):
        while left() > 1 - (n + 1) / (kills + 1):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.1)
        machine = lot.choice(machines)
        machine.end(signal.SIGKILL)
        at.append(round(1 - left(), 3))
        await asyncio.sleep(lot.uniform(0, 6))  # now and then long enough for a rebalance
        machine.start()
    return at


async def played(n: int, kills: int, folder: Path, servers: str) -> dict[str, Any]:
    """Play it, and give the figures."""
    texts = texts_of(n)
    faults = {fault: _FAULTS / len(FAULTS) for fault in FAULTS}
    spoken = tuple(name for name, dialect in DIALECTS.items() if dialect.says(TASK.kind))
    simulated = SimulatorSettings(latency_s=0.05, jitter=0.5, faults=faults, dialects=spoken)
    app = teacher_sim_app(texts, simulated, kind=kind_of(TASK.kind, TASK.choose))
    billed = Billed(Settings())
    app.middlewares.append(billed.middleware())
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serving(app))
        usd_each = await _pilot(folder, url, texts, billed)
        budget = n * usd_each / 2
        files = written_settings(folder, servers, url, budget)
        settings = load_settings(files[-1])
        await create_topics(settings.kafka, specs(TopicNames.of(settings.kafka), settings.topics))
        await open_spend(settings, Codec(), an_opening(0.0, now_s=time.time()))
        await request_all(settings, [*texts])
        return await _measured(
            settings, files[:-1], [*texts], kills=kills, billed=billed, budget=budget
        )


async def _pilot(
    folder: Path, url: str, texts: dict[str, tuple[Entity, ...]], billed: Billed
) -> float:
    """Ask a few, by a ledger of their own, to see what one takes."""
    (folder / "task.yaml").write_text(task_yaml(TASK), encoding="utf-8")
    values = {"base_url": url, "state": str(folder / "pilot.sqlite"), "read_timeout_s": 1.0}
    settings = load_settings(task=str(folder / "task.yaml"), teacher=values)
    teacher, store = make_teacher(TASK, settings, purpose="check")
    async with aclosing(teacher):
        for text in [*texts][-_PILOT:]:
            with contextlib.suppress(AnswerError, RetryError):
                await teacher.label(text)
        store.totals()
    usd_each = billed.nano_usd / 1e9 / max(1, billed.answers)
    billed.nano_usd = billed.answers = 0
    return usd_each


async def _measured(
    settings: Settings,
    files: Sequence[Path],
    texts: Sequence[str],
    *,
    kills: int,
    billed: Billed,
    budget: float,
) -> dict[str, Any]:
    started, stop, done = time.monotonic(), asyncio.Event(), 0
    topic = TopicNames.of(settings.kafka).entities
    machines = [Machine(file) for file in files]
    for machine in machines:
        machine.start()
    apart = asyncio.create_task(ask_apart(settings, [*texts] * 3, stop))
    disturbing = asyncio.create_task(
        disturb(machines, kills, random.Random(7), lambda: _left(done / len(texts), billed, budget))
    )
    try:
        while done < len(texts) or not disturbing.done():
            if time.monotonic() - started > _LONGEST_S:
                raise TimeoutError(f"{done} of {len(texts)} requests ended in {_LONGEST_S:.0f} s")
            await asyncio.sleep(_POLL_S)
            done = min(sum((await end_offsets(settings.kafka, topic)).values()), len(texts))
            if done == len(texts) and len(await _events(settings)) < len(texts):
                done -= 1  # some came twice
    finally:
        stop.set()
        told = await apart
        for machine in machines:
            machine.end(signal.SIGTERM)
    seconds = time.monotonic() - started
    view = view_of(await read_spend(settings, Codec()))
    found = await _figures(settings, view, billed, budget, texts)
    return found | {
        "seconds": round(seconds),
        "kills_at": disturbing.result(),
        "starts": sum(machine.starts for machine in machines),
        "apart": dict(told),
    }


def _left(done: float, billed: Billed, budget: float) -> float:
    """Say what is left, half by requests and half by money, of which some is never billed."""
    return 1 - (done + min(1.0, billed.nano_usd / (0.7e9 * budget))) / 2


async def _events(settings: Settings) -> dict[str, EntityEvent]:
    codec, topic = Codec(), TopicNames.of(settings.kafka).entities
    found: dict[str, EntityEvent] = {}
    async for record in read_to_end(settings.kafka, topic):
        event = codec.decode(EntityEvent, record.value or b"")
        found[event.record_id] = event
    return found


async def _figures(
    settings: Settings, view: SpendView, billed: Billed, budget: float, texts: Sequence[str]
) -> dict[str, Any]:
    """Hold what came out against what is promised; `AssertionError` where that is broken."""
    events, codec = await _events(settings), Codec()
    labels: Counter[str] = Counter()
    async for record in read_to_end(settings.kafka, TopicNames.of(settings.kafka).silver_labels):
        label = codec.decode(SilverLabel, record.value or b"")
        labels[text_digest(label.text)] = 1
    answered = {e.text_digest for e in events.values() if e.decided_by == "teacher"}
    unanswered = Counter(e.reason for e in events.values() if e.decided_by != "teacher")
    booked = view.spent("task", TASK.name)
    stream = view.spent("task", TASK.name, "stream")
    most, most_stream = int(budget * 1e9), int(budget * 1e9 * (1 - _APART))
    checks = {
        "every request ended": len(events) == len(texts),
        "all are final second revisions": all(
            (e.revision, e.status) == (2, "final") for e in events.values()
        ),
        "every answer is one label": answered <= set(labels),
        "every other one says why": all(unanswered),
        "never above the budget, as booked": booked.nano_usd <= most,
        "never above the budget, as billed": billed.nano_usd <= most,
        "nothing was billed that is not booked": billed.nano_usd <= booked.nano_usd,
        "at most a twentieth unspent": booked.nano_usd >= 0.95 * most,
        "at most a twentieth of the stream's unspent": stream.nano_usd >= 0.95 * most_stream,
        "there was demand to the end": unanswered["budget_exhausted"] > 0,
    }
    broken = [words for words, holds in checks.items() if not holds]
    return {
        "requests": len(texts),
        "answered": len(answered),
        "unanswered": dict(unanswered),
        "labels": len(labels),
        "calls": sum(row.calls for row in view.rows),
        "budget_usd": budget,
        "booked_share": booked.nano_usd / most,
        "stream_booked_share": stream.nano_usd / most_stream,
        "billed_share": billed.nano_usd / most,
        "answers_billed": billed.answers,
        "records": sum((await end_offsets(settings.kafka, _spend(settings))).values()),
        "broken": broken,
    }


def _spend(settings: Settings) -> str:
    return TopicNames.of(settings.kafka).teacher_spend


def main() -> None:
    """Play it on an Apache Kafka of its own; the exit code is 1 where a promise was broken."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--requests", type=int, default=10_000)
    options.add_argument("--kills", type=int, default=9)
    options.add_argument("--json", type=Path)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, ApacheKafka() as kafka:
        found = asyncio.run(
            played(asked.requests, asked.kills, Path(folder), kafka.bootstrap_servers)
        )
    told = json.dumps(found, indent=2)
    sys.stdout.write(f"{told}\n")
    if asked.json:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        asked.json.write_text(told + "\n", encoding="utf-8")
    if found["broken"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
