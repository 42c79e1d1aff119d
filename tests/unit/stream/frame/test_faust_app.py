from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import httpx
import pytest
from mode import Service

from stream.frame.faust_app import FaustApp
from stream.frame.halt import Halt
from stream.frame.health import Health, RoleHealth
from stream.frame.web import WorkerWeb
from stream.watch.metrics import Metrics


async def _nothing() -> None:
    return


def _app(halt: Halt, health: Health, metrics: Metrics) -> FaustApp:
    return FaustApp(
        "test",
        broker="localhost:1, [::1]:2",
        health=health,
        metrics=metrics,
        web=("127.0.0.1", 0),
        make_consumer=None,
        halt=halt,
        drain=_nothing,
    )


@asynccontextmanager
async def _running(app: FaustApp) -> AsyncIterator[httpx.AsyncClient]:
    await app.start()
    try:
        host, port = cast("WorkerWeb", app.web)._runner.addresses[0][:2]
        async with httpx.AsyncClient(trust_env=False, base_url=f"http://{host}:{port}") as http:
            yield http
    finally:
        await app.stop()


async def test_probes_answer_with_the_status_and_the_facts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ready = [False]
    health = Health({"tag": lambda: RoleHealth(ready=ready[0], live=True, facts={"lag": {"0": 3}})})
    metrics = Metrics()
    metrics.records.inc(5)
    async with _running(_app(Halt(), health, metrics)) as http:
        answer = await http.get("/ready")
        assert answer.status_code == 503
        assert answer.json() == {
            "ok": False,
            "ready": {"tag": False},
            "live": {"tag": True},
            "lag": {"0": 3},
        }
        ready[0] = True
        assert (await http.get("/ready")).status_code == 200
        assert (await http.get("/live")).status_code == 200
        shown = await http.get("/metrics")
        assert shown.headers["content-type"].startswith("text/plain")
        assert "silverstream_records_total 5.0" in shown.text
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - an async test may not use pathlib


@pytest.mark.parametrize("path", ["/", "/router/", "/table/", "/graph/", "/performance/"])
async def test_no_page_of_fausts_own_is_served(path: str) -> None:
    async with _running(_app(Halt(), Health(), Metrics())) as http:
        assert (await http.get(path)).status_code == 404


class _Part(Service):
    def __init__(self, name: str, log: list[str]) -> None:
        super().__init__()
        self._name, self._log = name, log

    async def on_start(self) -> None:
        self._log.append(f"+{self._name}")

    async def on_stop(self) -> None:
        self._log.append(f"-{self._name}")


async def test_services_start_in_their_order_and_stop_in_reverse() -> None:
    app, log = _app(Halt(), Health(), Metrics()), list[str]()
    app.services += [_Part("a", log), _Part("b", log)]
    async with _running(app):
        pass
    assert log == ["+a", "+b", "-b", "-a"]


async def test_a_service_that_dies_ends_the_worker() -> None:
    halt, part = Halt(), _Part("part", [])
    app = _app(halt, Health(), Metrics())
    app.services.append(part)
    async with _running(app):
        reason = RuntimeError("fetch failed")
        await part.crash(reason)
        async with asyncio.timeout(30):
            assert await halt.reason is reason


async def test_a_service_that_dies_in_a_thread_of_its_own_ends_the_worker() -> None:
    halt, part = Halt(), _Part("part", [])
    app = _app(halt, Health(), Metrics())
    app.services.append(part)
    async with _running(app):
        reason = RuntimeError("commit failed")
        await asyncio.to_thread(lambda: asyncio.run(part.crash(reason)))
        async with asyncio.timeout(30):
            assert await halt.reason is reason


class _LastWords(Service):
    async def on_stop(self) -> None:
        await self.crash(RuntimeError("the last commit failed"))


async def test_a_service_that_dies_while_the_worker_stops_is_no_reason_to_halt() -> None:
    halt = Halt()
    app = _app(halt, Health(), Metrics())
    app.services.append(_LastWords())
    async with _running(app):
        pass
    await asyncio.sleep(0)
    assert not halt.reason.done()


async def test_without_an_agent_faust_makes_no_consumer() -> None:
    app = _app(Halt(), Health(), Metrics())
    async with _running(app):
        assert app._consumer is None
        assert app._producer is None
