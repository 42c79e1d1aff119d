from __future__ import annotations

import io
import json
import struct
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import fastavro
import httpx
import pytest
from hypothesis import given, settings

from schemas.errors import ConfigError, DecodeError, SchemaRegistryUnavailableError
from schemas.settings import SchemaRegistrySettings
from schemas.types import EntityEvent, RoutingPolicy, SilverLabel, TextRecord
from schemas.wire.avro_schemas import latest, schema_fingerprint, versions
from schemas.wire.codec import Codec, open_codec
from schemas.wire.schema_registry import SchemaRegistry
from stream.testing.schema_registry import FakeSchemaRegistry
from tests.unit.schemas.wire.wire_values import EVENT, values


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _registry(fake: FakeSchemaRegistry) -> SchemaRegistry:
    return SchemaRegistry(SchemaRegistrySettings(url="http://registry"), fake.transport)


@pytest.fixture
def fake() -> FakeSchemaRegistry:
    return FakeSchemaRegistry()


@pytest.fixture
async def codec(fake: FakeSchemaRegistry) -> AsyncIterator[Codec]:
    registry = _registry(fake)
    yield Codec(registry)
    await registry.aclose()


@given(values)
@settings(max_examples=50)
def test_every_value_survives_single_object_encoding(value: Any) -> None:
    data = Codec().encode(value, "topic")
    assert Codec().decode(type(value), data) == value


@given(value=values)
@settings(max_examples=25)
async def test_every_value_survives_the_confluent_format(value: Any) -> None:
    fake = FakeSchemaRegistry()
    writer, reader = Codec(_registry(fake)), Codec(_registry(fake))
    await writer.prepare({"topic": type(value)})
    data = writer.encode(value, "topic")
    assert data[:5] == b"\x00\x00\x00\x00\x01"
    await reader.resolve([data, None])
    assert reader.decode(type(value), data) == value
    assert Codec().encode(value, "topic")[10:] == data[5:]


def test_single_objects_begin_with_the_fingerprint_of_their_schema() -> None:
    data = Codec().encode(EVENT, "topic")
    assert data[:2] == b"\xc3\x01"
    assert data[2:10] == schema_fingerprint(versions(EntityEvent)[-1])


async def test_a_codec_with_a_registry_reads_single_objects_too(codec: Codec) -> None:
    data = Codec().encode(EVENT, "topic")
    await codec.resolve([data])
    assert codec.decode(EntityEvent, data) == EVENT


async def test_schemas_are_registered_under_the_topics_value(
    codec: Codec, fake: FakeSchemaRegistry
) -> None:
    await codec.prepare({"a/b": EntityEvent, "c": SilverLabel})
    assert fake.requests[0] == "POST /subjects/a%2Fb-value/versions"
    assert codec.encode(EVENT, "a/b")[:5] == b"\x00\x00\x00\x00\x01"


async def test_a_topic_that_was_not_prepared_cannot_be_encoded_for(codec: Codec) -> None:
    await codec.prepare({"a": SilverLabel})
    with pytest.raises(ConfigError, match="no schema of EntityEvent"):
        codec.encode(EVENT, "a")


def test_a_type_without_a_schema_cannot_be_encoded() -> None:
    with pytest.raises(TypeError, match="RoutingPolicy has no Avro schema"):
        Codec().encode(RoutingPolicy(0.5, 0.1, 1), "topic")


async def test_a_schema_is_fetched_once(codec: Codec, fake: FakeSchemaRegistry) -> None:
    writer = Codec(_registry(fake))
    await writer.prepare({"a": EntityEvent})
    data = writer.encode(EVENT, "a")
    await codec.resolve([data, data])
    await codec.resolve([data])
    assert fake.requests.count("GET /schemas/ids/1") == 1


async def test_a_schema_of_ones_own_is_not_fetched(codec: Codec, fake: FakeSchemaRegistry) -> None:
    await codec.prepare({"a": EntityEvent})
    data = codec.encode(EVENT, "a")
    fake.outage = 503
    await codec.resolve([data])
    assert codec.decode(EntityEvent, data) == EVENT


async def test_an_unknown_id_fails_its_records_and_is_asked_for_again_later(
    fake: FakeSchemaRegistry,
) -> None:
    clock = _Clock()
    codec = Codec(_registry(fake), clock=clock)
    data = b"\x00\x00\x00\x00\x01" + Codec().encode(EVENT, "a")[10:]
    await codec.resolve([data])
    await codec.resolve([data])
    assert fake.requests == ["GET /schemas/ids/1"]
    with pytest.raises(DecodeError, match="schema 1: unknown schema id"):
        codec.decode(EntityEvent, data)
    fake.add(versions(EntityEvent)[-1])
    clock.now = 61.0
    await codec.resolve([data])
    assert codec.decode(EntityEvent, data) == EVENT


async def test_strangers_cannot_fill_the_memory_with_unknown_ids(fake: FakeSchemaRegistry) -> None:
    codec = Codec(_registry(fake), max_refused=2)
    values = [b"\x00" + schema_id.to_bytes(4, "big") for schema_id in range(1, 4)]
    for value in values:
        await codec.resolve([value])
    fake.requests.clear()
    await codec.resolve(values[1:])
    assert fake.requests == []  # still refused
    await codec.resolve(values[:1])
    assert fake.requests == ["GET /schemas/ids/1"]  # the oldest made room


