"""`silverstream revise`: correct what was published, by who knows better today."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from schemas.errors import TaggingError
from schemas.files.bundle_store import open_bundle_store
from schemas.files.corpus import read_corpus, reading
from schemas.files.task import Task
from schemas.files.task_file import load_task
from schemas.settings import Settings
from schemas.types import SilverLabel, Tagging
from schemas.wire.codec import open_codec
from schemas.wire.inputs import InputReader
from schemas.wire.topics import TopicNames
from stream.cli.json_output import JsonOption, check_writable, is_printed, write_json
from stream.cli.options import (
    ColumnsOption,
    ConfigOption,
    FormatOption,
    LabelColumnOption,
    LabelNamesOption,
    TextColumnOption,
)
from stream.cli.settings_source import command_settings
from stream.revise import rulings
from stream.revise.changes import Changes, Judge
from stream.revise.deciding import KnownAnswer, Ruling
from stream.revise.result import RevisionResult
from stream.revise.run import OnRead, Revision
from stream.revise.times import TIME, TimeRange, time_range
from stream.tag.batcher import Tagger
from stream.tag.swap import load_serving, newest_promotion

if TYPE_CHECKING:
    from distill.labels.journal import KafkaJournal


def revise(
    *,
    since: Annotated[str, typer.Option("--from", metavar="TIME", help=f"The first: {TIME}.")],
    until: Annotated[str, typer.Option("--to", metavar="TIME", help="The end, itself left out.")],
    max_records: Annotated[int, typer.Option(min=1, help="Read at most so many records.")],
    labels: Annotated[
        Path | None,
        typer.Option(help="What people say: a labelled file, matched by exact text."),
    ] = None,
    answers: Annotated[
        bool,
        typer.Option(
            "--answers",
            help="And what the teacher has said of texts that a student decided: to judge a "
            "round, or for another record.",
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, publish nothing.")] = False,
    form: FormatOption = None,
    columns: ColumnsOption = None,
    label_names: LabelNamesOption = None,
    text_column: TextColumnOption = None,
    label_column: LabelColumnOption = None,
    config: ConfigOption = None,
    json_file: JsonOption = None,
) -> None:
    """Read a range of the text topic again, and publish revision 3 and on for what differs.

    The student in force overturns what a student decided, and with --answers the teacher does; a
    person's label overturns what anyone did. The range is told by the records' timestamps. After a
    crash run it again: it goes on.
    """
    times = time_range(since, until)
    check_writable(json_file)
    settings = command_settings(config)
    task = load_task(settings.task)
    how = reading(form, columns, label_names, text_column=text_column, label_column=label_column)
    examples = read_corpus(labels, how=how) if labels else ()
    given = rulings.of_examples(examples, task, now_ms=_now_ms())
    wanted = _Wanted(settings, task, given, times, max_records, answers=answers, dry_run=dry_run)
    result = _with_progress(wanted)
    if not is_printed(json_file):
        print("\n".join(_lines(result)))
    write_json(result.as_dict(), json_file)


@dataclass(frozen=True, slots=True)
class _Wanted:
    settings: Settings
    task: Task
    given: Mapping[str, Ruling]
    times: TimeRange
    max_records: int
    answers: bool
    dry_run: bool


def _with_progress(wanted: _Wanted) -> RevisionResult:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    # On standard error, so that JSON on standard output stays clean.
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        line = bar.add_task("records", total=None)
        return asyncio.run(
            _revise(wanted, lambda done, of: bar.update(line, completed=done, total=of))
        )


async def _revise(wanted: _Wanted, progress: OnRead) -> RevisionResult:
    from distill.labels.journal import KafkaJournal

    settings, task = wanted.settings, wanted.task
    async with _judge(settings, task) as judge, open_codec(settings.schema_registry) as codec:
        journal = KafkaJournal(settings, task)
        standing = await journal.read_labels()
        answers = await _answers(wanted, journal, standing) if wanted.answers else {}
        changes = Changes(
            task=task.name,
            task_digest=task.digest,
            topic=TopicNames.of(settings.kafka).entities,
            reader=InputReader(settings.input, codec),
            codec=codec,
            judge=judge,
            ruling={**rulings.of_labels(standing, task), **wanted.given}.get,
            answer=answers.get,
            now_ms=_now_ms,
            resolve_schemas=settings.input.format == "avro",
        )
        revision = Revision(
            kafka=settings.kafka,
            changes=changes,
            group_id=f"{settings.app}-{task.name}",
            dry_run=wanted.dry_run,
            progress=progress,
        )
        return await revision.run(wanted.times, max_records=wanted.max_records)


async def _answers(
    wanted: _Wanted, journal: KafkaJournal, labels: Iterable[SilverLabel]
) -> Mapping[str, KnownAnswer]:
    """Give what the teacher has said."""
    holds = await asyncio.to_thread(journal.holds)
    first = wanted.settings.first_teacher
    return rulings.answers_of_labels(labels, wanted.task, holds=holds, first_teacher=first)


@asynccontextmanager
async def _judge(settings: Settings, task: Task) -> AsyncIterator[Judge]:
    """Give the student in force, on all cores that the settings give it."""
    promotion = await newest_promotion(settings, task.name)
    store = open_bundle_store(settings.student)
    serving = await load_serving(store, task, promotion)
    tagger = Tagger(
        serving,
        runs=settings.student.runs,
        micro_batch_records=settings.student.micro_batch_records,
    )

    async def tag(texts: Sequence[str]) -> Sequence[Tagging | TaggingError]:
        return (await tagger.tag(texts)).taggings

    try:
        yield Judge(
            version=serving.student.version,
            task_digest=serving.student.manifest.task_digest,
            policy_digest=serving.policy_digest,
            tag=tag,
        )
    finally:
        await tagger.aclose()


def _lines(result: RevisionResult) -> list[str]:
    lines = [
        f"{result.read:,} records read, {result.changed:,} differ, {result.published:,} published"
        + (" (a dry run)" if result.dry_run else "")
    ]
    lines += [f"{n:,} decided by the {who} now" for who, n in sorted(result.changed_by.items())]
    lines += [f"{n:,} kept: {reason.replace('_', ' ')}" for reason, n in result.kept.most_common()]
    if result.refused:
        lines.append(f"{result.refused:,} refused by the brokers as too large")
    if result.next_from_ms is not None:
        moment = datetime.fromtimestamp(result.next_from_ms / 1000, UTC)
        told = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        lines.append(f"not all of the range: go on with --from {told}")
    return lines


def _now_ms() -> int:
    return int(time.time() * 1000)
