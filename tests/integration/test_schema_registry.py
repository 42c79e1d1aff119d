"""A real schema registry (Apicurio), a real client (confluent-kafka), a real Apache Kafka."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import pytest
from confluent_kafka import Consumer, Message, Producer
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from schemas.errors import ConfigError, UnknownSchemaError
from schemas.settings import SchemaRegistrySettings
from schemas.types import EntityEvent, Promotion, RoutingPolicy, SilverLabel, TeacherRequest
from schemas.wire.avro_schemas import FOLDERS, versions
from schemas.wire.codec import Codec
from schemas.wire.headers import SCHEMA_ID_HEADER
from schemas.wire.schema_registry import SchemaRegistry
from stream.testing.apache_kafka import ApacheKafka
from stream.testing.apicurio import ApicurioRegistry
from stream.testing.fault_proxy import FaultProxy

pytestmark = [pytest.mark.kafka, pytest.mark.registry]

Sent: TypeAlias = tuple[bytes, Mapping[str, bytes]]
"""A value and its headers."""
NOBODY = 99_999
"""An id that the registry has not given."""
GUID = "6d4b5e1c-1111-4222-8333-444455556666"
ASK_ALL = RoutingPolicy(threshold=1.0, audit_share=0.0, audit_seed=0)
BODY = {"type": "record", "name": "Body", "fields": [{"name": "body", "type": "string"}]}
ENVELOPE = {
    "type": "record",
    "name": "Envelope",
    "fields": [
        {"name": "payload", "type": {"type": "record", "name": "Change", "fields": [
            {"name": "before", "type": ["null", BODY], "default": None},
            {"name": "after", "type": ["null", "Body"], "default": None},
            {"name": "op", "type": "string"},
        ]}},
    ],
}  # fmt: skip
REFERRING = {
    "type": "record",
    "name": "Referring",
    "fields": [
        {"name": "payload", "type": {"type": "record", "name": "Row", "fields": [
            {"name": "after", "type": ["null", "shared.Body"]},
        ]}},
    ],
}  # fmt: skip
JSON_SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "title": "Article",
    "type": "object",
    "properties": {"payload": {"type": "object"}},
}
PROTOBUF = 'syntax = "proto3"; message Article { string body = 1; }'


@pytest.fixture
def registry_client(schema_registry: ApicurioRegistry) -> Iterator[SchemaRegistryClient]:
    with SchemaRegistryClient({"url": schema_registry.url}) as client:
        yield client


@asynccontextmanager
async def our_client(url: str) -> AsyncIterator[SchemaRegistry]:
    # A real registry on a machine that is busy with other tests.
    client = SchemaRegistry(SchemaRegistrySettings(url=url, timeout_s=60))
    try:
        yield client
    finally:
        await client.aclose()


@pytest.mark.parametrize("kind", FOLDERS)
async def test_our_schemas_are_registered_and_only_compatible_ones_follow(
    kind: type, schema_registry: ApicurioRegistry, registry_client: SchemaRegistryClient
) -> None:
    subject = f"own.{FOLDERS[kind]}-value"
    async with our_client(schema_registry.url) as registry:
        ids = [await registry.register(subject, schema) for schema in versions(kind)]
        assert [await registry.register(subject, schema) for schema in versions(kind)] == ids
        assert registry_client.get_compatibility() == "FULL_TRANSITIVE"
        assert json.loads((await registry.schema(ids[-1]))["schema"]) == versions(kind)[-1]
        other = deepcopy(versions(kind)[-1])
        other["fields"][0] |= {"type": "bytes", "default": ""}
        other["fields"][1:] = []
        other["fields"].append({"name": "new", "type": "string"})
        with pytest.raises(ConfigError, match="409"):
            await registry.register(subject, other)


@pytest.mark.parametrize(
    "schema_id", [NOBODY, 0, 2**32 - 1, "6d4b5e1c-1111-4222-8333-444455556666"]
)
async def test_the_registrys_answer_about_an_unknown_id_is_understood(
    schema_id: int | str, schema_registry: ApicurioRegistry
) -> None:
    async with our_client(schema_registry.url) as registry:
        with pytest.raises(UnknownSchemaError):
            await registry.schema(schema_id)


async def test_what_we_write_is_read_by_confluents_deserializer(
    make_system: Any,
    apache_kafka: ApacheKafka,
    schema_registry: ApicurioRegistry,
    registry_client: SchemaRegistryClient,
    teacher_sim: Any,
) -> None:
    texts = [f"Ada {n} went to Oslo" for n in range(4)]
    system = make_system(
        apache_kafka.bootstrap_servers,
        schema_registry={"url": schema_registry.url},
        kafka={"delivery": "exactly_once"},
        routing={"budget_share": 1.0},
    )
    url = await teacher_sim(_answers(system.folder, texts))
    await system.create_topics()
    async with our_client(schema_registry.url) as registry:
        system.codec = Codec(registry)
        promotion = await system.promote("v1", policy=ASK_ALL)
        worker = system.start("run", "tag", "teach", env={"SILVERSTREAM_TEACHER__BASE_URL": url})
        await worker.until_ready()
        await system.produce([text.encode() for text in texts])
        names, servers = system.names, apache_kafka.bootstrap_servers
        kinds = {
            names.entities: (EntityEvent, 8),
            names.teacher_requests: (TeacherRequest, 4),
            names.silver_labels: (SilverLabel, 4),
            names.promotions: (Promotion, 1),
        }
        for topic, (kind, count) in kinds.items():
            messages = await asyncio.to_thread(_consume, servers, topic, count)
            theirs = [_deserialized(registry_client, message) for message in messages]
            values = [message.value() or b"" for message in messages]
            await system.codec.resolve(values)
            ours = [system.codec.decode(kind, value) for value in values]
            assert [_plain(found) for found in theirs] == [_plain(asdict(one)) for one in ours]
            if kind is EntityEvent:
                assert sorted({event["revision"] for event in theirs}) == [1, 2]
                headers = dict(messages[0].headers() or ())
                assert headers["ce_type"] == b"silverstream.entity-event.v1"
                assert headers["ce_subject"] == theirs[0]["record_id"].encode()
            if kind is Promotion:
                assert [found["student_version"] for found in theirs] == [promotion.student_version]
    assert await worker.stop() == 0


async def test_avro_of_confluents_producers_is_read_and_what_is_not_is_one_dead_letter(
    make_system: Any,
    apache_kafka: ApacheKafka,
    schema_registry: ApicurioRegistry,
    registry_client: SchemaRegistryClient,
) -> None:
    system = make_system(
        apache_kafka.bootstrap_servers,
        schema_registry={"url": schema_registry.url},
        input={"format": "avro", "text_field": "payload.after.body"},
    )
    topic = system.names.text
    registry_client.register_schema("shared.Body", _avro(BODY | {"namespace": "shared"}))
    referring = Schema(
        json.dumps(REFERRING), "AVRO", [SchemaReference("shared.Body", "shared.Body", 1)]
    )
    envelope = AvroSerializer(registry_client, json.dumps(ENVELOPE))
    by_reference = AvroSerializer(
        registry_client, referring, conf={"subject.name.strategy": lambda *_: "referring-value"}
    )
    protobuf = registry_client.register_schema("protobuf-value", Schema(PROTOBUF, "PROTOBUF"))
    where = SerializationContext(topic, MessageField.VALUE)
    first = _bytes(envelope(_change("Ada in Oslo"), where))
    values: list[Sent] = [
        (first, {}),
        (_bytes(envelope(_change(None, op="d"), where)), {}),
        (_bytes(by_reference({"payload": {"after": {"body": "Grace"}}}, where)), {}),
        (first[5:], {SCHEMA_ID_HEADER: first[:5]}),
        (_framed(protobuf, b"\x00\x0a\x03Ada"), {}),
        (_framed(NOBODY, first[5:]), {}),
        (_bytes(envelope(_change("Oslo"), where)), {}),
    ]
    await _check_read(system, values, surfaces=["Ada", "Ada", "Grace", "Oslo", "Oslo", "Oslo"])
    reasons = await _reasons(system)
    assert len(reasons) == 2
    assert f"schema {protobuf}: the schema is not of type AVRO" in reasons[0] + reasons[1]
    assert f"schema {NOBODY}: unknown schema id" in reasons[0] + reasons[1]


async def test_json_schema_of_confluents_producers_is_read_and_protobuf_is_a_dead_letter(
    make_system: Any, apache_kafka: ApacheKafka, registry_client: SchemaRegistryClient
) -> None:
    system = make_system(
        apache_kafka.bootstrap_servers,
        input={"format": "json", "text_field": "payload.after.body"},
    )
    serializer = JSONSerializer(json.dumps(JSON_SCHEMA), registry_client)
    protobuf = registry_client.register_schema("protobuf-value", Schema(PROTOBUF, "PROTOBUF"))
    where = SerializationContext(system.names.text, MessageField.VALUE)
    values: list[Sent] = [
        (_bytes(serializer(_change("Ada in Oslo"), where)), {}),
        (_framed(protobuf, b"\x00\x0a\x03Ada"), {}),
        (_bytes(serializer(_change("Grace"), where)), {}),
    ]
    await _check_read(system, values, surfaces=["Ada", "Grace", "Oslo"])
    (reason,) = await _reasons(system)
    assert "not JSON" in reason


@pytest.fixture
def road(schema_registry: ApicurioRegistry) -> Iterator[FaultProxy]:
    """Give the way to the registry, closed until it heals."""
    port = urlsplit(schema_registry.url).port
    assert port is not None
    with FaultProxy(port) as proxy:
        proxy.begin(refused=True)
        yield proxy


async def test_a_registry_that_is_away_is_waited_for_at_the_start_and_later(
    make_system: Any,
    *,
    apache_kafka: ApacheKafka,
    schema_registry: ApicurioRegistry,
    road: FaultProxy,
    registry_client: SchemaRegistryClient,
    until: Any,
) -> None:
    system = make_system(
        apache_kafka.bootstrap_servers,
        schema_registry={"url": f"{road.url}{urlsplit(schema_registry.url).path}"},
        input={"format": "avro", "text_field": "payload.after.body"},
    )
    await system.create_topics()
    await system.promote("v1")
    worker = system.start("run", "tag")
    await until(lambda: worker.events("schema_registry_unavailable"), "a warning")
    assert await worker.status("/ready") != 200
    road.heal()
    await worker.until_ready()
    road.begin(refused=True)
    serializer = AvroSerializer(registry_client, json.dumps(ENVELOPE))
    where = SerializationContext(system.names.text, MessageField.VALUE)
    _produce(system, [(_bytes(serializer(_change("Ada"), where)), {})])
    await until(lambda: worker.events("lane_retries"), "a retry", logs=lambda: worker.output)
    assert "SchemaRegistryUnavailableError" in worker.events("lane_retries")[0]["error"]
    road.heal()
    (record,) = await until(lambda: system.records(system.names.entities), "the event")
    assert _deserialized(registry_client, record)["entities"][0]["surface"] == "Ada"
    assert await system.records(system.names.dead_letters) == []
    assert await worker.stop() == 0


async def _check_read(
    system: Any,
    values: Sequence[Sent],
    *,
    surfaces: Sequence[str],
) -> None:
    """Let a worker read the values up to the last; compare the surfaces in its events."""
    await system.create_topics()
    await system.promote("v1")
    worker = system.start("run", "tag")
    _produce(system, values)
    await worker.until_ready()
    async with _codec(system) as codec:

        async def found() -> list[str] | None:
            records = await system.records(system.names.entities)
            data = [record.value or b"" for record in records]
            await codec.resolve(data)
            events = [codec.decode(EntityEvent, one) for one in data]
            names = sorted(entity.surface for event in events for entity in event.entities)
            return names if len(names) >= len(surfaces) else None

        deadline = asyncio.get_running_loop().time() + 60
        while (names := await found()) is None:
            assert asyncio.get_running_loop().time() < deadline, worker.output
            await asyncio.sleep(0.1)
    assert names == sorted(surfaces)
    assert await worker.metric("silverstream_dead_letters_total") >= 1
    assert await worker.stop() == 0


@asynccontextmanager
async def _codec(system: Any) -> AsyncIterator[Codec]:
    url = system.settings.schema_registry.url
    if url is None:
        yield Codec()
        return
    async with our_client(str(url)) as registry:
        yield Codec(registry)


async def _reasons(system: Any) -> list[str]:
    letters = await system.records(system.names.dead_letters)
    return [dict(one.headers)["__connect.errors.exception.message"].decode() for one in letters]


def _produce(system: Any, values: Sequence[Sent]) -> None:
    """Write values with confluent-kafka's producer, all to one partition, to keep their order."""
    producer = Producer({"bootstrap.servers": system.settings.kafka.bootstrap_servers})
    for value, headers in values:
        producer.produce(system.names.text, value, partition=0, headers=dict(headers))
    assert producer.flush(30) == 0