@pytest.mark.parametrize("outage", [0, 429, 500, 503])
async def test_an_outage_of_the_registry_is_not_the_records_fault(
    codec: Codec, fake: FakeSchemaRegistry, outage: int
) -> None:
    fake.outage = outage
    with pytest.raises(SchemaRegistryUnavailableError):
        await codec.resolve([b"\x00\x00\x00\x00\x01"])
    with pytest.raises(SchemaRegistryUnavailableError):
        await codec.prepare({"a": EntityEvent})


@pytest.mark.parametrize(
    ("schema", "entry", "words"),
    [
        ("{", {}, "not Avro"),
        ("[" * 100_000, {}, "not Avro"),
        ('{"type": "record"}', {}, "not Avro"),
        ('{"type": "record", "name": "R", "fields": 7}', {}, "not Avro"),
        ('{"type": "record", "name": "R", "fields": [{"name": "a", "type": "S"}]}', {}, "not Avro"),
        ("null", {}, "not Avro"),
        ("7", {}, "not Avro"),
        ('"' + "x" * 1_000_001 + '"', {}, "more than"),
        ('"long"', {"schemaType": "PROTOBUF"}, "not of type AVRO"),
        ('"long"', {"references": [{"name": "x"}]}, "refers to others in no known way"),
        (
            '"long"',
            {"references": [{"name": "x", "subject": "x", "version": 1}]},
            "unknown schema id",
        ),
        ('{"type": "array", "items": "null"}', {}, "no bytes"),
        (
            '{"type":"record","name":"R","fields":[{"name":"a","type":["null","R"]}]}',
            {},
            "recursive",
        ),
        ('{"type":"array","items":' * 5000 + '"long"' + "}" * 5000, {}, "schema"),
        ('"long"', {}, "not a "),
    ],
    ids=range(15),
)
async def test_a_schema_that_cannot_be_used_fails_its_records(
    codec: Codec, fake: FakeSchemaRegistry, schema: str, entry: dict[str, Any], words: str
) -> None:
    fake.add(schema, **entry)
    data = b"\x00\x00\x00\x00\x01\x02"
    await codec.resolve([data])
    with pytest.raises(DecodeError, match=words):
        codec.decode(TextRecord, data)
    with pytest.raises(DecodeError, match=words):
        codec.decode_fields(data)


async def test_older_and_newer_writers_are_read_with_defaults(
    codec: Codec, fake: FakeSchemaRegistry
) -> None:
    newest = versions(EntityEvent)[-1]
    fewer = [field for field in newest["fields"] if field["name"] != "reason"]
    newer = {"name": "mood", "type": "string", "default": ""}
    fake.add(json.dumps(newest | {"fields": [newer, *fewer]}))
    body = Codec().encode(replace(EVENT, reason=""), "a")[10:]
    schema = fastavro.parse_schema(newest | {"fields": [newer, *fewer]})
    plain = fastavro.schemaless_reader(io.BytesIO(body), latest(EntityEvent), None)
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, schema, {**plain, "mood": "glad"})  # type: ignore[dict-item] # a record
    data = b"\x00\x00\x00\x00\x01" + buffer.getvalue()
    await codec.resolve([data])
    assert codec.decode(EntityEvent, data) == replace(EVENT, reason="")


def test_avro_numbers_lie_on_the_wire_as_the_specification_says() -> None:
    data = Codec().encode(TextRecord("é"), "topic")
    assert data[10:] == b"\x04\xc3\xa9"
    event = Codec().encode(EVENT, "topic")
    assert struct.pack("<d", 0.75) in event


async def test_without_a_schema_registry_an_opened_codec_asks_nobody() -> None:
    async with open_codec(SchemaRegistrySettings()) as codec:
        await codec.prepare({"a": EntityEvent})
        assert codec.decode(EntityEvent, codec.encode(EVENT, "a")) == EVENT


class _Line(httpx.AsyncBaseTransport):
    """A network that notes when it is hung up."""

    def __init__(self, fake: FakeSchemaRegistry) -> None:
        self.inner, self.log = fake.transport, list[str]()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.log.append("asked")
        return await self.inner.handle_async_request(request)

    async def aclose(self) -> None:
        self.log.append("closed")


async def test_an_opened_codec_speaks_with_the_schema_registry_and_hangs_up_in_the_end(
    fake: FakeSchemaRegistry,
) -> None:
    line = _Line(fake)
    async with open_codec(SchemaRegistrySettings(url="http://registry"), transport=line) as codec:
        await codec.prepare({"a": EntityEvent})
        assert codec.encode(EVENT, "a")[:5] == b"\x00\x00\x00\x00\x01"
        assert line.log == ["asked"]
    assert line.log == ["asked", "closed"]


async def test_an_empty_url_is_no_registry() -> None:
    async with open_codec(SchemaRegistrySettings(url="")) as codec:
        await codec.prepare({"t": EntityEvent})  # asks nobody
