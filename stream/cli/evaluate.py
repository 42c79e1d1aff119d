"""`silverstream evaluate`: the gate's own figures for a bundle on a labelled corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from schemas.errors import ConfigError
from schemas.files.corpus import DataReport, import_corpus, reading
from schemas.files.kind import Kind
from stream.cli.figures import figures_table, sure_line
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
from stream.student import Student


def evaluate(
    bundle: Annotated[Path, typer.Argument(help="A student's folder.")],
    corpus: Annotated[Path, typer.Argument(help="Labelled texts; see --format.")],
    *,
    form: FormatOption = None,
    columns: ColumnsOption = None,
    label_names: LabelNamesOption = None,
    text_column: TextColumnOption = None,
    label_column: LabelColumnOption = None,
    config: ConfigOption = None,
    json_file: JsonOption = None,
) -> None:
    """Judge a bundle on a labelled corpus, through the code that serves.

    Of the settings only the gate's bootstrap interval counts.
    """
    from distill.judging.evaluation import evaluate as judge

    check_writable(json_file)
    settings = command_settings(config).distill
    student = Student.load(bundle)
    gold = import_corpus(
        corpus,
        how=reading(form, columns, label_names, text_column=text_column, label_column=label_column),
    )
    _require_kind(student.manifest.kind, gold.report, corpus)
    foreign = {
        label: n
        for label, n in gold.report.per_label.items()
        if label not in student.manifest.labels
    }
    found = judge(
        student,
        gold.examples,
        resamples=settings.gate.resamples,
        confidence=settings.gate.confidence,
        seed=settings.seed,
    ).as_dict()
    facts = {
        "student": student.version,
        "digest": student.digest,
        "corpus": str(corpus),
        **found,
        "data": gold.report.as_dict(),
        "foreign_labels": foreign,
    }
    if not is_printed(json_file):
        console = Console()
        console.print("\n".join(gold.report.lines()), markup=False, highlight=False)
        console.print(figures_table({student.version: found}, title=f"{corpus}"))
        console.print(sure_line(found, confidence=settings.gate.confidence))
        what = "spans" if gold.report.kind == "entities" else "texts"
        for label, n in foreign.items():
            console.print(f"{label}: {n:,} {what} of a label that the student does not know")
    write_json(facts, json_file)


def _require_kind(kind: Kind, report: DataReport, corpus: Path) -> None:
    if report.per_label and report.kind != kind:
        raise ConfigError(f"{corpus} has {report.kind}, but the student is one of {kind}")
