"""Staying in the group: a membership that is lost is taken up again."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Awaitable, Callable

import structlog
from aiokafka.errors import KafkaError
from tenacity import RetryCallState, retry_if_exception_type

from schemas.errors import ConfigError
from schemas.retry import Backoff, failure, patiently
from stream.kafka.aiokafka_errors import FORBIDDEN, refuse_the_hopeless

log = structlog.get_logger(__name__)

BACKOFF = Backoff(2.0, 2.0)
"""Between two memberships."""


async def stay_a_member(
    be_a_member: Callable[[float], Awaitable[None]],
    *,
    group: str,
    stopping: asyncio.Event,
    startup_timeout_s: float,
    backoff: Backoff = BACKOFF,
) -> None:
    """Be a member until `stopping`, again after each `KafkaError` but for what is forbidden.

    `be_a_member` is told how long to wait for a broker: `startup_timeout_s` at the start, in
    later outages for ever.
    """
    timeouts_s = itertools.chain((startup_timeout_s,), itertools.repeat(math.inf))

    async def attempt() -> None:
        if stopping.is_set():
            return
        try:
            await be_a_member(next(timeouts_s))
        except FORBIDDEN as error:
            raise ConfigError(f"the broker forbids it: {error}") from error
        except KafkaError as error:
            refuse_the_hopeless(error, servers="the brokers")
            raise

    def warn(state: RetryCallState) -> None:
        log.warning("membership_lost", group=group, error=repr(failure(state)))

    async def sleep(seconds: float) -> None:
        await asyncio.wait((stop,), timeout=seconds)

    stop = asyncio.create_task(stopping.wait())
    try:
        await patiently(
            attempt,
            retry=retry_if_exception_type(KafkaError),
            wait=backoff,
            before_sleep=warn,
            sleep=sleep,
        )
    finally:
        stop.cancel()
