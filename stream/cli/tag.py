"""`silverstream tag`: lines with what a student says of them, from a file, a pipe or a prompt."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Annotated, TextIO

import typer

from schemas.errors import ConfigError
from schemas.settings import Settings
from schemas.types import Tagging
from stream.cli.json_output import PRINTED, JsonOption, check_writable, is_printed, json_lines
from stream.cli.options import ConfigOption
from stream.cli.painting import Show, painter_of
from stream.cli.settings_source import command_settings
from stream.student import Student

_BATCH_LINES = 256
_PROMPT = "text> "


def tag(
    file: Annotated[
        Path | None, typer.Argument(help="Lines of text; - or nothing reads standard input.")
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(help="A student's folder; without it, the student in service is used."),
    ] = None,
    config: ConfigOption = None,
    json_file: JsonOption = None,
) -> None:
    """Tag lines of text with a student, and show what it says in colour.

    `--json FILE` with no other argument reads FILE and prints: the flag alone came first. To
    write what standard input brings, name it: `tag - --json FILE`.
    """
    if file is None and json_file is not None and not is_printed(json_file):
        file, json_file = json_file, PRINTED
    check_writable(json_file)
    student = Student.load(bundle) if bundle else serving_student(command_settings(config))
    at_a_prompt = file is None and sys.stdin.isatty()
    lines = _prompted() if at_a_prompt else _lines(file)
    with _shown(painter_of(student.manifest), json_file) as show:
        for text, tagging in tagged_lines(student, lines, batch=1 if at_a_prompt else _BATCH_LINES):
            show(text, tagging)


@contextmanager
def _shown(paint: Show, json_file: Path | None) -> Iterator[Show]:
    """Give what shows a line: in colour, as JSON, or both when the JSON goes to a file."""
    if json_file is None:
        yield paint
        return
    with json_lines(json_file) as write:

        def show(text: str, tagging: Tagging) -> None:
            said = asdict(tagging)
            for name in ("label_confidences", "doubts"):  # for the router, and for the teacher
                del said[name]
            write({"text": text, **said})
            if not is_printed(json_file):
                paint(text, tagging)

        yield show


def serving_student(settings: Settings) -> Student:
    """Load the student that the newest promotion names."""
    # Imported here: a bundle can be tried without Kafka.
    from schemas.files.bundle_store import open_bundle_store
    from schemas.files.task_file import load_task
    from stream.student.promoted import load_proved_now
    from stream.tag.swap import newest_promotion

    task = load_task(settings.task)
    promotion = asyncio.run(newest_promotion(settings, task.name))
    return load_proved_now(open_bundle_store(settings.student), task, promotion)


def tagged_lines(
    student: Student, lines: Iterable[str], *, batch: int
) -> Iterator[tuple[str, Tagging]]:
    """Tag the lines, `batch` at a time; results come in order."""
    remaining = iter(lines)
    while texts := list(islice(remaining, batch)):
        yield from zip(texts, student.tag(texts), strict=True)


def _lines(file: Path | None) -> Iterator[str]:
    given = None if file is None or str(file) == "-" else file
    try:
        with given.open(encoding="utf-8") if given else _standard_input() as lines:
            yield from _stripped(lines)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {given or 'standard input'}: {error}") from None


@contextmanager
def _standard_input() -> Iterator[TextIO]:
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="strict")  # whatever the locale says
    yield sys.stdin


def _stripped(lines: TextIO) -> Iterator[str]:
    for line in lines:
        yield line.rstrip("\r\n")


def _prompted() -> Iterator[str]:
    while True:
        try:
            yield input(_PROMPT)
        except (EOFError, KeyboardInterrupt):
            print()
            return
