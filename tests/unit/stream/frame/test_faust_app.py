from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from mode import Service

from schemas.errors import ConfigError
from stream.frame.faust_app import FaustApp
from stream.frame.halt import Halt
from stream.frame.health import RoleHealth
from stream.testing.lanes import until
from stream.watch.metrics import Metrics


def _app(halt: Halt | None = None, metrics: Metrics | None = None, *, port: int = 0) -> FaustApp:
    return FaustApp(
        "test",
        broker="localhost:1, [::1]:2",
        web=("127.0.0.1", port),
        metrics=metrics or Metrics(),
        halt=halt or Halt(),
    )


@asynccontextmanager
async def _running(app: FaustApp) -> AsyncIterator[httpx.AsyncClient]:
    await app.start()
    try:
        host, port = app.pages.addresses[0]
        async with httpx.AsyncClient(trust_env=False, base_url=f"http://{host}:{port}") as http:
            yield http
    finally:
        await app.stop()


class _FakeRole:
    """Notes what it is told, and waits in `start` for `begin`, if that is given."""

    def __init__(self, name: str, log: list[str], *, begin: asyncio.Event | None = None) -> None:
        self.name, self.log, self.begin = name, log, begin
        self.ready = False

    async def start(self) -> None:
        if self.begin is not None:
            await self.begin.wait()
        self.log.append(f"+{self.name}")
        self.ready = True

    async def stop(self) -> None:
        self.log.append(f"-{self.name}")

    def health(self) -> RoleHealth:
        return RoleHealth(ready=self.ready, live=True, facts={"lag": {"0": 3}})


async def test_probes_answer_with_the_status_and_the_facts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    metrics = Metrics()
    metrics.records.inc(5)
    app, role = _app(metrics=metrics), _FakeRole("tag", [])
    app.play("tag", role)
    async with _running(app) as http:
        assert (await http.get("/ready")).status_code == 200
        assert (await http.get("/live")).status_code == 200
        role.ready = False
        answer = await http.get("/ready")
        assert answer.status_code == 503
        assert answer.json() == {
            "ok": False,
            "ready": {"tag": False},
            "live": {"tag": True},
            "lag": {"0": 3},
        }
        shown = await http.get("/metrics")
        assert shown.headers["content-type"].startswith("text/plain")
        assert "silverstream_records_total 5.0" in shown.text
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - an async test may not use pathlib


async def test_probes_answer_while_a_role_still_starts() -> None:
    app, begin = _app(), asyncio.Event()
    app.play("preflight", _FakeRole("preflight", [], begin=begin))
    starting = asyncio.create_task(app.start())
    await until(lambda: bool(app.pages.addresses))
    host, port = app.pages.addresses[0]
    async with httpx.AsyncClient(trust_env=False, base_url=f"http://{host}:{port}") as http:
        assert (await http.get("/ready")).status_code == 503
        begin.set()
        await starting
        assert (await http.get("/ready")).status_code == 200
    await app.stop()


async def test_a_port_that_is_taken_is_said_with_the_setting_to_change() -> None:
    first = _app()
    async with _running(first):
        _, port = first.pages.addresses[0]
        second = _app(port=port)
        with pytest.raises(ConfigError, match=rf"cannot listen on 127\.0\.0\.1:{port}.*web\.port"):
            await second.start()
        await second.stop()


@pytest.mark.parametrize("path", ["/", "/router/", "/table/", "/graph/", "/performance/"])
async def test_no_page_of_fausts_own_is_served(path: str) -> None:
    async with _running(_app()) as http:
        assert (await http.get(path)).status_code == 404


async def test_roles_start_in_their_order_and_stop_in_reverse() -> None:
    app, log = _app(), list[str]()
    app.play("a", _FakeRole("a", log))
    app.play("b", _FakeRole("b", log))
    async with _running(app):
        pass
    assert log == ["+a", "+b", "-b", "-a"]


async def test_a_role_that_never_started_is_stopped_too() -> None:
    app, log = _app(), list[str]()
    app.play("a", _FakeRole("a", log, begin=asyncio.Event()))
    app.play("b", _FakeRole("b", log))
    starting = asyncio.create_task(app.start())
    await until(lambda: bool(app.pages.addresses))
    starting.cancel()
    await asyncio.wait([starting])
    await app.stop()
    assert log == ["-b", "-a"]


class _Mortal(Service):
    """A service such as Faust's own are."""


async def test_a_service_that_dies_ends_the_worker() -> None:
    halt, service = Halt(), _Mortal()
    app = _app(halt)
    app.services.append(service)
    async with _running(app):
        reason = RuntimeError("fetch failed")
        await service.crash(reason)
        async with asyncio.timeout(30):
            assert await halt.reason is reason
        assert app.crash_reason is reason


async def test_a_service_that_dies_in_a_thread_of_its_own_ends_the_worker() -> None:
    halt, service = Halt(), _Mortal()
    app = _app(halt)
    app.services.append(service)
    async with _running(app):
        reason = RuntimeError("commit failed")
        await asyncio.to_thread(lambda: asyncio.run(service.crash(reason)))
        async with asyncio.timeout(30):
            assert await halt.reason is reason


class _LastWords(Service):
    async def on_stop(self) -> None:
        await self.crash(RuntimeError("the last commit failed"))


async def test_a_service_that_dies_while_the_worker_stops_is_no_reason_to_halt() -> None:
    halt = Halt()
    app = _app(halt)
    app.services.append(_LastWords())
    async with _running(app):
        pass
    await asyncio.sleep(0)
    assert not halt.reason.done()


async def test_without_an_agent_faust_makes_no_consumer() -> None:
    app = _app()
    app.transport = cast("Any", object())  # of which nothing can be made
    async with _running(app) as http:
        assert (await http.get("/live")).status_code == 200
