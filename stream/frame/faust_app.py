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
from stream.frame.role import Role
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
        if app.consuming:
            yield app.consumer
            yield app.agents
            yield app.topics
            yield app.tables

    def web_components(self) -> Iterable[Any]:
        return ()


class FaustApp(faust.App):
    """A Faust app over the services that it is given, and after `consume` one for agents too.

    `services` start in their order, before the consumer, and stop in reverse.
    `halt` is told of whatever Faust dies of. `web` is host and port; the
    system chooses the port 0.
    """

    BootStrategy = _Boot

    def __init__(
        self,
        app_id: str,
        *,
        broker: str,
        web: tuple[str, int],
        metrics: Metrics,
        halt: Callable[[BaseException], None],
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
            stream_wait_empty=True,  # as our consumer does it
            stream_processing_timeout=_SLOW_S,
            broker_commit_livelock_soft_timeout=_SLOW_S,
            web_enabled=True,
            loop=asyncio.get_running_loop(),
        )
        self.finalize()
        self.services: list[Service] = []
        self.health = Health()
        self.web = self.pages = WorkerWeb(self, address=web, health=self.health, metrics=metrics)
        self.consuming = False
        self._halt = halt
        self._ending = False
        self._reason: BaseException | None = None

    def play(self, name: str, role: Role) -> None:
        """Start a role after those before it, stop it before them, and show its health."""
        self.services.append(_Playing(name, role))
        self.health.roles[name] = role.health

    def consume(self, make_consumer: MakeConsumer, *, drain: Callable[[], Awaitable[None]]) -> None:
        """Have a consumer, before the first agent is registered.

        `make_consumer` is called in the consumer's thread; `drain` waits, within
        its own limit, for what the agents have in hand.
        """
        self.transport = Transport(self, make_consumer=make_consumer, drain=drain)
        self.consuming = True

    async def on_first_start(self) -> None:
        """Make no data folder, as Faust would: there are no tables."""

    async def on_start(self) -> None:
        """Tie the topics to the consumer; an app without one has nothing to tie."""
        if self.consuming:
            await super().on_start()

    async def stop(self) -> None:
        """Stop all; what dies from here on is no reason to halt."""
        self._ending = True
        await super().stop()

    @property
    def crash_reason(self) -> BaseException | None:
        """What killed a service of this app, ours or Faust's, if anything did."""
        return self._reason

    @crash_reason.setter
    def crash_reason(self, reason: BaseException | None) -> None:
        # A service that dies sets this of its app, and does not call `crash` of it. Faust's
        # consumer dies in a thread of its own, where the event of a crash wakes nobody here.
        self._reason = reason
        if reason is not None and not self._ending:
            self.loop.call_soon_threadsafe(self._halt, reason)


class _Playing(Service):
    """A role in Faust's order of starting and stopping."""

    def __init__(self, name: str, role: Role) -> None:
        super().__init__()
        self._name, self._role = name, role

    @property
    def label(self) -> str:
        return self._name

    async def on_start(self) -> None:
        await self._role.start()

    async def on_stop(self) -> None:
        await self._role.stop()
