"""One worker: the roles it plays, put into a Faust app, and its life from start to end.

Faust starts the web server first, so that probes are answered while the
brokers are waited for; then `_Preflight`, which holds everything else back
until the brokers answer and the topics are right; then the roles.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import time
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Any, Literal

import structlog

from schemas.files.bundle_store import open_bundle_store
from schemas.files.task import Task
from schemas.files.task_in_use import asked_task
from schemas.settings import Settings
from schemas.types import EntityEvent, SilverLabel, TeacherRequest
from schemas.wire.codec import Codec, open_codec
from schemas.wire.topics import TopicNames
from stream.frame.faust_app import FaustApp
from stream.frame.halt import Halt
from stream.frame.health import RoleHealth
from stream.kafka.canaries import CanaryLog
from stream.kafka.resolving import prepare_patiently
from stream.kafka.topic_logs import end_offsets
from stream.kafka.topics import check_topics, needed_specs
from stream.retrain.believed import believed_labels
from stream.retrain.promise_keeper import PromiseKeeper
from stream.retrain.promise_log import KafkaPromiseLog
from stream.retrain.role import Retraining, distill_command
from stream.student.promoted import load_proved_now
from stream.tag.role import TagRole
from stream.watch.metrics import Metrics

RoleName = Literal["tag", "teach", "distill"]
ROLES: tuple[RoleName, ...] = ("tag", "teach", "distill")

_log = structlog.get_logger()

_STOP_TIMEOUT_S = 60.0
"""For all that is to be closed, the lanes' own drain time aside."""


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


async def run_worker(
    settings: Settings, roles: Collection[RoleName], *, config: Path | None
) -> None:
    """Run a worker until SIGTERM or SIGINT, then drain it.

    `config` is the settings file that the rounds of the distill role are given.
    Raises whatever a person must see to: wrong settings, brokers that do not
    answer in time, wrong topics, a lane that halts.
    """
    halt = Halt()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_codec(settings.schema_registry) as codec:
        app = build_app(settings, roles, config=config, codec=codec, halt=halt)
        _log.info("starting", app=settings.app, roles=sorted(roles))
        try:
            await _live(app, halt, stop)
        finally:
            await _stop(app, settings)
        if halt.reason.done():
            raise halt.reason.result()
    _log.info("stopped")


def build_app(
    settings: Settings,
    roles: Collection[RoleName],
    *,
    config: Path | None,
    codec: Codec,
    halt: Halt,
) -> FaustApp:
    """Compose the worker; it is not started. Raises `ConfigError`."""
    task, metrics = asked_task(settings), Metrics()
    app = FaustApp(
        f"{settings.app}-{task.name}",
        broker=settings.kafka.bootstrap_servers,
        web=(settings.web.host, settings.web.port),
        metrics=metrics,
        halt=halt,
    )
    app.play("preflight", _Preflight(settings, codec))
    if "tag" in roles:
        tag = TagRole(settings, task=task, codec=codec, metrics=metrics, now_ms=now_ms, halt=halt)
        app.play("tag", tag)
    if "teach" in roles:
        # Here, since the OpenAI client takes longer to import than all that a tag worker needs.
        from stream.teach.role import TeachRole  # noqa: PLC0415

        teach = TeachRole(
            settings, task=task, codec=codec, metrics=metrics, now_ms=now_ms, halt=halt
        )
        app.consume(teach.make_consumer, drain=teach.drain)
        teach.attach(app)
        app.play("teach", teach)
        if teach.canaries is not None:
            pace_s = 3600 / settings.teacher.canaries_per_hour
            app.timer(pace_s, name="canaries")(teach.canaries.tick)
    if "distill" in roles:
        canaries = CanaryLog(settings.kafka, task.name, codec)
        retraining = _retraining(settings, task, config, metrics, canaries)
        app.timer(settings.distill.check_every_s, name="retraining")(retraining.tick)
        app.play("distill", retraining)
        keeper = PromiseKeeper(
            task=task,
            log=KafkaPromiseLog(settings, task, codec),
            holds=canaries.holds,
            load=partial(load_proved_now, open_bundle_store(settings.student), task),
            metrics=metrics,
            now_ms=now_ms,
            shares=settings.audit_shares,
            judging_audits=settings.judging_audits,
            first_teacher=settings.first_teacher,
        )
        app.timer(settings.distill.check_every_s, name="promise")(keeper.tick)
        app.play("promise", keeper)
    return app


class _Preflight:
    """Waits for brokers and registry; checks the topics and learns the ids of their schemas."""

    def __init__(self, settings: Settings, codec: Codec) -> None:
        self._settings, self._codec = settings, codec
        self._done = False

    async def start(self) -> None:
        kafka, names = self._settings.kafka, TopicNames.of(self._settings.kafka)
        await check_topics(kafka, needed_specs(self._settings))
        schemas = {
            names.entities: EntityEvent,
            names.teacher_requests: TeacherRequest,
            names.silver_labels: SilverLabel,
        }
        await prepare_patiently(self._codec, schemas, timeout_s=kafka.startup_timeout_s)
        self._done = True

    async def stop(self) -> None:
        """Nothing is held."""

    def health(self) -> RoleHealth:
        return RoleHealth(ready=self._done, live=True)


def _retraining(
    settings: Settings,
    task: Task,
    config: Path | None,
    metrics: Metrics,
    canaries: CanaryLog,
) -> Retraining:
    topic = TopicNames.of(settings.kafka).silver_labels

    async def label_ends() -> dict[str, int]:
        ends = await end_offsets(settings.kafka, topic)
        return {str(partition): end for partition, end in ends.items()}

    return Retraining(
        task=task.name,
        settings=settings.distill,
        label_ends=label_ends,
        holds=canaries.holds,
        command=distill_command(config),
        metrics=metrics,
        now_s=time.time,
        believed=believed_labels(settings.kafka, topic),
    )


async def _live(app: FaustApp, halt: Halt, stop: asyncio.Event) -> None:
    """Return when the worker is to end; raise what kept it from starting."""
    starting = asyncio.create_task(app.start())
    stopping = asyncio.create_task(stop.wait())
    try:
        ends: set[asyncio.Future[Any]] = {stopping, halt.reason}
        await asyncio.wait({starting, *ends}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            # What is loaded by now stays: the collector need not look at it again and again.
            gc.freeze()
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (starting, stopping):
            task.cancel()
        await asyncio.gather(starting, stopping, return_exceptions=True)


async def _stop(app: FaustApp, settings: Settings) -> None:
    limit_s = _STOP_TIMEOUT_S + settings.kafka.drain_timeout_s
    try:
        async with asyncio.timeout(limit_s):
            await app.stop()
    except TimeoutError:
        _log.error("stop_timed_out", seconds=limit_s)
