"""`--json`: a command's facts for machines, in one way for every command.

`--json FILE` writes the file, whole or not at all; `-` prints; so does a bare `--json`.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TextIO, TypeAlias

import typer

from schemas.errors import ConfigError
from schemas.files import whole_files

PRINTED = Path("-")

JsonOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--json", metavar="[FILE]", help="Write the same facts as JSON; - or nothing prints them."
    ),
]


def spell_out_bare_json(arguments: Sequence[str]) -> list[str]:
    """Write a bare `--json` as `--json=-`: typer knows no option whose value may be left out."""
    return [
        "--json=-" if word == "--json" and after.startswith("-") and after != "-" else word
        for word, after in zip(arguments, [*arguments[1:], "--"], strict=False)
    ]


def is_printed(file: Path | None) -> bool:
    """Whether the JSON goes to standard output, so that nothing else may."""
    return file == PRINTED


def check_writable(file: Path | None) -> None:
    """Refuse, before long work, what could not be written after it; `ConfigError`."""
    if file is None or is_printed(file):
        return
    if file.is_dir():
        raise ConfigError(f"cannot write {file}: it is a folder")
    if not _is_special(file):
        check_folder(file.parent)


def check_folder(folder: Path) -> None:
    """Make the folder if need be; `ConfigError` where no file can be made in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(f"cannot write into {folder}: {error.strerror}") from None


def write_json(facts: Any, file: Path | None) -> None:
    """Write the facts to `file`, or print them when it is `-`; nothing without one.

    Raises `ValueError` for numbers that JSON lacks, and then leaves no file.
    """
    text = json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False)
    if is_printed(file):
        print(text)
    elif file is not None:
        try:
            with whole_file(file) as out:
                out.write(text + "\n")
        except OSError as error:
            raise ConfigError(f"cannot write {file}: {error.strerror}") from None


@contextmanager
def json_lines(file: Path) -> Iterator[Callable[[Any], None]]:
    """Give a function that writes one line of JSON, or prints it at once when `file` is `-`."""
    if is_printed(file):
        yield lambda facts: print(_line(facts), flush=True)
        return
    with whole_file(file) as out:
        yield lambda facts: print(_line(facts), file=out)


def _is_special(path: Path) -> bool:
    """Whether it is such as /dev/stdout or a pipe, which must be written, never replaced."""
    return path.exists() and not path.is_file()


def _line(facts: Any) -> str:
    return json.dumps(facts, ensure_ascii=False, allow_nan=False)


@contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """Give a file to write, which takes its name once it is whole.

    Raises `ConfigError` where there is no place for it, and `DiskError` when the disk is full;
    else as `schemas.files.whole_files`.
    """
    check_writable(path)
    if _is_special(path):
        with path.open("w", encoding="utf-8") as out:
            yield out
        return
    with whole_files.whole_file(path) as raw:
        out = io.TextIOWrapper(raw, encoding="utf-8")
        yield out
        out.flush()
        out.detach()  # who gave the file closes it