def _consume(servers: str, topic: str, count: int) -> list[Message]:
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": f"{topic}-theirs",
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
        }
    )
    consumer.subscribe([topic])
    try:
        messages: list[Message] = []
        for _ in range(60):
            messages += consumer.consume(count - len(messages), timeout=1.0)
            if len(messages) >= count:
                break
    finally:
        consumer.close()
    assert [message.error() for message in messages] == [None] * count
    return messages


def _deserialized(client: SchemaRegistryClient, message: Any) -> dict[str, Any]:
    value = message.value() if isinstance(message, Message) else message.value
    where = SerializationContext("any", MessageField.VALUE)
    found: dict[str, Any] = AvroDeserializer(client)(value, where)
    return found


def _plain(found: Any) -> Any:
    """Name fields as Avro does, tuples as lists, a header as its name and value."""
    return json.loads(json.dumps(found, default=repr))


def _answers(folder: Path, texts: Sequence[str]) -> Path:
    path = folder / "answers.jsonl"
    span = {"start": 0, "end": 3, "label": "PER"}
    lines = [
        json.dumps({"id": str(n), "text": text, "entities": [span]}) for n, text in enumerate(texts)
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _change(body: str | None, *, op: str = "c") -> dict[str, Any]:
    after = None if body is None else {"body": body}
    return {"payload": {"before": None, "after": after, "op": op}}


def _avro(schema: Mapping[str, Any]) -> Schema:
    return Schema(json.dumps(schema), "AVRO")


def _framed(schema_id: int, data: bytes) -> bytes:
    return struct.pack(">bI", 0, schema_id) + data


def _bytes(found: bytes | None) -> bytes:
    assert found is not None
    return found
