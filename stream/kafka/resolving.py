"""Waiting for a schema registry that is away: its records are held back, never failed for it."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog
from tenacity import RetryCallState, retry_if_exception_type

from schemas.errors import RetryError
from schemas.retry import Backoff, Deadline, failure, patiently
from schemas.wire.codec import Codec

log = structlog.get_logger(__name__)

BACKOFF = Backoff(0.25, 10.0)
"""Between two questions to a registry that does not answer."""


async def resolve_patiently(
    codec: Codec, values: Sequence[bytes | None], *, backoff: Backoff = BACKOFF
) -> None:
    """`Codec.resolve`, begun again until the registry answers."""
    await _until_answered(
        lambda: codec.resolve(values), "schemas_unresolved", timeout_s=math.inf, backoff=backoff
    )


async def prepare_patiently(
    codec: Codec, topics: Mapping[str, type], *, timeout_s: float, backoff: Backoff = BACKOFF
) -> None:
    """`Codec.prepare`, begun again until the registry answers; after `timeout_s` its error."""
    await _until_answered(
        lambda: codec.prepare(topics),
        "schema_registry_unavailable",
        timeout_s=timeout_s,
        backoff=backoff,
    )


async def _until_answered(
    ask: Callable[[], Awaitable[None]], event: str, *, timeout_s: float, backoff: Backoff
) -> None:
    def warn(state: RetryCallState) -> None:
        log.warning(event, error=str(failure(state)), wait_s=round(state.upcoming_sleep, 2))

    deadline = Deadline(timeout_s)
    await patiently(
        ask,
        retry=retry_if_exception_type(RetryError),
        wait=deadline.within(backoff),
        stop=deadline.passed,
        before_sleep=warn,
    )
