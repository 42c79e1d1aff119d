from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from pydantic import SecretStr

from schemas.errors import ConfigError, SchemaRegistryUnavailableError, UnknownSchemaError
from schemas.settings import SchemaRegistrySettings
from schemas.wire.schema_registry import SchemaRegistry
from stream.testing.schema_registry import FakeSchemaRegistry

SETTINGS = SchemaRegistrySettings(url="http://registry:8081/base")
ONE = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "long", "default": 0}]}
OTHER = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "string", "default": ""}]}


def _answering(answer: Callable[[httpx.Request], httpx.Response]) -> SchemaRegistry:
    return SchemaRegistry(SETTINGS, httpx.MockTransport(answer))


@pytest.fixture
async def registry() -> AsyncIterator[SchemaRegistry]:
    fake = FakeSchemaRegistry()
    registry = SchemaRegistry(SchemaRegistrySettings(url="http://registry"), fake.transport)
    yield registry
    await registry.aclose()


async def test_a_registered_schema_can_be_fetched_by_its_id(registry: SchemaRegistry) -> None:
    schema_id = await registry.register("a-value", ONE)
    assert await registry.register("a-value", ONE) == schema_id
    entry = await registry.schema(schema_id)
    assert '"name": "R"' in entry["schema"]


async def test_an_unknown_id_is_said_to_be_unknown(registry: SchemaRegistry) -> None:
    with pytest.raises(UnknownSchemaError):
        await registry.schema(7)


async def test_an_incompatible_schema_is_a_matter_of_configuration(
    registry: SchemaRegistry,
) -> None:
    await registry.register("a-value", ONE)
    with pytest.raises(ConfigError, match="incompatible"):
        await registry.register("a-value", OTHER)


@pytest.mark.parametrize("status", [301, 302, 307, 401, 403, 405])
async def test_a_refusal_is_a_matter_of_configuration(status: int) -> None:
    registry = _answering(
        lambda _: httpx.Response(status, headers={"Location": "http://169.254.169.254/"})
    )
    with pytest.raises(ConfigError, match=str(status)):
        await registry.schema(1)


@pytest.mark.parametrize("status", [400, 404, 410, 422])
async def test_an_id_that_the_registry_takes_for_none_is_said_to_be_unknown(status: int) -> None:
    registry = _answering(lambda _: httpx.Response(status))
    with pytest.raises(UnknownSchemaError):
        await registry.schema(2**32 - 1)
    with pytest.raises(UnknownSchemaError):
        await registry.version("a subject", 3)


@pytest.mark.parametrize("status", [400, 422])
async def test_a_refused_registration_is_a_matter_of_configuration(status: int) -> None:
    registry = _answering(lambda _: httpx.Response(status))
    with pytest.raises(ConfigError, match=str(status)):
        await registry.register("a-value", ONE)


async def test_a_missing_register_call_is_a_matter_of_configuration() -> None:
    registry = _answering(lambda _: httpx.Response(404))
    with pytest.raises(ConfigError, match="404"):
        await registry.register("a-value", ONE)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(429),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, text="[" * 100_000),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={}),
        httpx.Response(200, json={"id": True, "schema": 7}),
        httpx.Response(200, content=b" " * 5_000_000),
    ],
    ids=range(8),
)
async def test_an_answer_that_is_none_may_come_right_later(answer: httpx.Response) -> None:
    registry = _answering(lambda _: answer)
    with pytest.raises(SchemaRegistryUnavailableError):
        await registry.schema(1)
    with pytest.raises(SchemaRegistryUnavailableError):
        await registry.register("a-value", ONE)


async def test_a_registry_that_does_not_answer_may_come_back() -> None:
    async with _serving(b"") as url:
        registry = SchemaRegistry(SchemaRegistrySettings(url=url))
        with pytest.raises(SchemaRegistryUnavailableError, match="did not answer"):
            await registry.schema(1)
        await registry.aclose()


async def test_the_registry_is_asked_over_real_http() -> None:
    body = b'{"schema": "\\"long\\""}'
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body)
    async with _serving(head + body) as url:
        registry = SchemaRegistry(SchemaRegistrySettings(url=url))
        assert await registry.schema(1) == {"schema": '"long"'}
        await registry.aclose()


async def test_login_and_base_path_are_used() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"id": 3})

    settings = SchemaRegistrySettings(
        url="http://registry:8081/base", username="me", password=SecretStr("canary")
    )
    registry = SchemaRegistry(settings, httpx.MockTransport(answer))
    assert await registry.register("a b-value", ONE) == 3
    assert seen[0].url.raw_path == b"/base/subjects/a%20b-value/versions"
    assert seen[0].headers["Authorization"].startswith("Basic ")


async def test_no_error_tells_the_password() -> None:
    settings = SchemaRegistrySettings(url="http://me:canary@registry", password=SecretStr("canary"))
    for status in (401, 500):
        registry = SchemaRegistry(
            settings, httpx.MockTransport(lambda _, status=status: httpx.Response(status))
        )
        with pytest.raises((ConfigError, SchemaRegistryUnavailableError)) as caught:
            await registry.schema(1)
        assert "canary" not in str(caught.value)


def test_a_registry_without_an_address_is_refused() -> None:
    with pytest.raises(ConfigError, match="url"):
        SchemaRegistry(SchemaRegistrySettings())


class _serving:  # noqa: N801 - used as a function
    """A real socket that reads a request, answers these bytes and closes."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self._answer)
        writer.close()
        await writer.wait_closed()
