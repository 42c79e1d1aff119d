"""`silverstream doctor`: whether everything is there that a worker needs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from schemas.errors import ConfigError, SilverstreamError
from schemas.files.bundle_store import open_bundle_store
from schemas.files.example_pool import read_pool
from schemas.files.task import Task
from schemas.files.task_in_use import asked_task
from schemas.settings import KafkaSettings, Settings
from schemas.types import EntityEvent
from schemas.wire.codec import open_codec
from schemas.wire.topics import TopicNames
from stream.cli.json_output import JsonOption, check_writable, is_printed, write_json
from stream.cli.options import ConfigOption, finite
from stream.cli.security import Found, examine_security, the_installation
from stream.cli.settings_source import command_settings, settings_source
from stream.kafka import clients
from stream.kafka.replication import check_replicas
from stream.kafka.spend_log import spend_log_of
from stream.kafka.topics import check_topics, needed_specs
from stream.student.promoted import load_proved
from stream.tag.swap import newest_promotion
from stream.teacher.factory import make_teacher

Outcome = Literal["ok", "failed", "skipped"]
_COLOURS = {
    "ok": "green",
    "failed": "red",
    "skipped": "yellow",
    "off": "yellow",
    "unknown": "yellow",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to one question, in words."""

    check: str
    outcome: Outcome
    detail: str


@dataclass(frozen=True, slots=True)
class Question:
    """`ask` answers in words or raises; skipped when the question that it `needs` found a fault."""

    name: str
    ask: Callable[[], Awaitable[str]]
    needs: str = ""


def doctor(
    config: ConfigOption = None,
    json_file: JsonOption = None,
    timeout: Annotated[
        float, typer.Option(callback=finite, help="Seconds to wait for the brokers.")
    ] = 10.0,
    security: Annotated[
        bool, typer.Option("--security", help="Say instead which controls are off.")
    ] = False,
) -> None:
    """Check broker, topics, store, student and teachers (each is asked one question)."""
    check_writable(json_file)
    settings = command_settings(config)
    kafka = settings.kafka.model_copy(update={"startup_timeout_s": timeout})
    settings = settings.model_copy(update={"kafka": kafka})
    if security:
        asked: Awaitable[Sequence[Finding | Found]] = examine_security(
            the_installation(settings, config)
        )
    else:
        asked = examine(questions(settings, asked_task(settings)))
    findings = asyncio.run(_awaited(asked))
    if not is_printed(json_file):
        console = Console()
        console.print(_table(findings))
        console.print(
            f"settings: {settings_source()}", soft_wrap=True, highlight=False, markup=False
        )
    write_json([asdict(finding) for finding in findings], json_file)
    if any(finding.outcome == "failed" for finding in findings):
        raise typer.Exit(1)


async def _awaited(asked: Awaitable[Sequence[Finding | Found]]) -> Sequence[Finding | Found]:
    return await asked


async def examine(asked: Sequence[Question]) -> list[Finding]:
    """Ask each question in turn; one that needs a failed one is skipped."""
    findings: dict[str, Finding] = {}
    for question in asked:
        needed = findings.get(question.needs)
        if needed is not None and needed.outcome != "ok":
            finding = Finding(question.name, "skipped", f"needs {question.needs}")
        else:
            finding = await _ask(question)
        findings[question.name] = finding
    return list(findings.values())


def questions(settings: Settings, task: Task) -> list[Question]:
    """List what a worker with these settings needs."""
    kafka = settings.kafka
    found = [Question("broker", partial(_broker, kafka))]
    if kafka.delivery == "exactly_once":
        probe = f"{settings.app}-{task.name}-probe"
        found.append(Question("transactions", partial(_transactions, kafka, probe), needs="broker"))
    found.append(Question("topics", partial(_topics, settings), needs="broker"))
    if settings.schema_registry.url:
        found.append(Question("schema registry", partial(_schema_registry, settings)))
    if settings.distill.gold:
        found.append(Question("gold", partial(_gold, settings, task, settings.distill.gold)))
    return [
        *found,
        Question("store", partial(_store, settings, task)),
        Question("student", partial(_student, settings, task), needs="topics"),
        *_teachers(settings, task),
    ]


async def _gold(settings: Settings, task: Task, path: Path) -> str:
    """Count what judges, and ask whether it can: with few and no questions every round would wait.

    Texts that the teacher is shown judge nobody. Raises `ConfigError` where it cannot, or the file
    cannot be read as the task's.
    """
    from distill.labels.judges import read_gold

    pool = read_pool(settings, task)
    gold = read_gold(path, task, n_shown=settings.teacher.few_shot, pool=pool)
    n_judging = len(gold.examples) if gold else 0
    least = settings.distill.gate.min_records
    if n_judging < least and not settings.questions_per_record:
        raise ConfigError(
            f"{n_judging} texts of {path} judge, and distill.gate.min_records is {least}: no round "
            "after the first student's can judge. Set distill.judging.share (0.4, say), and the "
            "teacher's answers judge beside them"
        )
    return f"{n_judging} texts judge"


def _teachers(settings: Settings, task: Task) -> list[Question]:
    if not settings.teachers:
        return [Question("teacher", partial(_teacher, settings, task))]
    return [
        Question(
            f"teacher {one.name}",
            partial(_teacher, settings.only_teacher(settings.teacher_named(one.name)), task),
        )
        for one in settings.teachers
    ]


async def _ask(question: Question) -> Finding:
    try:
        return Finding(question.name, "ok", await question.ask())
    except SilverstreamError as error:
        return Finding(question.name, "failed", str(error))


async def _broker(kafka: KafkaSettings) -> str:
    async with clients.started(lambda: clients.admin(kafka), settings=kafka):
        return f"{kafka.bootstrap_servers} answers"


async def _transactions(kafka: KafkaSettings, probe: str) -> str:
    await clients.check_transactions(kafka, transactional_id=probe)
    return "supported: delivery is exactly-once"


async def _topics(settings: Settings) -> str:
    wanted = needed_specs(settings)
    await check_topics(settings.kafka, wanted)
    remarks = await check_replicas(settings.kafka, [spec.name for spec in wanted])
    return "; ".join((f"all {len(wanted)} are as they must be", *remarks))


async def _schema_registry(settings: Settings) -> str:
    async with open_codec(settings.schema_registry) as codec:
        await codec.prepare({TopicNames.of(settings.kafka).entities: EntityEvent})
    return "knows the schema of the entities"


async def _store(settings: Settings, task: Task) -> str:
    store = open_bundle_store(settings.student)
    return await asyncio.to_thread(store.look, task.name)


async def _student(settings: Settings, task: Task) -> str:
    promotion = await newest_promotion(settings, task.name)
    store = open_bundle_store(settings.student)
    student = await load_proved(store, task, promotion)
    return f"{student.version} loads (promotion {promotion.sequence})"


async def _teacher(settings: Settings, task: Task) -> str:
    teacher, _ = make_teacher(task, settings, purpose="check", spend_log=spend_log_of(settings))
    try:
        await teacher.check()
    finally:
        await teacher.aclose()
    return "; ".join((f"{settings.teacher.model} answers", *teacher.remarks))


def _table(findings: Sequence[Finding | Found]) -> Table:
    table = Table("check", "outcome", "detail")
    for finding in findings:
        colour = _COLOURS[finding.outcome]
        table.add_row(finding.check, f"[{colour}]{finding.outcome}[/{colour}]", finding.detail)
    return table
