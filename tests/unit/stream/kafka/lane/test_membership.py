from __future__ import annotations

import asyncio
import math

import pytest
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    InvalidSessionTimeoutError,
    KafkaConnectionError,
    KafkaError,
)

from schemas.errors import ConfigError
from schemas.retry import Backoff
from stream.kafka.lane.membership import stay_a_member
from stream.testing.fake_time import NO_WAIT
from stream.testing.lanes import until


class Memberships:
    """They end with the errors that were given, then in order."""

    def __init__(self, *errors: KafkaError) -> None:
        self.errors = list(errors)
        self.timeouts_s: list[float] = []
        self.stopping = asyncio.Event()

    async def __call__(self, timeout_s: float) -> None:
        self.timeouts_s.append(timeout_s)
        if self.errors:
            raise self.errors.pop(0)
        self.stopping.set()

    async def stay(self, backoff: Backoff = NO_WAIT) -> None:
        stay = stay_a_member(
            self, group="group", stopping=self.stopping, startup_timeout_s=5, backoff=backoff
        )
        await asyncio.wait_for(stay, 60)


async def test_a_group_that_we_may_not_join_halts() -> None:
    with pytest.raises(ConfigError, match=r"forbids it: .*group"):
        await Memberships(GroupAuthorizationFailedError("group")).stay()


async def test_a_session_timeout_that_the_broker_does_not_allow_halts() -> None:
    memberships = Memberships(InvalidSessionTimeoutError(), KafkaConnectionError("not reached"))
    with pytest.raises(ConfigError, match=r"kafka\.session_timeout_ms must lie between"):
        await memberships.stay()
    assert len(memberships.errors) == 1


async def test_a_lost_membership_is_taken_up_again_however_long_the_brokers_are_away() -> None:
    memberships = Memberships(KafkaConnectionError("gone"), KafkaConnectionError("gone"))
    await memberships.stay()
    assert memberships.timeouts_s == [5, math.inf, math.inf]


async def test_a_stop_cuts_the_wait_for_the_next_membership_short() -> None:
    memberships = Memberships(KafkaConnectionError("gone"))
    staying = asyncio.create_task(memberships.stay(Backoff(1e6, 1e6)))
    await until(lambda: memberships.errors == [])
    memberships.stopping.set()
    await staying
    assert memberships.timeouts_s == [5]
