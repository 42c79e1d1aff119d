"""`teacher.base_url`, read: where requests go, and what messages may say of it.

A URL can hold a password or a key in its query, so messages name the host alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, urlunsplit

from schemas.addresses import split_url
from schemas.errors import ConfigError

_CALL = "/chat/completions"
_OTHER_CALLS = ("/completions", "/responses", "/messages", "/embeddings", "/api/chat", "/generate")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`base_url` without query; `query` goes with every request; messages may name `host`."""

    base_url: str
    query: tuple[tuple[str, str], ...]
    host: str
    secrets: tuple[str, ...]
    """What no message may quote: password and values of the query."""


def read_endpoint(url: str) -> Endpoint:
    """Read a base URL; one that ends in `/chat/completions` is taken as its base.

    Raises `ConfigError` for what is not HTTP, points at a cloud's metadata in whatever spelling
    (`schemas.addresses`), or ends in the address of another call.
    """
    try:
        parts = split_url(url)
    except ValueError as error:
        raise ConfigError(f"teacher.base_url {error}") from None
    path = parts.path.rstrip("/").removesuffix(_CALL)
    if path.endswith(_OTHER_CALLS):
        raise ConfigError(
            "teacher.base_url must be the base of an OpenAI-compatible API, such as "
            f"http://HOST/v1, and not end in {path[path.rfind('/') :]}"
        )
    query = tuple(parse_qsl(parts.query, keep_blank_values=True))
    base_url = urlunsplit((parts.scheme, parts.netloc, path, "", ""))
    return Endpoint(base_url, query, parts.hostname or "", tuple(_secrets(parts, query)))


def _secrets(parts: SplitResult, query: tuple[tuple[str, str], ...]) -> Iterator[str]:
    if parts.password:
        yield parts.password
    yield from (value for name, value in query if value and name != "api-version")
