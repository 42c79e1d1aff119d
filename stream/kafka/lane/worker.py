"""All lanes of one process: one consumer in the group, one lane per assigned partition."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from functools import partial

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.errors import TopicError
from schemas.settings import KafkaSettings
from stream.kafka import clients
from stream.kafka.dead_letters import dead_letter
from stream.kafka.lane.delivery import AtLeastOnce, Delivery, ExactlyOnce
from stream.kafka.lane.fault_points import FaultHook, no_fault
from stream.kafka.lane.lane import Lane
from stream.kafka.lane.membership import stay_a_member
from stream.kafka.lane.observer import LaneObserver, NoObserver
from stream.kafka.lane.rebalance import Rebalance
from stream.kafka.lane.status import WorkerStatus
from stream.kafka.messages import Processor
from stream.kafka.probe import PROBE_EVERY_S, BrokerProbe
from stream.kafka.topics import partition_counts

log = structlog.get_logger(__name__)

_LEAVE_TIMEOUT_S = 10.0


class LaneWorker:
    """Consumes the text topic as a member of `group_id` until `request_stop`.

    `make_processor` is called on each assignment of a partition and after each error of
    its lane. Transactional ids are `{transactional_prefix}-{topic}-{partition}`.
    `fault_hook` is for tests that let the process die at a named point.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        group_id: str,
        transactional_prefix: str,
        make_processor: Callable[[TopicPartition], Processor],
        dead_letter_topic: str,
        observer: LaneObserver | None = None,
        fault_hook: FaultHook = no_fault,
    ) -> None:
        self._settings = settings
        self._group_id = group_id
        self._transactional_prefix = transactional_prefix
        self._make_processor = make_processor
        self._dead_letter_topic = dead_letter_topic
        self._observer = observer or NoObserver()
        self._fault_hook = fault_hook
        self._stopping = asyncio.Event()
        self._lanes: dict[Lane, asyncio.Task[None]] = {}
        self._probe = BrokerProbe(settings.bootstrap_servers)

    def request_stop(self) -> None:
        """Drain: finish the batches in hand within `drain_timeout_s`, then leave the group."""
        self._stopping.set()

    def status(self) -> WorkerStatus:
        """Tell what readiness and liveness need to know."""
        return WorkerStatus(
            partitions=tuple(lane.status() for lane in self._lanes),
            broker_reachable=self._probe.reachable,
        )

    async def run(self) -> None:
        """Work until `request_stop`.

        Raises `BrokerUnavailableError` when no broker answers within `startup_timeout_s`
        at the start (later outages are waited for), a `HaltError` that a lane met, or what
        a processor or observer raised.
        """
        await self._check()
        await stay_a_member(
            self._be_a_member,
            group=self._group_id,
            stopping=self._stopping,
            startup_timeout_s=self._settings.startup_timeout_s,
        )

    async def _check(self) -> None:
        topics = [self._settings.text_topic, self._dead_letter_topic]
        present = await partition_counts(self._settings, topics)
        if missing := [topic for topic in topics if topic not in present]:
            names = " and ".join(missing)
            raise TopicError(f"missing topic {names}: run `silverstream topics create`")
        if self._settings.delivery == "exactly_once":
            probe = f"{self._transactional_prefix}-probe"
            await clients.check_transactions(self._settings, transactional_id=probe)

    async def _be_a_member(self, timeout_s: float) -> None:
        consumer = await clients.start_with_retry(
            lambda: clients.consumer(self._settings, group_id=self._group_id),
            timeout_s=timeout_s,
            servers=self._settings.bootstrap_servers,
        )
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        rebalance = Rebalance(
            assigned=partial(self._assign, consumer, failed),
            revoked=self._revoke,
            failed=partial(_fail, failed),
        )
        consumer.subscribe([self._settings.text_topic], listener=rebalance)
        watch = asyncio.create_task(self._watch(consumer))
        stop = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait((failed, watch, stop), return_when=asyncio.FIRST_COMPLETED)
            rebalance.close()
            await self._revoke([lane.source for lane in self._lanes])
            for ended in (failed, watch):
                if ended.done():
                    ended.result()
        finally:
            await self._leave(consumer, watch, stop)
            failed.cancel()

    async def _leave(self, consumer: AIOKafkaConsumer, *tasks: asyncio.Task[object]) -> None:
        for task in (*tasks, *self._lanes.values()):
            task.cancel()
        await asyncio.gather(*tasks, *self._lanes.values(), return_exceptions=True)
        self._lanes.clear()
        try:
            await asyncio.wait_for(clients.stop(consumer), _LEAVE_TIMEOUT_S)
        except TimeoutError:
            log.warning("left_without_goodbye", group=self._group_id)

    def _assign(
        self,
        consumer: AIOKafkaConsumer,
        failed: asyncio.Future[None],
        sources: Collection[TopicPartition],
    ) -> None:
        for source in sorted(sources):
            lane = self._make_lane(source, consumer)
            task = asyncio.create_task(lane.run(), name=f"lane-{source.partition}")
            task.add_done_callback(partial(_pass_on, failed))
            self._lanes[lane] = task
        numbers = sorted(source.partition for source in sources)
        log.info("partitions_assigned", group=self._group_id, partitions=numbers)
        self._observer.assigned(numbers)

    async def _revoke(self, sources: Collection[TopicPartition]) -> None:
        if not self._lanes:
            return
        for lane in self._lanes:
            lane.request_stop()
        running = list(self._lanes.values())
        _, late = await asyncio.wait(running, timeout=self._settings.drain_timeout_s)
        for task in late:
            task.cancel()
        await asyncio.wait(running)
        self._lanes.clear()
        numbers = sorted(source.partition for source in sources)
        log.info("partitions_revoked", group=self._group_id, partitions=numbers, cut_off=len(late))
        self._observer.revoked(numbers)

    def _make_lane(self, source: TopicPartition, consumer: AIOKafkaConsumer) -> Lane:
        return Lane(
            source,
            settings=self._settings,
            consumer=consumer,
            make_delivery=partial(self._make_delivery, source, consumer),
            make_processor=self._make_processor,
            make_letter=partial(dead_letter, topic=self._dead_letter_topic, app=self._group_id),
            observer=self._observer,
        )

    def _make_delivery(self, source: TopicPartition, consumer: AIOKafkaConsumer) -> Delivery:
        if self._settings.delivery == "at_least_once":
            return AtLeastOnce(
                self._settings, source=source, consumer=consumer, fault_hook=self._fault_hook
            )
        return ExactlyOnce(
            self._settings,
            source=source,
            group_id=self._group_id,
            transactional_id=f"{self._transactional_prefix}-{source.topic}-{source.partition}",
            fault_hook=self._fault_hook,
        )

    async def _watch(self, consumer: AIOKafkaConsumer) -> None:
        """Look at the broker every other second; ends only when the membership is beyond repair."""
        while True:
            # aiokafka tells only those who poll (aio-libs/aiokafka#1154), and nobody polls
            # while no partition is assigned.
            consumer._coordinator.check_errors()  # noqa: SLF001  # see above
            await self._look(consumer)
            await asyncio.sleep(PROBE_EVERY_S)

    async def _look(self, consumer: AIOKafkaConsumer) -> None:
        sources = [lane.source for lane in self._lanes]
        asked = sources or [TopicPartition(self._settings.text_topic, 0)]
        ends = await self._probe.ends(consumer, asked)
        for lane in self._lanes:
            if lane.source in ends:
                lane.saw_end(ends[lane.source])
            elif not self._probe.reachable:
                lane.saw_outage()


def _fail(failed: asyncio.Future[None], error: BaseException) -> None:
    if not failed.done():
        failed.set_exception(error)


def _pass_on(failed: asyncio.Future[None], task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _fail(failed, error)
