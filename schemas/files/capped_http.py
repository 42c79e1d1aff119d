"""A piece of a file over HTTP, of at most the bytes that were asked for.

fsspec's own way reads whatever comes, opens what is compressed and follows redirects; a store that
was taken over would fill the memory of every worker, or have it ask a stranger for a bundle.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from schemas.addresses import refuse_addresses
from schemas.wire.capped_bodies import UNCOMPRESSED, is_compressed

SCHEMES: Final = frozenset({"http", "https"})
OPTIONS: Final = {"allow_redirects": False}
"""Of all requests of the file system."""
_REDIRECTS: Final = range(300, 400)


async def guarded_client(*, setting: str, resolver: Any = None, **options: Any) -> Any:
    """Make the session of a file system: it connects to no address of a cloud's metadata.

    What its resolver gives is what it connects to, however often a name changes. Raises
    `ConfigError`, which names the `setting`, for such an address. `resolver` replaces that of the
    machine.
    """
    # By fsspec's own name for it: the hot path, which imports this, knows no HTTP client.
    from fsspec.implementations.http import aiohttp  # noqa: PLC0415 - where it reads over HTTP

    checked = _Checked(resolver or aiohttp.ThreadedResolver(), setting)
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=checked), **options)


class _Checked:
    """A resolver of aiohttp whose answers are looked at."""

    def __init__(self, resolver: Any, setting: str) -> None:
        self._resolver, self._setting = resolver, setting

    async def resolve(self, host: str, *args: Any, **how: Any) -> Any:
        found = await self._resolver.resolve(host, *args, **how)
        refuse_addresses(host, [one["host"] for one in found], self._setting)
        return found

    async def close(self) -> None:
        await self._resolver.close()


async def read_capped(fs: Any, url: str, *, start: int, end: int) -> bytes:
    """Read the bytes from `start` to before `end` through fsspec's file system of HTTP.

    Raises `FileNotFoundError`, and `OSError` for an answer that is another one than was asked for.
    """
    session = await fs.set_session()
    options = {**fs.kwargs, **OPTIONS}  # logins and the like, as its own requests have them
    headers = {**options.pop("headers", {}), **UNCOMPRESSED, "Range": f"bytes={start}-{end - 1}"}
    async with session.get(fs.encode_url(url), headers=headers, **options) as response:
        fs._raise_not_found_for_status(response, url)  # noqa: SLF001 - as its own `_cat_file`
        if response.status in _REDIRECTS:
            raise OSError(f"answered {response.status}: redirects are not followed")
        if is_compressed(response.headers):
            raise OSError("answered with a compressed body, though that was not asked for")
        return await read_most(response.content.iter_any(), end - start)


async def read_most(chunks: AsyncIterator[bytes], most_bytes: int) -> bytes:
    """Read a body to its end; `OSError` as soon as it is longer."""
    found = bytearray()
    async for chunk in chunks:
        found += chunk
        if len(found) > most_bytes:
            raise OSError(f"answered more than the {most_bytes} bytes that were asked for")
    return bytes(found)
