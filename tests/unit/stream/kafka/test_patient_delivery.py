from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.errors import (
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    NodeNotReadyError,
    TopicAuthorizationFailedError,
)
from structlog.testing import capture_logs

from schemas.errors import OutputTooLargeError
from schemas.retry import Backoff
from stream.kafka.messages import Outgoing
from stream.kafka.patient_delivery import PatientDelivery
from stream.testing.fake_time import NO_WAIT
from stream.testing.lanes import until

LABEL = Outgoing("labels", b"v", key=b"k")


class FakeProducer:
    """Fails with each of the errors in turn, then delivers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.sent: list[tuple[str, bytes, bytes]] = []

    async def send_and_wait(self, topic: str, value: bytes, *, key: bytes) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.sent.append((topic, value, key))


def delivery_through(producer: Any, *, backoff: Backoff = NO_WAIT) -> PatientDelivery:
    return PatientDelivery(producer, backoff=backoff)


async def test_a_delivery_waits_for_brokers_that_are_away() -> None:
    producer = FakeProducer(NodeNotReadyError(), KafkaTimeoutError())
    delivery = delivery_through(producer)
    with capture_logs() as logs:
        await delivery(LABEL, beside=None)
    assert producer.sent == [("labels", b"v", b"k")]
    assert delivery.arriving
    retried = [entry["error"] for entry in logs if entry["event"] == "delivery_retried"]
    assert retried == ["NodeNotReadyError", "KafkaTimeoutError"]


async def test_it_tells_while_deliveries_fail() -> None:
    delivery = delivery_through(FakeProducer(NodeNotReadyError()), backoff=Backoff(1e6, 1e6))
    assert delivery.arriving
    waiting = asyncio.create_task(delivery(LABEL, beside=None))
    await until(lambda: not delivery.arriving)
    waiting.cancel()
    await asyncio.wait([waiting])


async def test_a_record_that_the_brokers_refuse_is_told_from_a_delivery_that_fails() -> None:
    delivery = delivery_through(
        FakeProducer(MessageSizeTooLargeError(), TopicAuthorizationFailedError())
    )
    with pytest.raises(OutputTooLargeError, match="labels does not take a record of 1 bytes"):
        await delivery(LABEL, beside=None)
    with pytest.raises(TopicAuthorizationFailedError):
        await delivery(LABEL, beside=None)
