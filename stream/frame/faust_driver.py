"""Faust over a consumer of ours, which reads committed records only.

Faust's own worker consumer reads uncommitted unless its `exactly_once` is on,
and no setting changes that: requests of aborted transactions would be asked
and paid for. Here the aiokafka consumer is given in, made from the same
settings (addresses, credentials, safe defaults) as every other client. For
that two private methods of Faust are overridden (see `stream.frame`).

Source: faust-streaming 0.15.3, `faust/transport/drivers/aiokafka.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

from aiokafka import AIOKafkaConsumer
from faust.transport.drivers import aiokafka as driver

MakeConsumer = Callable[[], AIOKafkaConsumer]


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that holds the aiokafka consumer."""

    def _create_consumer(self, loop: asyncio.AbstractEventLoop) -> AIOKafkaConsumer:  # noqa: ARG002 - called in that loop
        return cast("Transport", self.consumer.transport).make_consumer()


class Consumer(driver.Consumer):
    """Faust's consumer, over our thread."""

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def wait_empty(self) -> None:
        """Drain before partitions go and before the end; Faust's own way has no time limit."""
        await cast("Transport", self.transport).drain()
        await self.commit()


class Transport(driver.Transport):
    """Faust's Kafka transport; `make_consumer` is called in the consumer's thread."""

    Consumer = Consumer

    def __init__(
        self, app: Any, *, make_consumer: MakeConsumer, drain: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(app.conf.broker_consumer, app)
        self.make_consumer = make_consumer
        self.drain = drain
