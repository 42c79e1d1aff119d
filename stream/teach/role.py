"""The teach role: the teacher, the producer whose deliveries are awaited, and Faust's agent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from functools import partial
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from tenacity import retry_if_exception_type

from schemas.consent import has_consent
from schemas.errors import RetryError, TeacherStateError
from schemas.files.task import Task
from schemas.masking import masked_place
from schemas.retry import patiently
from schemas.settings import Settings
from schemas.wire.codec import Codec
from schemas.wire.producers import ProducerReader
from schemas.wire.topics import TopicNames
from stream.frame.faust_app import FaustApp
from stream.frame.health import RoleHealth
from stream.kafka import clients
from stream.kafka.aiokafka_errors import refuse_the_hopeless
from stream.kafka.answer_log import answer_log_of
from stream.kafka.canaries import FollowedCanaryLog
from stream.kafka.dead_letters import DeadLetters
from stream.kafka.messages import Deliver, Outgoing
from stream.kafka.patient_delivery import BACKOFF, PatientDelivery
from stream.kafka.probe import BrokerProbe
from stream.kafka.promotions import follow_promotions
from stream.kafka.room import Room
from stream.kafka.signatures import Signatures
from stream.kafka.spend_log import spend_log_of
from stream.teach.agent import AnswerAll, InHand, live_take, side_by_side, teach_agent
from stream.teach.answering import Answering, AskUnsure
from stream.teach.canaries import CanaryAsking
from stream.teach.canary_texts import FileTexts, LabelledTexts
from stream.teach.health import TeachState, circuit_state, teach_health
from stream.teach.lag import TeachLag
from stream.teach.merges import Merges
from stream.teach.slow_answering import SlowAnswering, while_any_waits
from stream.teacher.batches.lane import BatchLane, any_waits, has_lane
from stream.teacher.factory import make_teacher, make_teachers
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.openai_teacher import OpenAITeacher
from stream.teacher.teachers import Teachers
from stream.watch.metrics import Metrics

_log = structlog.get_logger()


class TeachRole:
    """Answers teacher requests from `start` to `stop`; `attach` gives a Faust app its agent.

    `teacher_of` takes what `make_teacher` takes.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        task: Task,
        codec: Codec,
        metrics: Metrics,
        now_ms: Callable[[], int],
        halt: Callable[[BaseException], None],
        teacher_of: Callable[..., tuple[OpenAITeacher, TeacherStore]] = make_teacher,
    ) -> None:
        self._settings = settings
        self._task = task.name
        self._names = TopicNames.of(settings.kafka)
        self._group = f"{settings.app}-{task.name}-teach"
        self._teacher, store = make_teachers(
            task,
            settings,
            spend_log=spend_log_of(settings),
            answer_log=answer_log_of(settings),
            make=teacher_of,
        )
        metrics.watch_spend(store.totals)
        metrics.watch_circuit(lambda: (circuit_state(self._teacher.outage), self._teacher.places))
        self._canary_teacher: OpenAITeacher | None = None
        self._canary_log = FollowedCanaryLog(
            settings.kafka, task.name, codec, deliver=self._deliver_late, now_ms=now_ms
        )
        self._reading_canaries: asyncio.Task[None] | None = None
        self.canaries: CanaryAsking | None = None
        """To be ticked as often as the settings say; None where they say never."""
        self._halt = halt
        self._app: FaustApp | None = None
        self._in_hand = InHand()
        self._delivery: PatientDelivery | None = None
        requests = self._names.teacher_requests
        self._probe = BrokerProbe(settings.kafka.bootstrap_servers, requests)
        self._lag = TeachLag(
            requests,
            consumer=lambda: None if self._app is None else self._app.consumer,
            busy=lambda: self._in_hand.busy_s is not None,
        )
        self._room = Room(settings.kafka, [self._names.entities])
        self._member: AIOKafkaConsumer | None = None
        self._probing: asyncio.Task[None] | None = None
        self._following: asyncio.Task[None] | None = None
        self._known = asyncio.Event()
        if settings.teacher.canaries_per_hour > 0:
            self._canary_teacher, _ = teacher_of(
                task, settings, purpose="canary", books=self._teacher.books
            )
            self.canaries = self._canary_asking(
                self._canary_teacher, task=task, codec=codec, metrics=metrics, now_ms=now_ms
            )
        self._slow = self._slow_answering(settings, task.name, now_ms, metrics)
        self._merges = Merges(choose_one=task.choose == "one")
        self._promotions = partial(
            follow_promotions, settings.kafka, self._names.promotions, codec, task.name
        )
        self._answering = partial(
            Answering,
            task=task.name,
            task_digest=task.digest,
            names=self._names,
            letters=DeadLetters(topic=self._names.dead_letters, app=settings.app),
            codec=codec,
            teacher=self._teacher,
            metrics=metrics,
            now_ms=now_ms,
            merge=self._merges,
            producers=ProducerReader(settings.routing.quotas),
            signatures=Signatures.of(settings.kafka),
            ask_unsure=self._ask_unsure,
            ask_audit=one.label_alone if isinstance(one := self._teacher, OpenAITeacher) else None,
            may_ask=lambda request: has_consent(
                settings.teacher, topic=request.source_topic, headers=request.headers
            ),
        )

    @property
    def _ask_unsure(self) -> AskUnsure | None:
        """Ask one teacher about what is unsure alone; of several each has its own way."""
        asks = self._settings.teacher.ask == "unsure"
        return (
            self._teacher.label_unsure
            if asks and isinstance(self._teacher, OpenAITeacher)
            else None
        )

    def make_consumer(self) -> AIOKafkaConsumer:
        """Make the consumer of the agent; Faust calls this in the consumer's thread."""
        self._member = clients.consumer(self._settings.kafka, group_id=self._group)
        return self._member

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
        self._delivery = PatientDelivery(await start(lambda: clients.producer(kafka)))
        # Faust's own consumer lives in another thread.
        consumer = await start(lambda: clients.consumer(kafka))
        self._probing = asyncio.create_task(self._probe_brokers(consumer))
        self._following = asyncio.create_task(self._follow())
        if self.canaries is not None:
            self._reading_canaries = asyncio.create_task(self._read_canaries())
        # Or a worker that is started anew would answer its first requests as if nothing were known.
        known = asyncio.create_task(self._known.wait())
        await asyncio.wait({known, self._following}, return_when=asyncio.FIRST_COMPLETED)
        known.cancel()

    async def stop(self) -> None:
        """Close the producer and the teacher; the agent has ended before."""
        started = (self._probing, self._following, self._reading_canaries)
        tasks = {task for task in started if task is not None}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if self._delivery is not None:
            await self._delivery.close()
        if self._canary_teacher is not None:
            await self._canary_teacher.aclose()
        await self._teacher.aclose()

    async def drain(self) -> None:
        """Wait for the batch under way, within the drain time."""
        if not await self._in_hand.done(timeout_s=self._settings.kafka.drain_timeout_s):
            _log.warning("teach_undrained")

    def health(self) -> RoleHealth:
        """Tell how it is, see `teach_health`."""
        seen = TeachState(
            partitions=self._lag.partitions(),
            lags=self._lag.lags,
            standstill_s=self._lag.standstill_s,
            busy_s=self._in_hand.busy_s or 0.0,
            untried_s=time.monotonic() - self._tried_at_s,
            reachable=self._probe.reachable,
            arriving=self._delivery is not None and self._delivery.arriving,
            refused=self._teacher.refusal or (self._slow.refusal if self._slow else None),
            outage=self._teacher.outage,
            batched=self._slow.waiting if self._slow else 0,
        )
        return teach_health(seen, self._settings)

    @property
    def _tried_at_s(self) -> float:
        tried_at_s = self._teacher.tried_at_s
        return max(tried_at_s, self._slow.tried_at_s) if self._slow else tried_at_s

    def _slow_answering(
        self, settings: Settings, task: str, now_ms: Callable[[], int], metrics: Metrics
    ) -> SlowAnswering | None:
        """Answer in batches where the settings say so, or while some wait that were sent before.

        Settings with several teachers say so never.
        """
        live = self._teacher
        if not has_lane(live.books.store, settings.teacher, task=task, purpose="stream"):
            return None
        if not isinstance(live, OpenAITeacher):
            _log.warning("batch_unread", reason="several teachers are asked live")
            return None
        return SlowAnswering(
            settings.teacher.batch,
            lambda on_try: BatchLane(
                live, settings.teacher, task=task, purpose="stream", on_try=on_try
            ),
            now_ms,
            metrics.batched.set,
        )

    def _canary_asking(
        self,
        asked: OpenAITeacher,
        *,
        task: Task,
        codec: Codec,
        metrics: Metrics,
        now_ms: Callable[[], int],
    ) -> CanaryAsking:
        teacher, kafka = self._settings.teacher, self._settings.kafka
        return CanaryAsking(
            task=task,
            teacher=asked,
            teacher_name=f"{teacher.model} at {masked_place(teacher.base_url)}",
            texts=(
                FileTexts(teacher.canaries, task)
                if teacher.canaries
                else LabelledTexts(kafka, task, codec)
            ),
            log=self._canary_log,
            redaction=teacher.redaction.digest,
            examples=asked.chosen_from,
            asks_here=lambda: 0 in self._lag.partitions(),
            per_hour=teacher.canaries_per_hour,
            metrics=metrics,
            now_ms=now_ms,
        )

    async def _probe_brokers(self, consumer: AIOKafkaConsumer) -> None:
        try:
            await self._probe.watch(consumer, self._lag, check=self._check_member)
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends the worker
            self._halt(error)
        finally:
            await clients.stop(consumer)

    def _check_member(self) -> None:
        """Raise `ConfigError` when the group will never take us: Faust would wait for ever."""
        coordinator = getattr(self._member, "_coordinator", None)  # none before it is started
        if coordinator is None:
            return
        try:
            coordinator.check_errors()
        except KafkaError as error:
            refuse_the_hopeless(error, self._settings.kafka.bootstrap_servers)

    async def _follow(self) -> None:
        """Learn from promotions what to merge by."""
        try:
            async with aclosing(self._promotions()) as entries:
                async for promotions in entries:
                    self._merges.take(promotions)
                    if isinstance(self._teacher, Teachers):
                        self._teacher.take(promotions)
                    self._known.set()
        except Exception as error:  # noqa: BLE001 - as above
            self._halt(error)

    async def _read_canaries(self) -> None:
        try:
            await self._canary_log.follow()
        except Exception as error:  # noqa: BLE001 - as above
            self._halt(error)

    async def _agent(self, stream: Any) -> None:
        app = self._app
        teacher = self._settings.teacher
        live = live_take(
            sum(one.texts_at_once for one in self._settings.teachers or (self._settings.teacher,))
        )
        in_batches = "stream" in teacher.batch.purposes
        await teach_agent(
            stream,
            self._answer_all(self._answering(deliver=self._deliver, has_room=self._has_room)),
            take=(teacher.batch.max_requests, teacher.batch.gather_s) if in_batches else live,
            in_hand=self._in_hand,
            should_stop=lambda: app is None or app.should_stop,
            halt=self._halt,
        )

    def _answer_all(self, answering: Answering) -> AnswerAll:
        live = side_by_side(answering)
        if self._slow is None:
            return live
        slow = partial(self._slow, answering=answering)
        if "stream" in self._settings.teacher.batch.purposes:
            return slow
        return while_any_waits(slow, live, self._any_waits)

    async def _any_waits(self) -> bool:
        books, task = self._teacher.books, self._task
        look = partial(any_waits, books.store, self._settings.teacher, task=task, purpose="stream")
        try:
            return await books.used(look, writes=False)
        except TeacherStateError:
            return True  # to be waited for like the endpoint

    async def _has_room(self, partition: int, sure: int) -> bool:
        """`Room.find`, begun again while the brokers are away."""
        found: bool = await patiently(
            lambda: self._room.find(partition, sure=sure),
            retry=retry_if_exception_type(RetryError),
            wait=BACKOFF,
        )
        return found

    async def _deliver_late(self, outgoing: Outgoing, /, *, beside: int | None) -> None:
        await self._deliver(outgoing, beside=beside)

    @property
    def _deliver(self) -> Deliver:
        if self._delivery is None:
            raise RuntimeError("the role has not been started")
        return self._delivery
