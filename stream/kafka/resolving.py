"""Waiting for a schema registry that is away: its records are held back, never failed for it."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from schemas.errors import RetryError
from schemas.wire.codec import Codec

log = structlog.get_logger(__name__)

_FIRST_WAIT_S = 0.25
_LONGEST_WAIT_S = 10.0


async def resolve_patiently(codec: Codec, values: Sequence[bytes | None]) -> None:
    """`Codec.resolve`, begun again until the registry answers."""
    await _patiently(lambda: codec.resolve(values), event="schemas_unresolved", timeout_s=math.inf)


async def prepare_patiently(codec: Codec, topics: Mapping[str, type], *, timeout_s: float) -> None:
    """`Codec.prepare`, begun again until the registry answers; after `timeout_s` its error."""
    await _patiently(
        lambda: codec.prepare(topics), event="schema_registry_unavailable", timeout_s=timeout_s
    )


async def _patiently(
    attempt: Callable[[], Awaitable[None]], *, event: str, timeout_s: float
) -> None:
    clock = asyncio.get_running_loop().time
    deadline, wait_s = clock() + timeout_s, _FIRST_WAIT_S
    while True:
        try:
            return await attempt()
        except RetryError as error:
            if clock() >= deadline:
                raise
            log.warning(event, error=str(error), wait_s=wait_s)
        jittered_s = wait_s * random.uniform(0.5, 1.5)  # noqa: S311  # jitter is no secret
        await asyncio.sleep(min(jittered_s, deadline - clock()))
        wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
