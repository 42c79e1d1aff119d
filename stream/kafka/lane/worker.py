"""All lanes of one process: one consumer in the group, one lane per assigned partition."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from functools import partial

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.errors import TopicError
from schemas.settings import KafkaSettings
from stream.kafka import clients
from stream.kafka.dead_letters import DeadLetters
from stream.kafka.lane.delivery import AtLeastOnce, Delivery, ExactlyOnce
from stream.kafka.lane.fault_points import FaultHook, no_fault
from stream.kafka.lane.lane import Lane
from stream.kafka.lane.lanes import Lanes
from stream.kafka.lane.membership import stay_a_member
from stream.kafka.lane.observer import LaneObserver, NoObserver
from stream.kafka.lane.rebalance import Rebalance
from stream.kafka.lane.status import WorkerStatus
from stream.kafka.messages import Processor
from stream.kafka.probe import BrokerProbe
from stream.kafka.room import Room
from stream.kafka.topics import partition_counts

log = structlog.get_logger(__name__)

_LEAVE_TIMEOUT_S = 10.0


class LaneWorker:
    """Consumes the text topic as a member of `group_id` until `request_stop`.

    `outputs` are the topics that results go to beside their source: they are widened when the
    text topic was, as soon as a new partition of it is read. `make_processor` is called on each
    assignment of a partition and after each error of its lane. Transactional ids are
    `{transactional_prefix}-{topic}-{partition}`. `fault_hook` is for tests that let the process
    die at a named point.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        group_id: str,
        transactional_prefix: str,
        make_processor: Callable[[TopicPartition], Processor],
        dead_letter_topic: str,
        outputs: Sequence[str] = (),
        observer: LaneObserver | None = None,
        fault_hook: FaultHook = no_fault,
    ) -> None:
        self._settings = settings
        self._group_id = group_id
        self._transactional_prefix = transactional_prefix
        self._make_processor = make_processor
        self._dead_letter_topic = dead_letter_topic
        self._room = Room(settings, outputs)
        self._observer = observer or NoObserver()
        self._fault_hook = fault_hook
        self._stopping = asyncio.Event()
        self._lanes = Lanes()
        self._probe = BrokerProbe(settings.bootstrap_servers, settings.text_topic)

    def request_stop(self) -> None:
        """Drain: finish the batches in hand within `drain_timeout_s`, then leave the group."""
        self._stopping.set()

    def status(self) -> WorkerStatus:
        """Tell what readiness and liveness need to know."""
        return WorkerStatus(
            partitions=self._lanes.statuses(), broker_reachable=self._probe.reachable
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
        topics = [self._settings.text_topic, self._dead_letter_topic, *self._room.outputs]
        present = await partition_counts(self._settings, topics)
        if missing := [topic for topic in topics if topic not in present]:
            names = " and ".join(missing)
            raise TopicError(f"missing topic {names}: run `silverstream topics create`")
        self._room.saw(present)
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
        # aiokafka tells only those who poll (aio-libs/aiokafka#1154), and nobody polls
        # while no partition is assigned.
        check = consumer._coordinator.check_errors  # noqa: SLF001  # see above
        watch = asyncio.create_task(self._probe.watch(consumer, self._lanes, check=check))
        stop = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait((failed, watch, stop), return_when=asyncio.FIRST_COMPLETED)
            rebalance.close()
            await self._revoke(self._lanes.sources())
            for ended in (failed, watch):
                if ended.done():
                    ended.result()
        finally:
            await self._leave(consumer, watch, stop)
            failed.cancel()

    async def _leave(self, consumer: AIOKafkaConsumer, *tasks: asyncio.Task[object]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._lanes.cancel()
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
            self._lanes.start(self._make_lane(source, consumer), failed=partial(_fail, failed))
        numbers = sorted(source.partition for source in sources)
        log.info("partitions_assigned", group=self._group_id, partitions=numbers)
        self._observer.assigned(numbers)

    async def _revoke(self, sources: Collection[TopicPartition]) -> None:
        if not self._lanes.sources():
            return
        cut_off = await self._lanes.finish(timeout_s=self._settings.drain_timeout_s)
        numbers = sorted(source.partition for source in sources)
        log.info("partitions_revoked", group=self._group_id, partitions=numbers, cut_off=cut_off)
        self._observer.revoked(numbers)

    def _make_lane(self, source: TopicPartition, consumer: AIOKafkaConsumer) -> Lane:
        return Lane(
            source,
            settings=self._settings,
            consumer=consumer,
            make_delivery=partial(self._make_delivery, source, consumer),
            make_processor=self._make_processor,
            letters=DeadLetters(topic=self._dead_letter_topic, app=self._group_id),
            observer=self._observer,
            make_room=partial(self._room.make, source.partition) if self._room.outputs else None,
        )

    def _make_delivery(self, source: TopicPartition, consumer: AIOKafkaConsumer) -> Delivery:
        if self._settings.delivery == "at_least_once":
            producer = clients.producer(self._settings)
            return AtLeastOnce(
                producer, source=source, consumer=consumer, fault_hook=self._fault_hook
            )
        transactional_id = f"{self._transactional_prefix}-{source.topic}-{source.partition}"
        return ExactlyOnce(
            clients.transactional_producer(self._settings, transactional_id=transactional_id),
            source=source,
            group_id=self._group_id,
            fault_hook=self._fault_hook,
        )


def _fail(failed: asyncio.Future[None], error: BaseException) -> None:
    if not failed.done():
        failed.set_exception(error)
