"""`silverstream bootstrap`: the first labels, from the teacher or from labelled files."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from schemas.errors import ConfigError
from schemas.files.corpus import Example, Imported, Reading, import_corpus, reading
from schemas.files.corpus.report import make_report
from schemas.files.corpus.streaming import stream_texts
from schemas.files.task import Task
from schemas.files.task_in_use import asked_task
from schemas.settings import Settings
from schemas.types import SilverLabel
from stream.cli.json_output import JsonOption, check_writable, is_printed, write_json
from stream.cli.options import (
    ColumnsOption,
    ConfigOption,
    FormatOption,
    LabelColumnOption,
    LabelNamesOption,
    TextColumnOption,
    finite,
)
from stream.cli.settings_source import command_settings
from stream.cli.written import agree, labelling_words, tell_written, write_first_labels

_BIG_BYTES = 64 * 2**20
"""A file larger than this is not read into memory whole."""
_SAMPLE = 50_000

if TYPE_CHECKING:
    from distill.labels.bootstrap import BootstrapResult
    from distill.labels.written.run_folder import RunFolder
    from stream.teacher.ledger_and_cache import TeacherStore, Totals


def bootstrap(
    texts: Annotated[
        Path | None, typer.Argument(help="Texts, or a labelled corpus; see --format.")
    ] = None,
    *,
    write: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Without a file: let the teacher write N texts."),
    ] = None,
    max_usd: Annotated[
        float | None,
        typer.Option(
            callback=finite,
            min=0.0,
            metavar="X",
            help="Never spend more, resumed runs of this folder included.",
        ),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep there what was answered and spent."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run that --run names.")
    ] = False,
    labelled: Annotated[
        bool,
        typer.Option(
            "--labelled/--teacher", help="Take the file's own labels, or ask the teacher."
        ),
    ] = False,
    confirm: Annotated[
        bool,
        typer.Option("--confirm", help="With --labelled: unchanged labels become a person's too."),
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Label at most so many texts, for the teacher chosen for spread."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before spending.")] = False,
    form: FormatOption = None,
    columns: ColumnsOption = None,
    label_names: LabelNamesOption = None,
    text_column: TextColumnOption = None,
    label_column: LabelColumnOption = None,
    config: ConfigOption = None,
    json_file: JsonOption = None,
) -> None:
    """Make the first labels: the teacher labels texts, or a labelled file is taken as it is.

    With --write there need be no texts: the teacher writes them, from the task file alone.

    Then `silverstream distill` trains the first student. Running it again goes on where it
    ended: what is labelled already is passed over, but a person's label replaces others, where it
    differs.
    """
    from distill.labels.earlier_digests import learn_digests
    from distill.labels.giving_back import UNCHANGED
    from distill.labels.journal import KafkaJournal
    from stream.watch.log_setup import configure_logs

    configure_logs()
    if confirm and not labelled:
        raise ConfigError("--confirm is about a person's labels: pass --labelled too")
    check_writable(json_file)
    settings = command_settings(config)
    task = asked_task(settings)
    if texts is None:
        if write is None or max_usd is None or run is None or labelled or limit is not None:
            raise ConfigError(
                "name a file of texts, or let them be written: --write N --max-usd X --run DIR"
            )
        written = write_first_labels(
            write, settings=settings, task=task, max_usd=max_usd, run=run, resume=resume, yes=yes
        )
        tell_written(written, json_file)
        return
    _check_run(write, max_usd, run, resume=resume, labelled=labelled)
    how = reading(form, columns, label_names, text_column=text_column, label_column=label_column)
    found, unseen = _read(
        texts, labelled=labelled, how=how, limit=limit, seed=settings.distill.seed
    )
    task = learn_digests(task, KafkaJournal(settings, task), settings.student)
    known = KafkaJournal(settings, task).labels()
    with _open_run(run, about={"task": task.digest, "source": str(texts)}, resume=resume) as folder:
        chosen, skipped = _choose(
            found.examples,
            known=known,
            task=task,
            settings=settings,
            limit=limit,
            labelled=labelled,
            confirm=confirm,
            folder=folder,
        )
        if unseen:
            skipped["over_limit"] = skipped.get("over_limit", 0) + unseen
        report = replace(found.report, unchanged=skipped.get(UNCHANGED, 0))
        if chosen and not labelled:
            words = labelling_words(chosen, task=task, settings=settings, max_usd=max_usd)
            agree(words, yes=yes)
        result = replace(
            _with_progress(
                chosen,
                settings=settings,
                task=task,
                labelled=labelled,
                known=known,
                make_store=lambda: _store(settings, folder, max_usd),
            ),
            skipped=skipped,
        )
        facts = result.as_dict() | {"data": report.as_dict()}
        if folder is not None:
            facts |= {"run": str(folder.path)}
            folder.summarise(facts)
    if not is_printed(json_file):
        print("\n".join(report.lines()))
        _show(result)
    write_json(facts, json_file)
    if result.mostly_refused:
        raise typer.Exit(1)


def _check_run(
    write: int | None, max_usd: float | None, run: Path | None, *, resume: bool, labelled: bool
) -> None:
    """Refuse options that say nothing together; `ConfigError`."""
    if write is not None:
        raise ConfigError("--write writes the texts itself: leave the file out")
    if labelled and (max_usd is not None or run is not None):
        raise ConfigError("a labelled file costs nothing: --max-usd and --run are for the teacher")
    if (max_usd is None) != (run is None):
        raise ConfigError("--max-usd X and --run DIR go together: the folder knows what is spent")
    if resume and run is None:
        raise ConfigError("--resume goes on with a run: name its folder with --run DIR")


@contextmanager
def _open_run(
    run: Path | None, *, about: Mapping[str, str], resume: bool
) -> Iterator[RunFolder | None]:
    if run is None:
        yield None
        return
    from distill.labels.written.run_folder import open_run

    with open_run(run, about=about, resume=resume) as folder:
        yield folder


def _store(settings: Settings, folder: RunFolder | None, max_usd: float | None) -> TeacherStore:
    from stream.teacher.capped_store import CappedStore
    from stream.teacher.ledger_and_cache import TeacherStore

    state = settings.teacher.state
    if folder is None or max_usd is None:
        return TeacherStore(state)
    return CappedStore(state, run_ledger=folder.ledger, most_usd=max_usd)


def _choose(
    examples: Sequence[Example],
    *,
    known: Sequence[SilverLabel],
    task: Task,
    settings: Settings,
    limit: int | None,
    labelled: bool,
    confirm: bool,
    folder: RunFolder | None,
) -> tuple[list[Example], dict[str, int]]:
    """Choose what is to be labelled: for spread where the teacher is asked, else the first ones.

    A run that is resumed goes on with the texts that it chose.
    """
    from distill.labels.bootstrap import select
    from distill.labels.spread import chosen_for_spread

    earlier = folder.records("chosen") if folder else []
    if earlier:
        examples = [Example(str(number), one["text"], ()) for number, one in enumerate(earlier)]
    chosen, skipped = select(
        examples,
        known=known,
        task=task,
        max_chars=settings.input.max_text_chars,
        limit=limit if labelled else None,
        human=labelled,
        confirm=confirm,
    )
    if labelled or limit is None or earlier or len(chosen) <= limit:
        return chosen, skipped
    spread = chosen_for_spread(chosen, limit, seed=settings.distill.seed)
    if folder:
        folder.write("chosen", ({"text": one.text} for one in spread))
    return spread, skipped | {"over_limit": len(chosen) - limit}


def read_texts(texts: Path, *, labelled: bool, how: Reading) -> Imported:
    """Read the file; `ConfigError` for columns of labels where texts alone are wanted."""
    found = import_corpus(texts, labelled=labelled, how=how)
    if not labelled and how.format is None and found.report.format == "conll":
        raise ConfigError(f"{texts} has labels in columns: pass --labelled, or give texts as JSONL")
    return found


def _read(
    texts: Path, *, labelled: bool, how: Reading, limit: int | None, seed: int
) -> tuple[Imported, int]:
    if labelled or limit is None:
        return read_texts(texts, labelled=labelled, how=how), 0
    return read_sample(texts, how=how, limit=limit, seed=seed)


def read_sample(
    texts: Path, *, how: Reading, limit: int, seed: int, big_bytes: int = _BIG_BYTES
) -> tuple[Imported, int]:
    """Read the texts that `limit` ones are chosen from, and count those left out.

    Of a file over `big_bytes`, with a text a line, a random sample is kept: memory is bounded.
    """
    from distill.labels.spread import sampled

    is_big = texts.exists() and texts.stat().st_size > big_bytes
    streamed = stream_texts(texts, how=how) if is_big else None
    if streamed is None:
        return read_texts(texts, labelled=False, how=how), 0
    form, examples = streamed
    sample, n = sampled(examples, max(_SAMPLE, limit), seed=seed)
    report = make_report(form, sample, kind="entities", mended={}, dropped={})
    return Imported(tuple(sample), report), n - len(sample)


def _with_progress(
    chosen: Sequence[Example],
    *,
    settings: Settings,
    task: Task,
    labelled: bool,
    known: Sequence[SilverLabel],
    make_store: Callable[[], TeacherStore],
) -> BootstrapResult:
    with Progress(console=Console(stderr=True), transient=True) as bar:
        line = bar.add_task("labelling", total=len(chosen))
        return asyncio.run(
            _label(
                chosen,
                settings=settings,
                task=task,
                labelled=labelled,
                known=known,
                make_store=make_store,
                progress=lambda done, _of: bar.update(line, completed=done),
            )
        )


async def _label(
    chosen: Sequence[Example],
    *,
    settings: Settings,
    task: Task,
    labelled: bool,
    known: Sequence[SilverLabel],
    make_store: Callable[[], TeacherStore],
    progress: Callable[[int, int], None],
) -> BootstrapResult:
    from distill.labels.bootstrap import label_by_teacher, label_writer, take_labels
    from stream.kafka.answer_log import answer_log_of
    from stream.kafka.spend_log import spend_log_of
    from stream.teacher.batches.lane import batch_lane
    from stream.teacher.factory import make_teacher

    async with label_writer(settings) as deliver:
        if labelled:
            return await take_labels(
                chosen,
                task=task,
                deliver=deliver,
                now_ms=_now_ms,
                progress=progress,
                replacing=known,
            )
        teacher, store = make_teacher(
            task,
            settings,
            purpose="bootstrap",
            store=make_store(),
            spend_log=spend_log_of(settings),
            answer_log=answer_log_of(settings),
        )
        spent = _spent(store)
        try:
            result = await label_by_teacher(
                chosen,
                task=task,
                teacher=teacher,
                deliver=deliver,
                concurrency=settings.teacher.texts_at_once,
                now_ms=_now_ms,
                progress=progress,
                lane=batch_lane(teacher, settings.teacher, task=task.name, purpose="bootstrap"),
            )
            taken = spent()
        finally:
            await teacher.aclose()
    return replace(
        result,
        tokens_in=taken.tokens_in,
        tokens_out=taken.tokens_out,
        usd=taken.usd,
        remarks=teacher.remarks,
    )


def _spent(store: TeacherStore) -> Callable[[], Totals]:
    """Tell what is spent from now on; of a run with a ledger of its own, all that it ever spent."""
    from stream.teacher.capped_store import CappedStore

    if isinstance(store, CappedStore):
        return store.run_totals
    before = store.totals()
    return lambda: store.totals().since(before)


def _now_ms() -> int:
    return int(time.time() * 1000)


def _show(result: BootstrapResult) -> None:
    print(f"{result.labelled:,} labels written; ${result.usd:,.4f} by the prices in the settings")
    for reason, count in result.skipped.items():
        print(f"{count:,} texts passed over: {reason.replace('_', ' ')}")
    for reason, count in result.failed.items():
        print(f"{count:,} texts without an answer: {reason.replace('_', ' ')}")
    for remark in result.remarks:
        print(f"the teacher: {remark}")
    if result.mostly_refused:
        print("most answers could not be used: the log says why, for each (answer_refused)")
