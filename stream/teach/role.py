"""The teach role: the teacher, the producer whose deliveries are awaited, and Faust's agent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError, KafkaTimeoutError
from faust.exceptions import ConsumerNotStarted

from schemas.errors import OutputTooLargeError, RecordsRefusedError
from schemas.files.task import Task
from schemas.settings import Settings
from schemas.wire.codec import Codec
from schemas.wire.topics import TopicNames
from stream.frame.faust_app import FaustApp
from stream.frame.health import RoleHealth
from stream.kafka import clients
from stream.kafka.lane.delivery import discard
from stream.kafka.lane.sending import REFUSALS, send_all
from stream.kafka.messages import Outgoing
from stream.kafka.probe import PROBE_EVERY_S, BrokerProbe
from stream.teach.agent import Answering, Progress, teach_agent
from stream.teach.lag import TeachLag
from stream.teacher.factory import make_teacher
from stream.watch.metrics import Metrics

_log = structlog.get_logger()

_RETRY_WAIT_S = 1.0
_POSITION_TIMEOUT_S = 5.0


class TeachRole:
    """Answers teacher requests from `start` to `stop`; `attach` gives a Faust app its agent."""

    def __init__(
        self,
        settings: Settings,
        *,
        task: Task,
        codec: Codec,
        metrics: Metrics,
        now_ms: Callable[[], int],
        halt: Callable[[BaseException], None],
    ) -> None:
        self._settings = settings
        self._names = TopicNames.of(settings.kafka)
        self._group = f"{settings.app}-{task.name}-teach"
        self._teacher, store = make_teacher(task, settings)
        metrics.watch_spend(store.totals)
        self._halt = halt
        self._progress = Progress()
        self._producer: AIOKafkaProducer | None = None
        self._probe = BrokerProbe(settings.kafka.bootstrap_servers)
        self._lag = TeachLag()
        self._probing: asyncio.Task[None] | None = None
        self._app: FaustApp | None = None
        self._answer = Answering(
            app=settings.app,
            task=task.name,
            task_digest=task.digest,
            names=self._names,
            codec=codec,
            teacher=self._teacher,
            deliver=self._deliver,
            metrics=metrics,
            now_ms=now_ms,
        )

    def make_consumer(self) -> AIOKafkaConsumer:
        """Make the consumer of the agent; Faust calls this in the consumer's thread."""
        return clients.consumer(self._settings.kafka, group_id=self._group)

    def attach(self, app: FaustApp) -> None:
        """Register the agent with the app."""
        self._app = app
        # Values and keys stay bytes; null values come through, to be dead-lettered.
        topic = app.topic(
            self._names.teacher_requests,
            key_serializer="raw",
            value_serializer="raw",
            allow_empty=True,
        )
        app.agent(topic, name="teach")(self._agent)

    async def start(self) -> None:
        """Connect, and begin to probe; `BrokerUnavailableError` when that takes too long."""
        kafka = self._settings.kafka
        start = partial(
            clients.start_with_retry,
            timeout_s=kafka.startup_timeout_s,
            servers=kafka.bootstrap_servers,
        )
        self._producer = await start(lambda: clients.producer(kafka))
        # Faust's own consumer lives in another thread.
        consumer = await start(lambda: clients.consumer(kafka))
        self._probing = asyncio.create_task(self._probe_brokers(consumer))

    async def stop(self) -> None:
        """Close the producer and the teacher; the agent has ended before."""
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.wait({self._probing})
        if self._producer is not None:
            await discard(self._producer)
        await self._teacher.aclose()

    async def drain(self) -> None:
        """Wait for the batch under way, within the drain time."""
        try:
            async with asyncio.timeout(self._settings.kafka.drain_timeout_s):
                await self._progress.idle.wait()
        except TimeoutError:
            _log.warning("teach_undrained")

    def health(self) -> RoleHealth:
        """Ready with partitions assigned, brokers that answer and deliveries that arrive."""
        partitions = self._partitions()
        reachable = self._probe.reachable
        now_s, stall_s = time.monotonic(), self._settings.kafka.stall_timeout_s
        busy_s = self._progress.busy_s(now_s)
        # A batch may wait for hours for a busy teacher, as long as it goes on trying.
        quiet_s = min(busy_s, now_s - self._teacher.tried_at_s)
        trying = quiet_s < stall_s + self._longest_quiet_s
        moving = self._lag.standstill_s(now_s) < stall_s
        return RoleHealth(
            ready=bool(partitions) and reachable and self._progress.delivering,
            # While the brokers are away a restart would not help.
            live=(trying and moving) or not reachable,
            facts={
                "teach_partitions": partitions,
                "teach_lag": {str(partition): lag for partition, lag in self._lag.lags.items()},
                "teach_busy_s": round(busy_s, 1),
                "teach_broker_reachable": reachable,
            },
        )

    @property
    def _longest_quiet_s(self) -> float:
        """Between two tries: one wait, which is a wish and a backoff, and one call."""
        teacher = self._settings.teacher
        call_s = teacher.connect_timeout_s + teacher.read_timeout_s
        return 2 * teacher.max_retry_wait_s + call_s

    def _partitions(self) -> list[int]:
        if self._app is None:
            return []
        try:
            return sorted(partition for _, partition in self._app.consumer.assignment())
        except ConsumerNotStarted:
            return []

    async def _probe_brokers(self, consumer: AIOKafkaConsumer) -> None:
        topic = self._names.teacher_requests
        try:
            while True:
                asked = [TopicPartition(topic, partition) for partition in self._partitions()]
                ends = await self._probe.ends(consumer, asked or [TopicPartition(topic, 0)])
                if not self._probe.reachable:
                    self._lag.paused(time.monotonic())
                else:
                    self._lag.saw(
                        await self._positions(asked),
                        {at.partition: end for at, end in ends.items()},
                        busy=not self._progress.idle.is_set(),
                        now_s=time.monotonic(),
                    )
                await asyncio.sleep(PROBE_EVERY_S)
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends the worker
            self._halt(error)
        finally:
            await clients.stop(consumer)

    async def _positions(self, asked: Sequence[TopicPartition]) -> Mapping[int, int]:
        """Where Faust's consumer reads on; as before when its thread does not answer."""
        if self._app is None:
            return {}
        try:
            async with asyncio.timeout(_POSITION_TIMEOUT_S):
                found = {at.partition: await self._app.consumer.position(at) for at in asked}
        except TimeoutError:
            return self._lag.positions
        except (ConsumerNotStarted, IllegalStateError):  # a rebalance came in between
            return {}
        return {partition: at for partition, at in found.items() if at is not None}

    async def _agent(self, stream: Any) -> None:
        app = self._app
        await teach_agent(
            stream,
            self._answer,
            concurrency=self._settings.teacher.concurrency,
            progress=self._progress,
            should_stop=lambda: app is None or app.should_stop,
            halt=self._halt,
        )

    async def _deliver(self, outgoing: Outgoing, /, *, beside: int | None) -> None:
        """Produce until it is confirmed; brokers that are away are waited for."""
        while not await self._delivered(outgoing, beside):  # noqa: ASYNC110 - see `_delivered`
            await asyncio.sleep(_RETRY_WAIT_S)

    async def _delivered(self, outgoing: Outgoing, beside: int | None) -> bool:
        try:
            await self._send(outgoing, beside)
        except KafkaError as error:
            if not (error.retriable or isinstance(error, KafkaTimeoutError)):
                raise
            self._progress.delivering = False
            _log.warning("delivery_retried", topic=outgoing.topic, error=type(error).__name__)
            return False
        self._progress.delivering = True
        return True

    async def _send(self, outgoing: Outgoing, beside: int | None) -> None:
        if self._producer is None:
            raise RuntimeError("the producer has not been started")
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
