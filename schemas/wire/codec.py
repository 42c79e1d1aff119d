"""Bytes to values and back, in the framings that Avro knows on Kafka.

With a schema registry: the Confluent wire format, a zero byte and the schema's id as four
bytes, big-endian; what others wrote may begin with a one and the schema's GUID, as
`schemas.wire.inputs` puts it together from a header. Without one: Avro's single-object
encoding, `C3 01` and the schema's CRC-64-AVRO fingerprint, little-endian; every version this
package ever had is known by it.
`decode` accepts all and, whatever the bytes, raises nothing but `DecodeError`.

Sources: https://avro.apache.org/docs/1.12.0/specification/#single-object-encoding,
https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/
"""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any, TypeVar

import fastavro
import httpx
from fastavro.read import SchemaResolutionError

from schemas.errors import ConfigError, DecodeError
from schemas.settings import SchemaRegistrySettings
from schemas.wire.avro_schemas import (
    FOLDERS,
    WriterSchema,
    by_fingerprint,
    latest,
    schema_fingerprint,
    versions,
)
from schemas.wire.avro_values import FROM_FIELDS, TO_FIELDS
from schemas.wire.known_schemas import KnownSchemas
from schemas.wire.schema_registry import SchemaKey, SchemaRegistry

T = TypeVar("T")

_CONFLUENT, _CONFLUENT_BYTES = b"\x00", 5
_GUID, _GUID_BYTES = b"\x01", 17
_SINGLE, _SINGLE_BYTES = b"\xc3\x01", 10

# What fastavro is known to raise on data that passed the check but does not fit the reader.
_READ_ERRORS = (
    SchemaResolutionError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    EOFError,
    MemoryError,
    RecursionError,
)


class Codec:
    """Encodes and decodes the types of `schemas.types`.

    With a `registry`, `prepare` before the first `encode` and `resolve` before each batch of
    `decode`; both do nothing without one. `clock` gives seconds that only grow. Of the ids
    that the registry does not know, the newest `max_refused` are remembered.
    """

    def __init__(
        self,
        registry: SchemaRegistry | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        max_refused: int = 10_000,
    ) -> None:
        self._registry = registry
        self._schemas = {kind: latest(kind) for kind in FOLDERS}
        self._prefixes: dict[tuple[str, type], bytes] = {}
        self._foreign: KnownSchemas | None = None
        if registry is not None:
            self._foreign = KnownSchemas(registry, clock=clock, max_refused=max_refused)

    def encode(self, value: Any, topic: str) -> bytes:
        """Encode a value for a topic.

        `ConfigError` when there is a registry and `prepare` was not told of this topic and type.
        """
        kind = type(value)
        buffer = BytesIO()
        buffer.write(self._prefixes.get((topic, kind)) or self._new_prefix(topic, kind))
        fastavro.schemaless_writer(buffer, self._schemas[kind], TO_FIELDS[kind](value))
        return buffer.getvalue()

    def decode(self, kind: type[T], data: bytes) -> T:
        """Decode a value of a kind, written with any version of its schema; `DecodeError`."""
        try:
            return FROM_FIELDS[kind](self._read(data, self._schemas[kind]))  # type: ignore[no-any-return] # by the table
        except _READ_ERRORS as error:
            raise DecodeError(f"not a {kind.__name__}: {_reason(error)}") from None

    def decode_fields(self, data: bytes) -> dict[str, Any]:
        """Decode a record of any known schema to its fields, as its writer named them."""
        try:
            found = self._read(data, None)
        except _READ_ERRORS as error:
            raise DecodeError(f"not a record: {_reason(error)}") from None
        if not isinstance(found, dict):
            raise DecodeError("the writer's schema is not a record")
        return found

    async def prepare(self, topics: Mapping[str, type]) -> None:
        """Register the schemas of what will be encoded, as `<topic>-value`; `decode` knows them."""
        if self._registry is None or self._foreign is None:
            return
        for topic, kind in topics.items():
            schema_id = await self._registry.register(f"{topic}-value", versions(kind)[-1])
            self._prefixes[topic, kind] = _CONFLUENT + schema_id.to_bytes(4, "big")
            own = by_fingerprint()[schema_fingerprint(versions(kind)[-1])]
            self._foreign.add(schema_id, own)

    async def resolve(self, values: Iterable[bytes | None]) -> None:
        """Fetch the schemas of ids not seen before, so that `decode` finds them.

        An id that the registry does not know, whose schema is unusable, or on which the registry
        fails for long while it answers for others, is remembered for a while: its records fail
        to decode. Raises `SchemaRegistryUnavailableError`.
        """
        if self._foreign is not None:
            keys = (_schema_key(value) for value in values if value)
            await self._foreign.fetch(key for key, _ in keys if key is not None)

    def _new_prefix(self, topic: str, kind: type) -> bytes:
        if kind not in FOLDERS:
            raise TypeError(f"{kind.__name__} has no Avro schema")
        if self._registry is not None:
            raise ConfigError(f"no schema of {kind.__name__} was prepared for the topic {topic}")
        prefix = _SINGLE + schema_fingerprint(versions(kind)[-1])
        return self._prefixes.setdefault((topic, kind), prefix)

    def _read(self, data: bytes, reader: Any) -> Any:
        writer, start = self._writer(data)
        if writer.check(data, start) != len(data):
            raise DecodeError("bytes after the end of the value")
        buffer = BytesIO(data)
        buffer.seek(start)
        return fastavro.schemaless_reader(buffer, writer.parsed, reader)

    def _writer(self, data: bytes) -> tuple[WriterSchema, int]:
        if data[:2] == _SINGLE:
            return _by_prefix(data), _SINGLE_BYTES
        key, start = _schema_key(data)
        if key is None:
            raise DecodeError("neither Confluent's nor Avro's single-object framing")
        if self._foreign is None:
            raise DecodeError(f"schema {key}: there is no schema registry (schema_registry.url)")
        return self._foreign.find(key), start


@asynccontextmanager
async def open_codec(
    settings: SchemaRegistrySettings, *, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[Codec]:
    """Make a codec, over the schema registry where one is set, which is closed in the end.

    `transport` replaces the network in tests.
    """
    if not settings.url:
        yield Codec()
        return
    registry = SchemaRegistry(settings, transport)
    try:
        yield Codec(registry)
    finally:
        await registry.aclose()


def _by_prefix(data: bytes) -> WriterSchema:
    fingerprint = data[len(_SINGLE) : _SINGLE_BYTES]
    try:
        return by_fingerprint()[fingerprint]
    except KeyError:
        raise DecodeError(f"unknown schema fingerprint {fingerprint.hex()}") from None


def _schema_key(data: bytes) -> tuple[SchemaKey | None, int]:
    """Find the id that the bytes begin with, and where the value begins."""
    if data[:1] == _CONFLUENT and len(data) >= _CONFLUENT_BYTES:
        return int.from_bytes(data[1:_CONFLUENT_BYTES], "big"), _CONFLUENT_BYTES
    if data[:1] == _GUID and len(data) >= _GUID_BYTES:
        return str(uuid.UUID(bytes=data[1:_GUID_BYTES])), _GUID_BYTES
    return None, 0


def _reason(error: BaseException) -> str:
    # A plain ValueError is ours and names a field; the others may quote the data.
    return str(error) if type(error) is ValueError else type(error).__name__
