"""The schemas of a registry that this process knows, and those that it has given up on.

A record names its schema by a number or by a GUID, and strangers choose these. So an id that
the registry does not know, or fails on while it answers for others, costs the records that
name it; a registry that answers for none is away, and is waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias, TypeVar

from schemas.errors import (
    ConfigError,
    DecodeError,
    SchemaRegistryUnavailableError,
    UnknownSchemaError,
)
from schemas.wire.avro_schemas import WriterSchema, writer_schema
from schemas.wire.schema_registry import SchemaKey, SchemaRegistry

Trouble: TypeAlias = SchemaRegistryUnavailableError | ConfigError
T = TypeVar("T")

_FORGET_AFTER_S = 60.0
"""A refused id is asked for again after this: replicas lag."""
_PATIENCE_S = 15.0
"""How long an id holds its records up that the registry fails on while it answers for others."""
_MAX_FETCHES = 8
_MAX_REFERENCES = 100


class KnownSchemas:
    """Fetches schemas and remembers what came of it; see `Codec` for `clock` and `max_refused`."""

    def __init__(
        self, registry: SchemaRegistry, *, clock: Callable[[], float], max_refused: int
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._max_refused = max_refused
        self._known: dict[SchemaKey, WriterSchema] = {}
        self._refused: dict[SchemaKey, tuple[float, str]] = {}
        self._failing_since_s: dict[SchemaKey, float] = {}

    def add(self, key: SchemaKey, schema: WriterSchema) -> None:
        """Take note of a schema that needs no fetching."""
        self._known[key] = schema

    def find(self, key: SchemaKey) -> WriterSchema:
        """Give a schema that was fetched or added; `DecodeError` says why there is none."""
        if key in self._known:
            return self._known[key]
        _, reason = self._refused.get(key, (0.0, "unknown schema id"))
        raise DecodeError(f"schema {key}: {reason}")

    async def fetch(self, keys: Iterable[SchemaKey]) -> None:
        """Fetch what is not known yet.

        Raises `SchemaRegistryUnavailableError` for what shall be waited for, `ConfigError` when
        the registry refuses us.
        """
        unknown = sorted({key for key in keys if self._must_fetch(key)}, key=str)
        troubles: dict[SchemaKey, Trouble] = {}
        answers = False
        for first in range(0, len(unknown), _MAX_FETCHES):
            some = unknown[first : first + _MAX_FETCHES]
            # All are awaited before one may raise, so that none goes on unseen.
            outcomes = await asyncio.gather(*map(self._fetch, some), return_exceptions=True)
            found = _troubles(some, outcomes)
            answers = answers or len(found) < len(some) or await self._answers()
            if not answers:
                raise next(iter(found.values()))
            troubles |= found
        self._bear(troubles)

    async def _fetch(self, key: SchemaKey) -> None:
        try:
            self._known[key] = await self._usable(await self._registry.schema(key))
        except (UnknownSchemaError, DecodeError) as error:
            self._refuse(key, str(error))
        self._failing_since_s.pop(key, None)

    def _bear(self, troubles: dict[SchemaKey, Trouble]) -> None:
        """Refuse what has failed for long enough while others were answered; else raise.

        All that a batch names at once, so that its strange ids hold it up together.
        """
        waiting = [error for key, error in troubles.items() if self._bears(key, error)]
        if waiting:
            raise waiting[0]

    def _bears(self, key: SchemaKey, error: Trouble) -> bool:
        now_s = self._clock()
        since_s = self._failing_since_s.get(key, now_s)
        if isinstance(error, SchemaRegistryUnavailableError) and now_s - since_s < _PATIENCE_S:
            _remember(self._failing_since_s, key, since_s, at_most=self._max_refused)
            return True
        self._refuse(key, str(error))
        return False

    async def _answers(self) -> bool:
        """Ask for a schema that was there before."""
        for key in self._known:
            try:
                await self._registry.schema(key)
            except (SchemaRegistryUnavailableError, ConfigError):
                return False
            except UnknownSchemaError:
                pass
            return True
        return False

    async def _usable(self, entry: dict[str, Any]) -> WriterSchema:
        references: dict[tuple[str, int], str] = {}
        await self._add_references(entry, references, depth=0)
        return writer_schema(_avro(entry), references=[*references.values()])

    async def _add_references(
        self, entry: dict[str, Any], found: dict[tuple[str, int], str], *, depth: int
    ) -> None:
        """Add what a schema refers to, each after what it refers to in turn."""
        if depth > _MAX_REFERENCES:
            raise DecodeError("the writer's schema refers to others too deeply")
        for subject, version in _references(entry):
            if (subject, version) in found:
                continue
            if len(found) >= _MAX_REFERENCES:
                raise DecodeError(f"the writer's schema refers to more than {_MAX_REFERENCES}")
            other = await self._registry.version(subject, version)
            await self._add_references(other, found, depth=depth + 1)
            found[subject, version] = _avro(other)

    def _must_fetch(self, key: SchemaKey) -> bool:
        until_s, _ = self._refused.get(key, (0.0, ""))
        return key not in self._known and until_s <= self._clock()

    def _refuse(self, key: SchemaKey, reason: str) -> None:
        until_s = self._clock() + _FORGET_AFTER_S
        _remember(self._refused, key, (until_s, reason), at_most=self._max_refused)


def _remember(memory: dict[SchemaKey, T], key: SchemaKey, value: T, *, at_most: int) -> None:
    # A few bytes of a record choose the id, so strangers could fill the memory.
    memory.pop(key, None)
    if len(memory) >= at_most:
        del memory[next(iter(memory))]
    memory[key] = value


def _troubles(
    keys: Iterable[SchemaKey], outcomes: Iterable[BaseException | None]
) -> dict[SchemaKey, Trouble]:
    troubles: dict[SchemaKey, Trouble] = {}
    for key, outcome in zip(keys, outcomes, strict=True):
        if isinstance(outcome, (SchemaRegistryUnavailableError, ConfigError)):
            troubles[key] = outcome
        elif outcome is not None:
            raise outcome
    return troubles


def _avro(entry: dict[str, Any]) -> str:
    if entry.get("schemaType", "AVRO") != "AVRO":
        raise DecodeError("the schema is not of type AVRO")
    return str(entry["schema"])


def _references(entry: dict[str, Any]) -> list[tuple[str, int]]:
    try:
        return [(str(one["subject"]), int(one["version"])) for one in entry.get("references") or ()]
    except (KeyError, TypeError, ValueError):
        raise DecodeError("the schema refers to others in no known way") from None
