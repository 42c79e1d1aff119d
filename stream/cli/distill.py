"""`silverstream distill`: one retraining round now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from stream.cli.figures import figures_table
from stream.cli.json_output import JsonOption, check_writable, is_printed, write_json
from stream.cli.options import ConfigOption
from stream.cli.settings_source import command_settings

if TYPE_CHECKING:
    from distill.judging.trial import Trial
    from distill.result import EvidenceMissing, RoundResult

_COLOURS = {"promoted": "green", "refused": "yellow", "waiting": "cyan"}


def distill(
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Train although few labels are new.")
    ] = False,
    config: ConfigOption = None,
    json_file: JsonOption = None,
) -> None:
    """Train a student on all labels, judge it against the one that serves, promote the better.

    A refusal is a result: the exit code is 0.
    """
    from distill.round import run_round
    from stream.watch.log_setup import configure_logs

    configure_logs()
    check_writable(json_file)
    settings = command_settings(config)
    with _progress_bar() as bar:
        task = bar.add_task("starting", total=1.0)
        result = run_round(
            settings,
            force=force,
            progress=lambda what, share: bar.update(task, description=what, completed=share),
        )
    if not is_printed(json_file):
        show(result, Console())
    write_json(result.as_dict(), json_file)


def show(result: RoundResult, console: Console) -> None:
    """Print what a round came to."""
    console.print(_summary(result))
    if result.trial:
        students = {result.student: result.trial.challenger.as_dict()}
        if result.trial.champion:
            students |= {f"{result.champion} (serves)": result.trial.champion.as_dict()}
        console.print(figures_table(students, title=f"Judged on {result.trial.judged_on}"))
        console.print(_checks(result.trial))
    console.print(_verdict(result), style=_COLOURS[result.status], highlight=False)
    if result.evidence:
        first = result.champion == ""
        console.print(_missing(result.evidence, first=first), highlight=False)
    for suspect in result.triggers:
        console.print(f"{suspect.words()}.", highlight=False, markup=False)
    if result.triggers:
        console.print(
            f"Look at their labels: {result.triggers_listed}. What is no news must go: "
            f"`silverstream forget --file {result.triggers_listed}`.",
            highlight=False,
        )


def _progress_bar() -> Progress:
    # On standard error, so that JSON on standard output stays clean.
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _summary(result: RoundResult) -> Table:
    table = Table(title="Labels", title_justify="left", show_header=False)
    table.add_row("labels, of them new", f"{result.labels:,}, {result.new_labels:,}")
    for what, count in result.splits.items():
        table.add_row(what.replace("_", " "), f"{count:,}")
    if result.trial:
        for fact, value in result.trial.facts.items():
            table.add_row(fact.replace("_", " "), f"{value:,.4g}")
    return table


def _checks(trial: Trial) -> Table:
    table = Table(title="The gate", title_justify="left")
    for column in ("check", "value", "bound", ""):
        table.add_column(column, justify="left" if column == "check" else "right")
    for check in trial.verdict.checks:
        mark = "[green]pass[/]" if check.passed else "[red]fail[/]"
        table.add_row(check.name, f"{check.value:.4g}", f"{check.bound:.4g}", mark)
    return table


def _missing(evidence: EvidenceMissing, *, first: bool = False) -> str:
    """Say how many records or answers more a round needs, and when that will be."""
    if first:
        return (
            f"It has {evidence.have} records to judge a first student by and needs {evidence.more} "
            "more: gold, or labels, of which a fifth is held out."
        )
    if evidence.more is None:
        return f"It has {evidence.have} answers to judge by; how many it needs is not to be told."
    words = f"It has {evidence.have} answers to judge by and needs {evidence.more} more"
    if evidence.eta_s is None:
        return f"{words}; when they will be there is not to be told yet."
    return f"{words}: in some {evidence.eta_s / 60:,.0f} minutes at the stream's pace."


def _verdict(result: RoundResult) -> str:
    if result.status == "waiting":
        return f"No student was trained: {result.reason}."
    if result.promotion is None:
        served = f"; {result.champion} serves on" if result.champion else ""
        return f"{result.student} was refused: {result.reason}{served}."
    policy = result.promotion.policy
    trusted = f"; trusted in {', '.join(policy.trusted)}" if policy.trusted else ""
    return (
        f"{result.student} is promoted ({result.reason}): promotion "
        f"{result.promotion.sequence}, threshold {policy.threshold:.3f}{trusted}."
    )
