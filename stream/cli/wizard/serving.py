"""The serving stream: a worker in the background, and a prompt whose texts go through Kafka."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from rich.text import Text

from schemas.errors import ChildDiedError
from schemas.settings import Settings
from schemas.types import EntityEvent
from schemas.wire.codec import Codec, open_codec
from schemas.wire.record_ids import record_id
from schemas.wire.topics import TopicNames
from stream.cli.painting import annotated_line
from stream.cli.wizard.files import SETTINGS
from stream.kafka.clients import consumer, producer, started
from stream.kafka.local.child_process import ChildProcess
from stream.kafka.local.embedded import free_port
from stream.kafka.topics import partition_counts

LOG = Path("logs/run.log")
_START_S = 120.0
_EVENT_S = 30.0
_POLL_S = 0.2
_POLL_MS = 200
_STOPS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Worker:
    """A running `silverstream run`, all roles, and its web address."""

    child: ChildProcess
    url: str

    def wait_until_ready(self, *, timeout_s: float = _START_S) -> None:
        """Wait until it serves; `ChildDiedError` when it ends before, or takes too long."""
        deadline = time.monotonic() + timeout_s
        with httpx.Client(trust_env=False, timeout=5) as http:
            while not _is_ready(http, self.url):
                if not self.child.running or time.monotonic() > deadline:
                    what = "did not become ready" if self.child.running else "ended"
                    tail = self.child.log_tail(lines=5)
                    raise ChildDiedError(f"the worker {what}, see {LOG}: {tail}", last_words=tail)
                time.sleep(_POLL_S)


def _is_ready(http: httpx.Client, url: str) -> bool:
    try:
        return http.get(f"{url}/ready").status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


@contextmanager
def worker(settings: Settings) -> Iterator[Worker]:
    """Run a worker until the context ends, its web pages on a port that is free."""
    LOG.parent.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [sys.executable, "-m", "stream.cli.main", "run", "--config", SETTINGS]
    env = os.environ | {"SILVERSTREAM_WEB__PORT": str(port)}
    child = ChildProcess(command, log=LOG, env=env)
    try:
        yield Worker(child, f"http://{settings.web.host}:{port}")
    finally:
        child.stop(grace_s=settings.kafka.drain_timeout_s + 10)


@dataclass(slots=True)
class Stream:
    """Texts in, events out, over Kafka; use `open_stream`."""

    settings: Settings
    codec: Codec
    texts: AIOKafkaProducer
    events: AIOKafkaConsumer

    async def events_of(
        self, text: str, *, timeout_s: float = _EVENT_S
    ) -> AsyncIterator[EntityEvent]:
        """Send a text and give its events, the final one last, as far as they come in time."""
        names = TopicNames.of(self.settings.kafka)
        stored = await self.texts.send_and_wait(names.text, text.encode())
        name = record_id(stored.topic, stored.partition, stored.offset)
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            for records in (await self.events.getmany(timeout_ms=_POLL_MS)).values():
                for record in records:
                    event = self.codec.decode(EntityEvent, record.value)
                    if event.record_id == name:
                        yield event
                        if event.status == "final":
                            return


@asynccontextmanager
async def open_stream(settings: Settings) -> AsyncIterator[Stream]:
    """Connect; only events from now on are read. Raises `BrokerUnavailableError`."""
    kafka, names = settings.kafka, TopicNames.of(settings.kafka)
    n = (await partition_counts(kafka, [names.entities])).get(names.entities, 0)
    async with (
        open_codec(settings.schema_registry) as codec,
        started(lambda: producer(kafka), settings=kafka) as texts,
        started(lambda: consumer(kafka), settings=kafka) as events,
    ):
        events.assign([TopicPartition(names.entities, one) for one in range(n)])
        await events.seek_to_end()
        yield Stream(settings, codec, texts, events)


def talk(
    settings: Settings,
    labels: tuple[str, ...],
    read: Callable[[], str],
    show: Callable[[Any], None],
) -> int:
    """Send what is read, line by line, and show what comes of it; give how many texts it was.

    An empty line, or the end of the input, ends it.
    """
    sent = 0
    # Between the loop's turns, not in a thread beside it: Ctrl-C must reach whoever reads.
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        try:
            stream = runner.run(stack.enter_async_context(open_stream(settings)))
            while text := _line(read).strip():
                sent += 1
                runner.run(_show_events(stream, text, labels, show))
        finally:
            runner.run(stack.aclose())
    return sent


async def _show_events(
    stream: Stream, text: str, labels: tuple[str, ...], show: Callable[[Any], None]
) -> None:
    found = False
    async for event in stream.events_of(text):
        found = True
        show(_shown(text, event, labels))
    if not found:
        show(f"  no event yet: see {LOG}")


def _line(read: Callable[[], str]) -> str:
    try:
        return read()
    except EOFError:
        return ""


def _shown(text: str, event: EntityEvent, labels: tuple[str, ...]) -> Text:
    by = {"student": "the student", "teacher": "the teacher"}.get(
        event.decided_by, event.decided_by
    )
    told = f"  {by}, {event.confidence:.0%} sure" if event.decided_by == "student" else f"  {by}"
    later = "; the teacher is being asked" if event.status == "provisional" else ""
    return annotated_line(text, event, labels).append(f"{told}{later}", style="dim")


def until_told(one: Worker) -> None:
    """Wait until Ctrl-C or SIGTERM; `ChildDiedError` when the worker ends before."""
    stop = threading.Event()
    before = [(number, signal.signal(number, lambda *_: stop.set())) for number in _STOPS]
    try:
        while one.child.running:
            if stop.wait(_POLL_S):
                return
    finally:
        for number, handler in before:
            signal.signal(number, handler)
    tail = one.child.log_tail(lines=5)
    raise ChildDiedError(f"the worker ended, see {LOG}: {tail}", last_words=tail)
