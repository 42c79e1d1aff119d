"""Waiting for a schema registry that is away: its records are held back, never failed for it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import structlog

from schemas.codec import Codec
from stream.errors import RetryError

log = structlog.get_logger(__name__)

_FIRST_WAIT_S = 0.25
_LONGEST_WAIT_S = 10.0


async def resolve_patiently(codec: Codec, values: Sequence[bytes | None]) -> None:
    """`Codec.resolve`, begun again until the registry answers."""
    wait_s = _FIRST_WAIT_S
    while True:
        try:
            return await codec.resolve(values)
        except RetryError as error:
            log.warning("schemas_unresolved", error=str(error), wait_s=wait_s)
        await asyncio.sleep(wait_s * random.uniform(0.5, 1.5))  # noqa: S311  # jitter is no secret
        wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
