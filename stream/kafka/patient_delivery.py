"""Delivery with patience: a record is produced until it is confirmed.

A lane does not deliver this way, though both send through `lane.sending`. What a lane writes
goes together with its offsets, so after an error the whole batch is begun again behind a new
producer (`lane.lane`); to send one record again would write it twice.
"""

from __future__ import annotations

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from tenacity import RetryCallState, retry_if_exception

from schemas.errors import OutputTooLargeError, RecordsRefusedError
from schemas.retry import Backoff, failure, patiently
from stream.kafka.aiokafka_errors import may_pass
from stream.kafka.lane.delivery import discard
from stream.kafka.lane.sending import REFUSALS, send_all
from stream.kafka.messages import Outgoing

log = structlog.get_logger(__name__)

BACKOFF = Backoff(1.0, 1.0)
"""Between two attempts to produce a record."""


class PatientDelivery:
    """A `Deliver` that waits for brokers that are away; what they refuse is an error."""

    def __init__(self, producer: AIOKafkaProducer, *, backoff: Backoff = BACKOFF) -> None:
        self._producer = producer
        self._backoff = backoff
        self.arriving = True
        """Whether the last attempt of all succeeded."""

    async def __call__(self, outgoing: Outgoing, /, *, beside: int | None) -> None:
        """Produce until it is confirmed; see `Deliver`."""

        def warn(state: RetryCallState) -> None:
            self.arriving = False
            error = type(failure(state)).__name__
            log.warning("delivery_retried", topic=outgoing.topic, error=error)

        await patiently(
            lambda: self._send(outgoing, beside),
            retry=retry_if_exception(_may_pass),
            wait=self._backoff,
            before_sleep=warn,
        )
        self.arriving = True

    async def close(self) -> None:
        """Drop the producer; what has not been confirmed is delivered by another one."""
        await discard(self._producer)

    async def _send(self, outgoing: Outgoing, beside: int | None) -> None:
        try:
            if beside is None:
                await self._producer.send_and_wait(outgoing.topic, outgoing.value, key=outgoing.key)
            else:
                addressed = [(0, outgoing)]
                await send_all(self._producer, addressed, source_partition=beside, singly=True)
        except (*REFUSALS, RecordsRefusedError) as error:
            raise OutputTooLargeError(
                f"{outgoing.topic} does not take a record of {len(outgoing.value or b'')} bytes"
            ) from error


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, KafkaError) and may_pass(error)
