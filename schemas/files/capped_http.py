"""A piece of a file over HTTP, of at most the bytes that were asked for.

fsspec's own way reads whatever comes, opens what is compressed and follows redirects; a store that
was taken over would fill the memory of every worker, or have it ask a stranger for a bundle.
"""

from __future__ import annotations

from typing import Any, Final

from schemas.wire.capped_bodies import UNCOMPRESSED, is_compressed

SCHEMES: Final = frozenset({"http", "https"})
OPTIONS: Final = {"allow_redirects": False}
"""For the file system: of all its requests."""
_REDIRECTS: Final = range(300, 400)


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
        return await _read_most(response.content, end - start)


async def _read_most(content: Any, most_bytes: int) -> bytes:
    found = bytearray()
    async for chunk in content.iter_any():
        found += chunk
        if len(found) > most_bytes:
            raise OSError(f"answered more than the {most_bytes} bytes that were asked for")
    return bytes(found)
