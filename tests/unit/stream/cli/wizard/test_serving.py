"""Texts through Kafka and back, with a stand-in for the worker."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import ChildDiedError
from schemas.settings import Settings
from schemas.types import Entity
from schemas.wire.codec import Codec
from schemas.wire.record_ids import record_id
from schemas.wire.topics import TopicNames
from stream.cli.wizard.serving import Worker, talk, until_told
from stream.kafka.local.child_process import ChildProcess
from stream.kafka.local.embedded import EmbeddedBroker
from stream.kafka.topic_logs import CaughtUp, append, follow
from stream.kafka.topics import create_topics, specs
from stream.testing.messages import an_event

ADA = Entity(0, 3, "PER", "Ada")


@pytest.fixture
async def settings(embedded_broker: EmbeddedBroker) -> Settings:
    found = Settings.model_validate(
        {
            "kafka": {
                "bootstrap_servers": embedded_broker.bootstrap_servers,
                "text_topic": "talk",
                "topic_prefix": "talk.",
            },
            "topics": {"partitions": 2},
        }
    )
    await create_topics(found.kafka, specs(TopicNames.of(found.kafka), found.topics))
    return found


@asynccontextmanager
async def answering(settings: Settings) -> AsyncIterator[None]:
    """Stand in for a worker: each text is unsure at first, and Ada by the teacher."""
    codec, topic = Codec(), TopicNames.of(settings.kafka).entities

    async def work() -> None:
        async for record in follow(settings.kafka, "talk"):
            if isinstance(record, CaughtUp):
                continue
            where = record.partition
            first = an_event(
                record_id=record_id("talk", where, record.offset),
                entities=(),
                status="provisional",
                decided_by="student",
                confidence=0.4,
            )
            final = replace(
                first, entities=(ADA,), status="final", decided_by="teacher", revision=2
            )
            for event in (an_event(record_id="another-0-0"), first, final):
                value = codec.encode(event, topic)
                await append(settings.kafka, topic, key=b"k", value=value)

    working = asyncio.create_task(work())
    try:
        yield
    finally:
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working


async def test_a_text_comes_back_as_each_of_its_events(settings: Settings) -> None:
    lines, shown = iter(["Ada came", ""]), list[str]()
    async with answering(settings):
        sent = await asyncio.to_thread(
            talk, settings, ("PER",), lambda: next(lines), lambda words: shown.append(str(words))
        )
    assert sent == 1
    assert shown == [
        "Ada came  nothing  the student, 40% sure; the teacher is being asked",
        "Ada[PER] came  the teacher",
    ]


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Any]:
    started = list[ChildProcess]()

    def start(code: str) -> ChildProcess:
        one = ChildProcess([sys.executable, "-c", code], log=tmp_path / "log")
        started.append(one)
        return one

    yield start
    for one in started:
        one.kill()


def test_a_worker_that_ends_is_told_with_its_last_words(child: Any) -> None:
    one = Worker(child("print('no broker', flush=True)"), "http://127.0.0.1:1")
    with pytest.raises(ChildDiedError, match="no broker"):
        one.wait_until_ready()
    with pytest.raises(ChildDiedError, match="no broker"):
        until_told(one)


def test_a_worker_that_never_serves_is_not_waited_for_for_ever(child: Any) -> None:
    one = Worker(child("import time; time.sleep(60)"), "http://127.0.0.1:1")
    with pytest.raises(ChildDiedError, match="the worker"):
        one.wait_until_ready(timeout_s=0.0)
