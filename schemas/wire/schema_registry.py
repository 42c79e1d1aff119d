"""A Confluent-compatible schema registry, over its REST API.

Source: https://docs.confluent.io/platform/current/schema-registry/develop/api.html
"""

from __future__ import annotations

import json
from typing import Any, TypeAlias
from urllib.parse import quote

import httpx

from schemas.addresses import Resolve, guard_addresses
from schemas.errors import ConfigError, SchemaRegistryUnavailableError, UnknownSchemaError
from schemas.settings import SchemaRegistrySettings
from schemas.wire.capped_bodies import UNCOMPRESSED, cap_bodies

_ACCEPT = "application/vnd.schemaregistry.v1+json, application/json"
_MAX_ANSWER_BYTES = 4_000_000

SchemaKey: TypeAlias = int | str
"""What names a schema: its number in this registry, or its GUID, the same in every one."""


class SchemaRegistry:
    """Registers and looks up schemas; remembers nothing (`Codec` does).

    `transport` replaces the network in tests, `resolve` the machine's resolver. Redirects are not
    followed. Raises `ConfigError` when its name leads to a cloud's metadata.
    """

    def __init__(
        self,
        settings: SchemaRegistrySettings,
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        resolve: Resolve | None = None,
    ) -> None:
        if not settings.url:
            raise ConfigError("schema_registry.url is not set")
        self._client = httpx.AsyncClient(
            base_url=settings.url,
            auth=_auth(settings),
            timeout=settings.timeout_s,
            headers={"Accept": _ACCEPT, **UNCOMPRESSED},
            transport=transport,
        )
        cap_bodies(
            self._client, most_bytes=_MAX_ANSWER_BYTES, unavailable=SchemaRegistryUnavailableError
        )
        if transport is None:
            guard_addresses(self._client, setting="schema_registry.url", resolve=resolve)

    async def register(self, subject: str, schema: dict[str, Any]) -> int:
        """Register a schema, or find it registered: its id.

        `ConfigError` when the subject's compatibility forbids it (409) or the registry
        refuses us, `SchemaRegistryUnavailableError` when it does not answer.
        """
        path = f"/subjects/{quote(subject, safe='')}/versions"
        body = {"schema": json.dumps(schema), "schemaType": "AVRO"}
        answer = await self._ask("POST", path, json=body)
        return _integer(answer, "id")

    async def schema(self, key: SchemaKey) -> dict[str, Any]:
        """Fetch a schema's entry: `schema` (its text), `schemaType` and `references` if any.

        `UnknownSchemaError` when there is none, or when the registry takes it for no id.
        """
        kind = "ids" if isinstance(key, int) else "guids"
        return await self._entry(f"/schemas/{kind}/{key}")

    async def version(self, subject: str, version: int) -> dict[str, Any]:
        """Fetch the entry of a subject's version, deleted or not: what `references` name."""
        return await self._entry(
            f"/subjects/{quote(subject, safe='')}/versions/{version}?deleted=true"
        )

    async def _entry(self, path: str) -> dict[str, Any]:
        answer = await self._ask("GET", path)
        if not isinstance(answer.get("schema"), str):
            raise SchemaRegistryUnavailableError("the schema registry sent no schema")
        return answer

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        try:
            async with self._client.stream(method, path, **options) as response:
                _check_status(response, path)
                return _object(await response.aread())
        except httpx.HTTPError as error:
            raise SchemaRegistryUnavailableError(
                f"the schema registry did not answer: {type(error).__name__}"
            ) from None


def _auth(settings: SchemaRegistrySettings) -> httpx.BasicAuth | None:
    if settings.username is None:
        return None
    password = settings.password.get_secret_value() if settings.password else ""
    return httpx.BasicAuth(settings.username, password)


def _check_status(response: httpx.Response, path: str) -> None:
    status = response.status_code
    if status in _NO_SUCH and response.request.method == "GET":
        known = status == httpx.codes.NOT_FOUND
        raise UnknownSchemaError(
            "unknown schema id" if known else f"the schema registry answers {status}"
        )
    if status >= httpx.codes.INTERNAL_SERVER_ERROR or status in _LATER:
        raise SchemaRegistryUnavailableError(f"the schema registry answered {status}")
    if status == httpx.codes.CONFLICT:
        raise ConfigError(f"the schema registry finds our schema incompatible (409): {path}")
    if status != httpx.codes.OK:
        raise ConfigError(f"the schema registry answered {status} to {path}")


_NO_SUCH = frozenset(
    {
        httpx.codes.NOT_FOUND,
        httpx.codes.BAD_REQUEST,
        httpx.codes.GONE,
        httpx.codes.UNPROCESSABLE_ENTITY,
    }
)
"""What a registry answers for an id that is none of its own."""
_LATER = frozenset({httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS})


def _object(answer: bytes) -> dict[str, Any]:
    try:
        value = json.loads(answer)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise SchemaRegistryUnavailableError("the schema registry's answer is not a JSON object")
    return value


def _integer(answer: dict[str, Any], name: str) -> int:
    value = answer.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise SchemaRegistryUnavailableError(f"the schema registry sent no {name}")
    return value
