"""Faust, cut to what Silverstream needs of it: services in order, one agent, timers, web.

Left out on purpose: the leader's topic, reply topics, declared topics, the
data folder, the pages that show internals, and Faust's own producer (outputs
go through a producer whose deliveries are awaited). Without an agent there is
no consumer either.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, cast

import faust
from faust.app.base import BootStrategy
from mode import Service
from yarl import URL

from stream.frame.faust_driver import MakeConsumer, Transport
from stream.frame.health import Health
from stream.frame.web import WorkerWeb
from stream.watch.metrics import Metrics

# Faust warns when an agent is slower than this; asking may take long, and /live watches it.
_SLOW_S = 24 * 3600.0
_BUFFER_RECORDS = 256


class _Boot(BootStrategy):
    """Web first, so that probes are answered while the brokers are waited for."""

    def server(self) -> Iterable[Any]:
        app = cast("FaustApp", self.app)
        yield from self.web_server()
        yield from app.services
        if app.make_consumer is not None:
            yield app.consumer
            yield app.agents
            yield app.topics
            yield app.tables

    def web_components(self) -> Iterable[Any]:
        return ()


class FaustApp(faust.App):
    """A Faust app over given services and, with `make_consumer`, one consumer for its agents.

    `services` start in their order, before the consumer. `halt` is told of
    whatever Faust dies of; `drain` waits for what the agents have in hand.
    """

    BootStrategy = _Boot

    def __init__(
        self,
        app_id: str,
        *,
        broker: str,
        health: Health,
        metrics: Metrics,
        web: tuple[str, int],
        make_consumer: MakeConsumer | None,
        halt: Callable[[BaseException], None],
        drain: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(
            app_id,
            broker=[URL(f"kafka://{server.strip()}") for server in broker.split(",")],
            autodiscover=False,
            topic_allow_declare=False,
            topic_disable_leader=True,
            key_serializer="raw",
            value_serializer="raw",
            stream_buffer_maxsize=_BUFFER_RECORDS,
            stream_wait_empty=False,
            stream_processing_timeout=_SLOW_S,
            broker_commit_livelock_soft_timeout=_SLOW_S,
            web_enabled=True,
            loop=asyncio.get_running_loop(),
        )
        self._address = web
        self.services: list[Service] = []
        self.make_consumer = make_consumer
        self._health = health
        self._metrics = metrics
        self._halt = halt
        self._drain = drain

    async def on_start(self) -> None:
        """Finalize; an app without a consumer has nothing to tie to it."""
        if self.make_consumer is None:
            self.finalize()
        else:
            await super().on_start()

    def _crash(self, reason: BaseException) -> None:
        # A service that dies, of ours or of Faust's, calls this and not `crash` of its app,
        # the consumer from a thread of its own.
        super()._crash(reason)
        if not self._stopped.is_set():
            self.loop.call_soon_threadsafe(self._halt, reason)

    def _new_transport(self) -> Transport:
        if self.make_consumer is None:
            raise RuntimeError("this app has no consumer")
        return Transport(self, make_consumer=self.make_consumer)

    def _new_web(self) -> WorkerWeb:
        host, port = self._address
        return WorkerWeb(self, host=host, port=port, health=self._health, metrics=self._metrics)

    async def _consumer_wait_empty(self, consumer: Any, logger: Any) -> None:  # noqa: ARG002 - Faust's signature
        # Called before partitions go and before the end. Faust's own way has no time limit.
        await self._drain()
        await consumer.commit()

    def _create_directories(self) -> None:
        """Make no data folder: there are no tables."""
