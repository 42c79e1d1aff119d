"""Bodies of at most so many bytes, counted as they come over the wire, before anything else.

A few bytes that are compressed can become gigabytes, and an error's body is read by the client
library whole. So answers are asked for uncompressed, a compressed one is refused, and each
stream is cut off at its limit.

The client is `httpx`'s, or that of `httpx2`, which newer versions of `openai` bring: they share
no classes, so that none is named here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any, Final

from schemas.errors import RetryError

UNCOMPRESSED: Final = {"Accept-Encoding": "identity"}
"""The header to send."""


def cap_bodies(client: Any, *, most_bytes: int, unavailable: type[RetryError]) -> None:
    """Have every response of `client` raise `unavailable` beyond the limit, or when compressed."""
    hooks = client.event_hooks
    cap = partial(_cap, most_bytes=most_bytes, unavailable=unavailable)
    client.event_hooks = {**hooks, "response": [*hooks.get("response", []), cap]}


def is_compressed(headers: Mapping[str, str]) -> bool:
    """Tell whether a response has a compressed body, by its headers (of any case)."""
    return headers.get("content-encoding", "identity").strip().lower() != "identity"


async def _cap(response: Any, *, most_bytes: int, unavailable: type[RetryError]) -> None:
    if is_compressed(response.headers):
        raise unavailable("the response is compressed, though that was not asked for")
    response.stream = _capped_stream(response.stream, most_bytes, unavailable)


def _capped_stream(stream: Any, most_bytes: int, unavailable: type[RetryError]) -> Any:
    """Wrap a stream in one of its own library's kind: it takes no other."""
    kind = next(x for x in type(stream).__mro__ if x.__name__ == "AsyncByteStream")
    return type("CappedStream", (_Capped, kind), {})(stream, most_bytes, unavailable)


class _Capped:
    def __init__(self, stream: Any, most_bytes: int, unavailable: type[RetryError]) -> None:
        self._stream = stream
        self._left = most_bytes
        self._most_bytes = most_bytes
        self._unavailable = unavailable

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            self._left -= len(chunk)
            if self._left < 0:
                raise self._unavailable(f"the response has more than {self._most_bytes} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
