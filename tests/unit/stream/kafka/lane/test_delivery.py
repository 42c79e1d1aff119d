from __future__ import annotations

from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import IllegalOperation, KafkaError, ProducerFenced

from schemas.errors import FencedError
from stream.kafka.lane.delivery import ExactlyOnce, Parcel


class BrokenProducer:
    """Raises as soon as a transaction is begun."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def begin_transaction(self) -> None:
        raise self.error


async def deliver(error: Exception) -> None:
    """Deliver through a producer that raises this error."""
    producer: Any = BrokenProducer(error)
    delivery = ExactlyOnce(
        producer,
        source=TopicPartition("text", 0),
        group_id="group",
        fault_hook=lambda _: None,
    )
    await delivery.deliver(Parcel((), 1, singly=False))


@pytest.mark.parametrize("error", [AssertionError("state"), IllegalOperation("state")])
async def test_a_producer_in_an_illegal_state_is_an_error_that_a_lane_retries(
    error: Exception,
) -> None:
    with pytest.raises(KafkaError, match="in no state to deliver: state"):
        await deliver(error)


async def test_a_producer_whose_id_another_has_taken_is_fenced() -> None:
    with pytest.raises(FencedError, match="partition 0 of text"):
        await deliver(ProducerFenced())
