"""`silverstream export`: the newest label of each text, in a format that other tools read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from schemas.files.corpus import Format
from schemas.files.corpus.report import make_report
from schemas.files.corpus.write import writer
from schemas.files.task_file import load_task
from stream.cli.json_output import (
    JsonOption,
    check_writable,
    is_printed,
    whole_file,
    write_json,
)
from stream.cli.options import ConfigOption, finite
from stream.cli.settings_source import command_settings


def export(
    *,
    form: Annotated[
        Format, typer.Option("--format", help="Any but text, which holds no labels.")
    ] = "jsonl",
    out: Annotated[Path, typer.Option(help="The file to write.")],
    source: Annotated[
        Literal["human", "teacher"] | None,
        typer.Option(help="Labels by people or by the teacher alone."),
    ] = None,
    min_weight: Annotated[
        float,
        typer.Option(callback=finite, min=0, max=1, help="Labels that count this much or more."),
    ] = 0.0,
    config: ConfigOption = None,
    json_file: JsonOption = None,
) -> None:
    """Write the newest label of each text, of today's task file.

    What a person corrects comes back with `silverstream bootstrap FILE --labelled`; what nobody
    changed stays whose it was.
    """
    from distill.labels.earlier_digests import learn_digests
    from distill.labels.giving_back import give_back
    from distill.labels.journal import KafkaJournal

    writer(form)  # refuses what holds no labels, before anything is read
    for file in (out, json_file):
        check_writable(file)
    settings = command_settings(config)
    task = load_task(settings.task)
    write = writer(form, task.kind)
    task = learn_digests(task, KafkaJournal(settings, task), settings.student)
    labels = KafkaJournal(settings, task).labels()
    examples, left_out = give_back(labels, task=task, source=source, min_weight=min_weight)
    with whole_file(out) as whole:
        whole.writelines(write(examples))
    report = make_report(form, examples, kind=task.kind, mended={}, dropped=left_out)
    if not is_printed(json_file):
        print("\n".join([*report.lines(), f"written to {out}"]))
    write_json({"out": str(out), "data": report.as_dict()}, json_file)
