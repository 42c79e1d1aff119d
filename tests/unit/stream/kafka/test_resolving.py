from __future__ import annotations

import asyncio

import pytest

from schemas.errors import SchemaRegistryUnavailableError
from schemas.settings import SchemaRegistrySettings
from schemas.types import SilverLabel
from schemas.wire.codec import Codec
from schemas.wire.schema_registry import SchemaRegistry
from stream.kafka.resolving import prepare_patiently, resolve_patiently
from stream.testing.schema_registry import FakeSchemaRegistry

_CONFLUENT_ID_1 = b"\x00\x00\x00\x00\x01"


@pytest.fixture
def fake() -> FakeSchemaRegistry:
    return FakeSchemaRegistry()


@pytest.fixture
def codec(fake: FakeSchemaRegistry) -> Codec:
    settings = SchemaRegistrySettings(url="http://registry.test")
    return Codec(SchemaRegistry(settings, transport=fake.transport))


async def _asked(fake: FakeSchemaRegistry) -> None:
    async with asyncio.timeout(30):
        while not fake.requests:  # noqa: ASYNC110  # the fake tells of nothing by itself
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("outage", [0, 503], ids=["no connection", "503"])
async def test_a_start_waits_for_a_registry_that_comes_later(
    fake: FakeSchemaRegistry, codec: Codec, outage: int
) -> None:
    fake.outage = outage
    waiting = asyncio.create_task(prepare_patiently(codec, {"a": SilverLabel}, timeout_s=60))
    await _asked(fake)
    fake.outage = None
    async with asyncio.timeout(30):
        await waiting
    assert list(fake.subjects()) == ["a-value"]


async def test_a_start_gives_up_on_a_registry_that_stays_away(
    fake: FakeSchemaRegistry, codec: Codec
) -> None:
    fake.outage = 503
    with pytest.raises(SchemaRegistryUnavailableError, match="503"):
        await prepare_patiently(codec, {"a": SilverLabel}, timeout_s=0.3)
    assert len(fake.requests) > 1, "it was asked once only"


async def test_records_wait_for_a_registry_that_comes_back(
    fake: FakeSchemaRegistry, codec: Codec
) -> None:
    fake.outage = 0
    waiting = asyncio.create_task(resolve_patiently(codec, [_CONFLUENT_ID_1]))
    await _asked(fake)
    fake.outage = None
    async with asyncio.timeout(30):
        await waiting
    assert fake.requests[-1] == "GET /schemas/ids/1"
