"""A piece of an object of S3, of at most the bytes that were asked for.

s3fs reads whatever the answer to a range holds; a store that was taken over would fill the memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from schemas.files.capped_http import read_most

SCHEMES: Final = frozenset({"s3", "s3a"})
_CHUNK_BYTES: Final = 64 * 1024


async def read_capped(fs: Any, path: str, *, start: int, end: int) -> bytes:
    """Read the bytes from `start` to before `end` through s3fs.

    Raises what s3fs does, and `OSError` for an answer of more bytes.
    """
    bucket, key, _ = fs.split_path(path)
    asked = {"Bucket": bucket, "Key": key, "Range": f"bytes={start}-{end - 1}"}
    answer = await fs._call_s3("get_object", **asked)  # noqa: SLF001 - as its own `_cat_file`
    try:
        return await read_most(_chunks(answer["Body"]), end - start)
    finally:
        answer["Body"].close()


async def _chunks(body: Any) -> AsyncIterator[bytes]:
    while chunk := await body.read(_CHUNK_BYTES):
        yield chunk
