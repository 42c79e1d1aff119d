"""The schema registry's answers; those of teachers: `stream/teacher/test_chat_client.py`."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from schemas.errors import ConfigError, SchemaRegistryUnavailableError
from schemas.settings import SchemaRegistrySettings
from schemas.wire.schema_registry import SchemaRegistry
from stream.lab.teacher_sim.simulator import serving

MEGABYTE = b" " * 2**20


@asynccontextmanager
async def registry(
    respond: Callable[[web.Request], Awaitable[web.StreamResponse]], *resolved: str
) -> AsyncIterator[SchemaRegistry]:
    async def resolve(_host: str) -> Sequence[str]:
        return resolved

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", respond)
    async with serving(app) as url:
        found = SchemaRegistry(SchemaRegistrySettings(url=url), resolve=resolve)
        yield found
        await found.aclose()


async def test_a_schema_is_read_up_to_a_limit() -> None:
    sent = 0

    async def respond(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(64):
            await response.write(MEGABYTE)
            sent += 1
        return response

    async with registry(respond) as asked:
        with pytest.raises(SchemaRegistryUnavailableError, match="more than 4000000 bytes"):
            await asked.schema(1)
    assert sent < 64


@pytest.mark.parametrize("status", [200, 404, 500])
async def test_a_compressed_schema_is_not_asked_for_and_not_opened(status: int) -> None:
    encodings: list[str] = []

    async def respond(request: web.Request) -> web.Response:
        encodings.append(request.headers["Accept-Encoding"])
        bomb = gzip.compress(MEGABYTE)
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"}, status=status)

    async with registry(respond) as asked:
        with pytest.raises(SchemaRegistryUnavailableError, match="compressed"):
            await asked.schema(1)
    assert encodings == ["identity"]


async def test_a_registry_whose_name_leads_to_metadata_is_not_asked() -> None:
    async def respond(_request: web.Request) -> web.Response:
        raise AssertionError("it was asked")

    async with registry(respond, "169.254.169.254") as asked:
        with pytest.raises(ConfigError, match=r"schema_registry\.url leads to"):
            await asked.schema(1)
