"""`--json`: a command's facts for machines, in one way for every command.

`--json FILE` writes the file, whole or not at all; `-` prints; so does a bare `--json`.
"""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TextIO, TypeAlias

import typer

from schemas.errors import ConfigError, DiskError

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

    Raises `ConfigError` where there is no place for it, and `DiskError` when the disk is full.
    """
    check_writable(path)
    if _is_special(path):
        with path.open("w", encoding="utf-8") as out:
            yield out
        return
    path = path.resolve()  # a link stays a link
    with _full_disk_told(path), _temporary(path) as out:
        yield out
    # The temporary file is private; the result is as private as its file was, or as new ones are.
    Path(out.name).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
    os.replace(out.name, path)  # noqa: PTH105  Path.replace reads no better on a name


def _umask() -> int:
    umask = os.umask(0)  # there is no way to read it alone
    os.umask(umask)
    return umask


@contextmanager
def _temporary(path: Path) -> Iterator[Any]:
    """Give a file beside `path`, which is gone again when its writer fails."""
    out = tempfile.NamedTemporaryFile(  # noqa: SIM115 - closing it may fail, and it must go then too
        "w", dir=path.parent, prefix=f".{path.name}.", delete=False, encoding="utf-8"
    )
    try:
        with out:
            yield out
    except BaseException:
        Path(out.name).unlink()
        raise


@contextmanager
def _full_disk_told(path: Path) -> Iterator[None]:
    """Tell a disk that is full from whatever else the one who writes may meet."""
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise
        raise DiskError(f"cannot write {path}: {error.strerror}; nothing was left there") from None
