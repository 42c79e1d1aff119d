"""`silverstream bootstrap --write`: the texts of the first labels are the teacher's own."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.progress import Progress

from schemas.errors import ConfigError
from schemas.files.corpus import Example
from schemas.files.example_pool import with_all_examples
from schemas.files.task import Task
from schemas.settings import DEFAULT_MODEL, Settings
from stream.cli.json_output import is_printed, write_json

if TYPE_CHECKING:
    from distill.labels.written.estimates import Estimate
    from distill.labels.written.run import OnStage, WrittenRun
    from distill.labels.written.run_folder import RunFolder

_WRITES_AT_ONCE = 256
_MILLISECONDS = 1000


def write_first_labels(
    n: int,
    *,
    settings: Settings,
    task: Task,
    max_usd: float,
    run: Path,
    resume: bool,
    yes: bool,
    told: bool = False,
) -> dict[str, Any]:
    """Let the teacher write and label `n` texts; give the figures, which the run's folder repeats.

    Tells first what it will cost, unless that was `told` and agreed to. Raises `ConfigError` where
    nobody agrees to that, or the run's folder is no use, and as
    `distill.labels.written.run.TextFromNothing.run`.
    """
    from distill.labels.written.estimates import estimate
    from distill.labels.written.run_folder import open_run

    with open_run(run, about={"task": task.digest, "source": "written"}, resume=resume) as folder:
        if not told:
            shown = with_all_examples(task, settings)
            agree(estimate_words(estimate(shown, n), settings, max_usd=max_usd), yes=yes)
        with Progress(console=Console(stderr=True), transient=True) as bar:
            line = bar.add_task("planning", total=None)
            found = asyncio.run(
                _written(
                    n,
                    folder=folder,
                    settings=settings,
                    task=task,
                    max_usd=max_usd,
                    progress=lambda stage, done, of: bar.update(
                        line, description=stage, completed=done, total=of
                    ),
                )
            )
        folder.summarise(found.facts)
    return found.facts


def agree(words: str, *, yes: bool) -> None:
    """Tell what it will cost and go on if that is agreed to; `ConfigError` if nobody can be asked.

    The words go to standard error: what is printed may be read by machines.
    """
    if yes:
        print(words, file=sys.stderr)
    elif not sys.stdin.isatty():
        raise ConfigError(f"{words}; nobody is here to agree to that: pass --yes")
    else:
        typer.confirm(f"{words}. Go on?", abort=True, err=True)


def estimate_words(estimate: Estimate, settings: Settings, *, max_usd: float) -> str:
    """Put an estimate into one line."""
    total, passes = estimate.total, estimate.usd(settings)
    usd = sum(passes.values())
    parts = ", ".join(f"{name} ${of_pass:,.2f}" for name, of_pass in passes.items())
    words = (
        f"{estimate.n:,} texts by {settings.teacher.model}: about {total.tokens_in:,} tokens in "
        f"and {total.tokens_out:,} out, ${usd:,.2f} ({parts}){_at_what_prices(settings)}"
    )
    if "bootstrap" in settings.teacher.batch.purposes:
        words += f", labelled{_in_batches(settings)}"
    return f"{words}, {most_words(usd, max_usd)}"


def most_words(usd: float, max_usd: float) -> str:
    """Say what `--max-usd` means for what is estimated."""
    ends = "which may end it early" if usd > max_usd else "which is never passed"
    return f"of ${max_usd:,.2f} at most, {ends}"


def labelling_words(
    chosen: Sequence[Example], *, task: Task, settings: Settings, max_usd: float | None = None
) -> str:
    """Put into one line what it will cost to label these texts, and what it may cost at most."""
    from distill.labels.bootstrap import estimate_tokens, price

    told = with_all_examples(task, settings)
    tokens_in, tokens_out = estimate_tokens(chosen, told)
    usd = price(settings, tokens_in=tokens_in, tokens_out=tokens_out)
    usd *= settings.teacher.batch.price_share_of("bootstrap")
    words = (
        f"{len(chosen):,} texts to {settings.teacher.model}: about {tokens_in:,} tokens in and "
        f"{tokens_out:,} out, ${usd:,.2f}{_at_what_prices(settings)}"
    )
    if "bootstrap" in settings.teacher.batch.purposes:
        words += f",{_in_batches(settings)}"
    return words if max_usd is None else f"{words}, {most_words(usd, max_usd)}"


def _at_what_prices(settings: Settings) -> str:
    others = settings.teacher.prices_are_another_models
    return f" at the prices of {DEFAULT_MODEL}" if others else ""


def _in_batches(settings: Settings) -> str:
    return f" in batches that may take {settings.teacher.batch.completion_window} each"


async def _written(
    n: int,
    *,
    folder: RunFolder,
    settings: Settings,
    task: Task,
    max_usd: float,
    progress: OnStage,
) -> WrittenRun:
    from distill.labels.bootstrap import label_writer

    # First what costs nothing: without a broker the labels would have no place.
    async with label_writer(settings) as deliver:
        found = await made_run(
            n, folder=folder, settings=settings, task=task, max_usd=max_usd, progress=progress
        )
        for at in range(0, len(found.labels), _WRITES_AT_ONCE):
            await asyncio.gather(*map(deliver, found.labels[at : at + _WRITES_AT_ONCE]))
    return found


async def made_run(
    n: int,
    *,
    folder: RunFolder,
    settings: Settings,
    task: Task,
    max_usd: float,
    progress: OnStage,
) -> WrittenRun:
    """Let the teacher write and label `n` texts, for nobody but the run's folder.

    Raises as `distill.labels.written.run.TextFromNothing.run`.
    """
    from distill.labels.written.embedding import embedding_of
    from distill.labels.written.run import TextFromNothing
    from stream.kafka.answer_log import answer_log_of
    from stream.kafka.spend_log import spend_log_of
    from stream.teacher.batches.lane import batch_lane
    from stream.teacher.capped_store import CappedStore
    from stream.teacher.factory import make_teacher

    embedding = embedding_of(settings.recipe_of(task.kind), n=n)
    store = CappedStore(settings.teacher.state, run_ledger=folder.ledger, most_usd=max_usd)
    teacher, _ = make_teacher(
        task,
        settings,
        purpose="bootstrap",
        store=store,
        spend_log=spend_log_of(settings),
        answer_log=answer_log_of(settings),
    )
    try:
        made = TextFromNothing(
            folder,
            task,
            settings,
            teacher,
            embedding,
            spent=store.run_totals,
            now_ms=lambda: int(time.time() * _MILLISECONDS),
            progress=progress,
            lane=batch_lane(teacher, settings.teacher, task=task.name, purpose="bootstrap"),
        )
        found = await made.run(n, max_usd=max_usd)
        found.facts["remarks"] += teacher.remarks
    finally:
        await teacher.aclose()
    return found


def tell_written(facts: dict[str, Any], json_file: Path | None) -> None:
    """Print what a run gave, or write it as JSON; the exit code is 1 where it gave no label."""
    if not is_printed(json_file):
        _show(facts)
    write_json(facts, json_file)
    if not facts["labelled"]:
        raise typer.Exit(1)


def _show(facts: dict[str, Any]) -> None:
    for line in written_lines(facts):
        print(line)


def written_lines(facts: dict[str, Any]) -> Iterator[str]:
    """Say in lines what a run gave."""
    yield (
        f"{facts['labelled']:,} labels written, of {facts['written']:,} texts; "
        f"${facts['usd']:,.4f} by the prices in the settings"
    )
    yield from _counts("texts dropped", facts["dropped"])
    yield from _counts("texts without an answer", facts["failed"])
    yield from _counts("doubted labels", facts["verdicts"])
    shares = ", ".join(f"{name} {share:.0%}" for name, share in facts["label_balance"].items())
    yield f"labels: {shares}; {facts['without_any']:,} texts without any"
    distinct = ", ".join(f"{share:.0%} of {n}" for n, share in facts["distinct_n"].items())
    yield f"distinct n-grams: {distinct}; spread {facts['spread']:.2f} ({facts['spread_by']})"
    for remark in facts["remarks"]:
        yield f"the teacher: {remark}"
    yield f"the run: {facts['run']}"


def _counts(what: str, counts: dict[str, int]) -> Iterator[str]:
    for reason, count in counts.items():
        yield f"{count:,} {what}: {reason.replace('_', ' ')}"
