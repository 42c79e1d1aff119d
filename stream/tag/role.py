"""The tag role: follow the promotions, and run the lanes once a student serves.

Lanes start with the first student, not before: text must wait on its topic
for a student, rather than be dead-lettered for want of one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import Protocol

from schemas.audit import NO_KEYS, AuditKeys, audit_keys
from schemas.files.bundle_store import open_bundle_store
from schemas.files.task import Task
from schemas.settings import Settings
from schemas.types import Promotion
from schemas.wire.codec import Codec
from schemas.wire.inputs import InputReader
from schemas.wire.producers import ProducerReader
from schemas.wire.topics import TopicNames
from stream.frame.health import RoleHealth
from stream.kafka.lane.status import WorkerStatus
from stream.kafka.lane.worker import LaneWorker
from stream.kafka.promotions import follow_promotions
from stream.tag.batcher import Tagger
from stream.tag.overtaking import Overtaking
from stream.tag.processor import TaggingProcessor, Tools
from stream.tag.routing import Router
from stream.tag.swap import PromotionFollower, load_serving
from stream.watch.lane_metrics import LaneMetrics
from stream.watch.metrics import Metrics

_STOP_GRACE_S = 5.0
"""Beyond the lanes' own drain time."""
_AT_ONCE = 2
"""So many promotions load side by side: the newest, and the one before, which may be sound."""


class Lanes(Protocol):
    """What the role asks of its lanes (`LaneWorker`)."""

    async def run(self) -> None:
        """Run until stopped, or raise what a person must see to."""
        ...

    def request_stop(self) -> None:
        """Let `run` end once what is in hand is finished."""
        ...

    def status(self) -> WorkerStatus:
        """Say where the lanes stand."""
        ...


class TagRole:
    """Runs until stopped; whatever ends it before goes to `halt`.

    `make_lanes` takes what `LaneWorker` takes.
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
        make_lanes: Callable[..., Lanes] = LaneWorker,
    ) -> None:
        self._settings = settings
        self._task = task
        self._codec = codec
        self._names = TopicNames.of(settings.kafka)
        self._halt = halt
        self._tagger = Tagger(
            None,
            runs=settings.student.runs,
            micro_batch_records=settings.student.micro_batch_records,
            doubts="unsure" in {one.ask for one in (settings.teacher, *settings.teachers)},
        )
        keys = audit_keys(settings.routing)
        self.follower = PromotionFollower(
            load=partial(load_serving, open_bundle_store(settings.student), task, keys=keys),
            install=self._tagger.swap,
            metrics=metrics,
        )
        tools = self._tools(metrics, now_ms)
        name = f"{settings.app}-{task.name}"
        self._lanes = make_lanes(
            settings.kafka,
            group_id=name,
            transactional_prefix=name,
            make_processor=lambda _: TaggingProcessor(tools, router=lane_router(settings, keys)),
            dead_letter_topic=self._names.dead_letters,
            outputs=(self._names.entities, self._names.teacher_requests),
            observer=LaneMetrics(metrics, student=self._student_version),
        )
        metrics.watch_lag(self._lags)
        self._running: dict[str, asyncio.Task[None]] = {}

    async def start(self) -> None:
        """Begin to follow the promotions and, with the first student, to tag."""
        parts = {
            "promotions": self._follow,
            "missed": self.follower.retry_missed,
            "lanes": self._run_lanes,
        }
        self._running = {
            name: asyncio.create_task(self._guarded(part), name=name)
            for name, part in parts.items()
        }

    async def stop(self) -> None:
        """Let the lanes finish what they have in hand, within the drain time."""
        self._lanes.request_stop()
        if self._running:
            await self._end()
        await self._tagger.aclose()

    def health(self) -> RoleHealth:
        """Ready with a student, the promotions read, and partitions assigned."""
        status, follower = self._lanes.status(), self.follower
        serving = follower.caught_up and follower.loaded.is_set()
        return RoleHealth(
            ready=serving and bool(status.partitions) and status.broker_reachable,
            # While the brokers are away a restart would not help.
            live=status.standstill_s < self._settings.kafka.stall_timeout_s
            or not status.broker_reachable,
            facts={
                "caught_up": follower.caught_up,
                "student_version": follower.current and follower.current.student_version,
                "student_missed": follower.missed and follower.missed.student_version,
                "sequence": follower.current and follower.current.sequence,
                "partitions": sorted(part.partition for part in status.partitions),
                "lag": {str(partition): lag for partition, lag in self._lags().items()},
                "broker_reachable": status.broker_reachable,
            },
        )

    def _tools(self, metrics: Metrics, now_ms: Callable[[], int]) -> Tools:
        settings = self._settings
        return Tools(
            task=self._task.name,
            names=self._names,
            reader=InputReader(settings.input, self._codec),
            codec=self._codec,
            tag=self._tagger.tag,
            metrics=metrics,
            request_ttl_ms=int(settings.teacher.request_ttl_s * 1000),
            now_ms=now_ms,
            resolve_schemas=settings.input.format == "avro",
            producers=ProducerReader(settings.routing.quotas),
            teacher=settings.teacher,
        )

    def _lags(self) -> dict[int, int]:
        return {part.partition: part.lag for part in self._lanes.status().partitions}

    def _student_version(self) -> str:
        serving = self._tagger.serving
        return serving.student.version if serving else ""

    async def _guarded(self, run: Callable[[], Awaitable[None]]) -> None:
        try:
            await run()
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends the worker
            self._halt(_first(error))

    async def _follow(self) -> None:
        """Take each promotion into service as it comes, at most two at a time.

        The newest is never kept waiting: where two still load, perhaps since they hang, the older
        of them is given up. Before any student serves none is: what loads may be all there is.
        """
        settings, topic = self._settings.kafka, self._names.promotions
        entries = follow_promotions(settings, topic, self._codec, self._task.name)
        async with asyncio.TaskGroup() as group, aclosing(entries):
            loads = Overtaking(group, most=_AT_ONCE)
            is_history = True
            async for promotions in entries:
                taking = self._take(promotions, is_history=is_history)
                loads.start(taking, give_up=self.follower.loaded.is_set())
                is_history = False

    async def _take(self, promotions: list[Promotion], *, is_history: bool) -> None:
        if not is_history and len(promotions) == 1:
            await self.follower.follow(promotions[0])
        else:  # the history: the first one, or one that began anew
            await self.follower.catch_up(promotions)

    async def _run_lanes(self) -> None:
        await self.follower.loaded.wait()
        await self._lanes.run()

    async def _end(self) -> None:
        lanes, tasks = self._running["lanes"], set(self._running.values())
        # Lanes that run drain; those that still wait for a student have nothing in hand.
        for task in tasks - ({lanes} if self.follower.loaded.is_set() else set()):
            task.cancel()
        limit_s = self._settings.kafka.drain_timeout_s + _STOP_GRACE_S
        await asyncio.wait(tasks, timeout=limit_s)
        lanes.cancel()
        await asyncio.wait(tasks)


def _first(error: Exception) -> Exception:
    """Give what went wrong first where several tasks ended together: that is what is told."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def lane_router(settings: Settings, keys: AuditKeys = NO_KEYS) -> Router:
    """Make the router of one lane: it may grant what judging leaves of the budget."""
    knobs = settings.experiment
    return Router(
        settings.lanes_routing,
        strategy=knobs.routing_strategy,
        seed=knobs.routing_seed,
        keys=keys,
    )
