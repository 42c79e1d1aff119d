"""`silverstream prompt`: measure the teacher's prompt by gold, improve it, choose a version."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from schemas.files.corpus import import_corpus, reading
from schemas.files.prompt_file import InUse, PromptFolder, PromptVersion
from schemas.files.prompt_words import worded, words_of
from schemas.files.task import Task
from schemas.files.task_file import load_task
from schemas.files.task_in_use import prompt_folder
from schemas.settings import DEFAULT_MODEL, Settings
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

if TYPE_CHECKING:
    from stream.teacher.purse import Purse

app = typer.Typer(no_args_is_help=True, help="Measure, improve and choose the teacher's prompt.")

GoldArgument = Annotated[Path, typer.Argument(help="Texts that people labelled; see --format.")]
MaxUsdOption = Annotated[
    float,
    typer.Option(callback=finite, min=0.0, help="The most that this may cost, in US dollars."),
]
ShareOption = Annotated[
    float, typer.Option(callback=finite, min=0.0, max=1.0, help="Stop where it is reached.")
]


@app.command()
def evaluate(
    gold: GoldArgument,
    *,
    max_usd: MaxUsdOption = 1.0,
    form: FormatOption = None,
    columns: ColumnsOption = None,
    label_names: LabelNamesOption = None,
    text_column: TextColumnOption = None,
    label_column: LabelColumnOption = None,
    config: ConfigOption = None,
    json_file: JsonOption = None,
) -> None:
    """Ask the teacher about gold, by the prompt in use, and say how well it does and what is wrong.

    What it answered before is not paid for again.
    """
    from distill.prompting.run import evaluate_prompt

    check_writable(json_file)
    settings = command_settings(config)
    how = reading(form, columns, label_names, text_column=text_column, label_column=label_column)
    examples = import_corpus(gold, how=how).examples
    with _watched(f"asking about {gold}") as on_asked:
        facts = evaluate_prompt(settings, examples, max_usd=max_usd, on_asked=on_asked)
    facts = {"gold": str(gold), **facts}
    if not is_printed(json_file):
        _show_figures(facts, confidence=settings.distill.gate.confidence)
        _show_mistakes(facts)
        _show_cost(facts, settings)
    write_json(facts, json_file)


@app.command()
def improve(
    gold: GoldArgument,
    *,
    target_precision: ShareOption = 1.0,
    target_recall: ShareOption = 1.0,
    max_usd: MaxUsdOption = 1.0,
    max_calls: Annotated[int, typer.Option(min=1, help="The most calls of the teacher.")] = 1000,
    seed: Annotated[int, typer.Option(help="Chooses which mistakes are shown.")] = 0,
    form: FormatOption = None,
    columns: ColumnsOption = None,
    label_names: LabelNamesOption = None,
    text_column: TextColumnOption = None,
    label_column: LabelColumnOption = None,
    config: ConfigOption = None,
    json_file: JsonOption = None,
) -> None:
    """Search for a better prompt: the teacher proposes edits from its mistakes, gold judges them.

    Edits come from a third of gold, are kept where they hold on another, and are reported on the
    last. The version that is found is written beside the task file; `prompt use` puts it to use.
    """
    from distill.prompting.run import Limits, improve_prompt
    from distill.prompting.search import Targets

    check_writable(json_file)
    settings = command_settings(config)
    how = reading(form, columns, label_names, text_column=text_column, label_column=label_column)
    examples = import_corpus(gold, how=how).examples
    with _watched("improving the prompt") as on_asked:
        facts = improve_prompt(
            settings,
            examples,
            targets=Targets(target_precision, target_recall),
            limits=Limits(max_usd, max_calls),
            seed=seed,
            now=_now,
            on_asked=on_asked,
        )
    if not is_printed(json_file):
        _show_improved(facts)
        _show_cost(facts, settings)
    write_json(facts, json_file)


@app.command(name="list")
def list_versions(config: ConfigOption = None, json_file: JsonOption = None) -> None:
    """List the versions of the prompt, the oldest first, and say which one is in use."""
    check_writable(json_file)
    settings = command_settings(config)
    task = load_task(settings.task)
    folder = prompt_folder(settings, task)
    facts = _versions_facts(settings, task, folder)
    if not is_printed(json_file):
        _console().print(_versions_table(facts))
    write_json(facts, json_file)


@app.command()
def use(
    version: Annotated[str, typer.Argument(help="A version that `prompt list` names.")],
    *,
    config: ConfigOption = None,
    json_file: JsonOption = None,
) -> None:
    """Ask by this version from now on; labels and students stay what they are.

    A round asks by it at once, a worker once it is started again.
    """
    check_writable(json_file)
    settings = command_settings(config)
    task = load_task(settings.task)
    folder, own = prompt_folder(settings, task), words_of(task).version
    # What the task file says today, so that one can return to it when it says something else.
    folder.add(PromptVersion(words_of(task), made_at=_now()))
    before = in_use.version if (in_use := folder.in_use()) else own
    chosen = folder.read(version)
    asked_as = _asked_as(settings, task, chosen)  # first: what cannot be asked is not put to use
    folder.use(None if version == own else InUse(version, own))
    facts = {"in_use": version, "before": before, "prompt_version": asked_as}
    if not is_printed(json_file):
        print(f"prompt {version} is in use (before: {before}); start running teach workers again")
    write_json(facts, json_file)


def _versions_facts(settings: Settings, task: Task, folder: PromptFolder) -> dict[str, Any]:
    own = words_of(task).version
    found = {one.version: one for one in folder.versions()}
    versions = (
        [*found.values()] if own in found else [PromptVersion(words_of(task)), *found.values()]
    )
    in_use = folder.in_use()
    return {
        "in_use": in_use.version if in_use else own,
        "task_file": own,
        "folder": str(folder.path),
        "versions": [
            {
                "version": one.version,
                "parent": one.parent,
                "made_at": one.made_at,
                "why": list(one.why),
                "scores": dict(one.scores),
                "agreement": one.agreement,
                "prompt_version": _asked_as(settings, task, one),
            }
            for one in versions
        ],
    }


def _asked_as(settings: Settings, task: Task, prompt: PromptVersion) -> str:
    """Name the prompt as labels do: by all that the teacher is told."""
    from schemas.files.few_shot import teacher_examples
    from stream.teacher.prompt import prompt_version

    shown = teacher_examples(settings.distill.gold, settings.teacher.few_shot, task)
    n_similar = settings.teacher.examples.n_similar
    return prompt_version(worded(task, prompt.words), shown, n_similar=n_similar)


def _versions_table(facts: Mapping[str, Any]) -> Table:
    table = Table(title=f"prompts in {facts['folder']}", title_justify="left")
    for name in ("version", "parent", "made", "F1 keep", "F1 report", "why"):
        table.add_column(name)
    for one in facts["versions"]:
        marks = [
            *(["in use"] if one["version"] == facts["in_use"] else []),
            *(["task file"] if one["version"] == facts["task_file"] else []),
        ]
        table.add_row(
            " ".join([one["version"], *(f"({mark})" for mark in marks)]),
            one["parent"],
            one["made_at"][:16],
            _f1(one["scores"].get("keep")),
            _f1(one["scores"].get("report")),
            "\n".join(one["why"]),
        )
    return table


def _show_figures(facts: Mapping[str, Any], *, confidence: float) -> None:
    table = Table(
        title=f"prompt {facts['version']} on {facts['records']:,} texts "
        f"({confidence:.0%} bootstrap intervals)",
        title_justify="left",
    )
    for name in ("", "precision", "recall", "F1", "gold"):
        table.add_column(name, justify="left" if not name else "right")
    for name, figures in (*facts["per_label"].items(), ("all", facts)):
        intervals = figures["intervals"]
        cells = (_sure(intervals[x]) for x in ("precision", "recall", "f1"))
        table.add_row(name, *cells, f"{figures['gold']:,}")
    _console().print(table)


def _show_mistakes(facts: Mapping[str, Any]) -> None:
    if not facts["mistakes"]:
        return
    table = Table(title="what goes wrong", title_justify="left")
    for name in ("count", "wrong", "expected", "answered", "for example"):
        table.add_column(name)
    for one in facts["mistakes"]:
        shown = "\n".join(_example(x) for x in one["examples"])
        table.add_row(f"{one['count']:,}", one["wrong"], one["expected"], one["answered"], shown)
    _console().print(table)


def _console() -> Console:
    # Texts and guidelines may hold brackets, which are no markup of ours.
    return Console(markup=False, highlight=False)


def _example(example: Mapping[str, Any]) -> str:
    sides = (example["expected"], example["answered"])
    words = [side.get("text", "") for side in sides if side]
    said = " / ".join(word for word in words if word)
    text = example["text"] if len(example["text"]) <= _SHOWN_CHARS else _cut(example["text"])
    return f"{said}: {text}" if said else text


_SHOWN_CHARS = 80


def _cut(text: str) -> str:
    return f"{text[: _SHOWN_CHARS - 1]}…"


def _show_improved(facts: Mapping[str, Any]) -> None:
    if not facts["accepted"]:
        print(f"no edit held on the keep part: prompt {facts['version']} stays")
    else:
        print(f"prompt {facts['version']}, from {facts['parent']}:")
        for edit in facts["edits"]:
            print(f"  {edit}")
        print(f"put it to use: silverstream prompt use {facts['version']}")
    for part, scores in facts["scores"].items():
        print(f"{part:7} {_scores_line(scores)}")
    proposed = f"{facts['proposed']} edits proposed, {len(facts['trials'])} tried on the keep part"
    print(f"{proposed}; it ended by: {facts['stopped']} {facts['why']}".rstrip())


def _scores_line(scores: Mapping[str, Any] | None) -> str:
    if scores is None:
        return "not asked: nothing was left to spend"
    figures = scores["intervals"]
    return (
        f"F1 {_sure(figures['f1'])}, precision {figures['precision']['estimate']:.1%}, "
        f"recall {figures['recall']['estimate']:.1%} on {scores['records']:,} texts"
    )


def _show_cost(facts: Mapping[str, Any], settings: Settings) -> None:
    for reason, n in facts["refused"].items():
        print(f"{n:,} texts without an answer: {reason.replace('_', ' ')}")
    print(f"{facts['calls']:,} calls; ${facts['usd']:,.4f} {_prices(settings)}")


def _prices(settings: Settings) -> str:
    if settings.teacher.prices_are_another_models:
        return f"at the prices of {DEFAULT_MODEL}: set those of {settings.teacher.model}"
    return "by the prices in the settings"


def _sure(interval: Mapping[str, float]) -> str:
    return f"{interval['estimate']:.1%} ({interval['low']:.0%} to {interval['high']:.0%})"


def _f1(scores: Mapping[str, Any] | None) -> str:
    return f"{scores['f1']:.1%}" if scores else "-"


@contextmanager
def _watched(what: str) -> Iterator[Callable[[Purse], None]]:
    """Show, on standard error, what is spent so far."""
    with Console(stderr=True).status(what) as status:
        yield lambda purse: status.update(f"{what}: {purse.calls:,} calls, ${purse.usd:,.4f}")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
