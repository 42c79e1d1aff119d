from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import fsspec
import pytest
from aiohttp import web

from schemas.errors import ConfigError, StoreUnavailableError
from schemas.files.capped_http import guarded_client
from schemas.files.remote_folder import RemoteFolder
from stream.lab.teacher_sim.simulator import serving
from stream.testing.s3_server import ENVIRONMENT

Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def store(respond: Respond) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/{path:.*}", respond)  # and HEAD
    async with serving(app) as url:
        yield url.removesuffix("/v1")


async def read(url: str, *, most: int = 1000) -> bytes:
    folder = RemoteFolder(url, timeout_s=20)
    return await asyncio.to_thread(folder.read, "file", max_bytes=most)


async def test_a_file_is_read_over_http() -> None:
    async def respond(request: web.Request) -> web.Response:
        if request.method == "GET":
            assert request.headers["Accept-Encoding"] == "identity"
            assert request.headers["Range"] == "bytes=0-4"
        return web.Response(body=b"bytes")

    async with store(respond) as url:
        assert await read(url) == b"bytes"


async def test_a_login_that_the_drivers_settings_give_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def respond(request: web.Request) -> web.Response:
        known = request.headers.get("Authorization") == "Bearer canary"
        return web.Response(body=b"bytes") if known else web.Response(status=401)

    monkeypatch.setitem(fsspec.config.conf, "http", {"headers": {"Authorization": "Bearer canary"}})
    async with store(respond) as url:
        assert await read(url) == b"bytes"


async def test_a_store_that_sends_more_than_it_said_is_cut_off() -> None:
    sent = 0

    async def respond(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        if request.method == "HEAD":
            return web.Response(headers={"Content-Length": "5"})
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(64):
            await response.write(b" " * 2**20)
            sent += 1
        return response

    async with store(respond) as url:
        with pytest.raises(StoreUnavailableError, match="more than the 5 bytes"):
            await read(url)
    assert sent < 64


async def test_a_compressed_file_is_not_opened() -> None:
    async def respond(request: web.Request) -> web.Response:
        if request.method == "HEAD":
            return web.Response(headers={"Content-Length": "900"})
        bomb = gzip.compress(b" " * 2**20)
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    async with store(respond) as url:
        with pytest.raises(StoreUnavailableError, match="compressed"):
            await read(url)


async def test_a_redirect_is_not_followed() -> None:
    followed = False

    async def respond(request: web.Request) -> web.Response:
        nonlocal followed
        if request.path == "/elsewhere":
            followed = True
            return web.Response(body=b"bytes")
        return web.Response(status=302, headers={"Location": "/elsewhere", "X": "1"}, body=b"bytes")

    async with store(respond) as url:
        with pytest.raises(StoreUnavailableError, match="redirects are not followed"):
            await read(url)
    assert not followed


class Rebound:
    """A resolver for which every name leads to a cloud's metadata."""

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[dict[str, object]]:
        address = {"hostname": host, "host": "169.254.169.254", "port": port, "family": family}
        return [{**address, "proto": 0, "flags": 0}]

    async def close(self) -> None:
        return


async def test_a_stores_name_that_leads_to_metadata_by_now_is_not_connected_to() -> None:
    async with await guarded_client(setting="a store", resolver=Rebound()) as session:
        with pytest.raises(ConfigError, match="a store leads to a forbidden address"):
            await session.get("http://store.example/file")


async def test_an_object_of_s3_that_is_longer_than_was_asked_for_is_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("s3fs")
    sent = 0

    async def respond(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        if request.method == "HEAD":
            return web.Response(headers={"Content-Length": "5"})
        assert request.headers["Range"] == "bytes=0-4"
        response = web.StreamResponse(status=206)
        await response.prepare(request)
        with suppress(ConnectionError):
            while sent < 1000:
                await response.write(bytes(1024**2))
                sent += 1
        return response

    async with store(respond) as url:
        for name, value in (ENVIRONMENT | {"AWS_ENDPOINT_URL": url}).items():
            monkeypatch.setenv(name, value)
        with pytest.raises(StoreUnavailableError, match="more than the 5 bytes"):
            await read("s3://bucket/folder")
    assert sent < 100
