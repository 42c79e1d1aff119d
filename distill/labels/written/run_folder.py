"""The folder of one run: what was answered, line by line, so that nothing is paid for twice.

::

    DIR/
        run.json        what the run is about; written once
        plan.jsonl      attributes and names, one line an answer
        texts.jsonl     calls as they were drawn, and the texts as they came
        labels.jsonl    the second pass, one line a text, refused ones included
        verdicts.jsonl  the third pass, one line a call
        chosen.jsonl    which texts of a file were chosen, where the texts are not written
        ledger.sqlite   what the run has spent
        summary.json    the figures of the last run, as `--json` gives them
        .lock           held while it runs

A line is one write, and on disk before its answer is used. What `kill -9` tears off is a line
without an end: it is cut away when the folder is opened again. A choice is there whole or not at
all.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from filelock import FileLock, Timeout

from schemas.errors import ConfigError
from schemas.files.whole_files import whole_file, write_whole, written

Part = Literal["plan", "texts", "labels", "verdicts", "chosen"]
Record = dict[str, Any]

_ABOUT, _SUMMARY, _LEDGER = "run.json", "summary.json", "ledger.sqlite"


class RunFolder:
    """A run's folder; use `open_run`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def ledger(self) -> Path:
        """Where the run's spending is booked."""
        return self.path / _LEDGER

    def records(self, part: Part) -> list[Record]:
        """Read all records of a part; `ConfigError` for a line that is none."""
        path = self._file(part)
        if not path.exists():
            return []
        lines = path.read_bytes().split(b"\n")[:-1]  # what follows the last end is torn
        return [_record(line, path, number) for number, line in enumerate(lines, start=1)]

    def append(self, part: Part, *records: Record) -> None:
        """Add records; they are on disk when this returns, and with `DiskError` none is.

        What `kill -9` leaves of several is the first ones.
        """
        data = b"".join(map(_line, records))
        path = self._file(part)
        size = path.stat().st_size if path.exists() else 0
        with written(path):
            try:
                with path.open("ab") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
            except OSError:
                with contextlib.suppress(OSError):
                    os.truncate(path, size)
                raise

    def write(self, part: Part, records: Iterable[Record]) -> None:
        """Write a part, all of it or nothing, whatever happens meanwhile; raises as `append`."""
        with whole_file(self._file(part)) as file:
            file.writelines(map(_line, records))

    def summarise(self, facts: Mapping[str, Any]) -> None:
        """Write the summary, in place of an earlier one."""
        _write_whole(self.path / _SUMMARY, facts)

    def cut_torn_lines(self) -> None:
        """Cut away what a killed process left without its end."""
        for part in get_args(Part):
            for unfinished in self.path.glob(f".{part}.jsonl.*.new"):
                unfinished.unlink()
        for path in self._parts():
            data = path.read_bytes()
            whole = data.rfind(b"\n") + 1
            if whole < len(data):
                with path.open("r+b") as file:
                    file.truncate(whole)

    def begin_anew(self) -> None:
        """Take away what an earlier run left that never came to ask."""
        self.cut_torn_lines()
        for path in self._parts():
            path.unlink()

    def require_no_other(self) -> None:
        """Raise `ConfigError` where files named like a run's lie, but no run: they are not ours."""
        beside = [self.path / _SUMMARY, self.ledger, *self._parts()]
        strangers = [path.name for path in beside if path.exists()]
        if strangers:
            raise ConfigError(
                f"{self.path} holds {', '.join(strangers)}, of no run: "
                "take an empty folder for --run"
            )

    def _file(self, part: Part) -> Path:
        return self.path / f"{part}.jsonl"

    def _parts(self) -> list[Path]:
        files = [self._file(part) for part in get_args(Part)]
        return [path for path in files if path.exists()]


@contextlib.contextmanager
def open_run(path: Path, *, about: Mapping[str, Any], resume: bool) -> Iterator[RunFolder]:
    """Hold the folder of a run; `about` says what must be the same when it is resumed.

    A run that never came to ask (nobody agreed to the price, say) has spent nothing, and is begun
    anew. Raises `ConfigError` where there is a run already and none is resumed, where there is none
    to resume, where it was about something else, where files of no run have a run's names, and
    where another process holds it; `DiskError` where the disk takes nothing.
    """
    known = (path / _ABOUT).exists()
    there = known and (resume or (path / _LEDGER).exists())
    if there and not resume:
        raise ConfigError(f"there is a run in {path}: pass --resume to go on with it")
    if resume and not there:
        raise ConfigError(f"there is no run in {path} to resume")
    with _held(path):
        folder = RunFolder(path)
        if there:
            _require_same(path / _ABOUT, about)
            folder.cut_torn_lines()
        else:
            _begin(folder, about, known=known)
        yield folder


@contextlib.contextmanager
def _held(path: Path) -> Iterator[None]:
    lock = FileLock(path / ".lock", timeout=0)
    with written(path):
        path.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout:
            raise ConfigError(f"another process goes on with the run in {path}") from None
    try:
        yield
    finally:
        lock.release()


def _begin(folder: RunFolder, about: Mapping[str, Any], *, known: bool) -> None:
    """Begin a run; what an earlier one left that is `known`, and never asked, goes."""
    file = folder.path / _ABOUT
    if not known:
        folder.require_no_other()
    elif not _read_about(file).keys() >= about.keys():
        raise ConfigError(f"{file} is of no run: take an empty folder for --run")
    folder.begin_anew()
    _write_whole(file, about)


def _read_about(file: Path) -> dict[str, Any]:
    try:
        was = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read {file}: {error}") from None
    return was if isinstance(was, dict) else {}


def _require_same(file: Path, about: Mapping[str, Any]) -> None:
    was = _read_about(file)
    other = [name for name, value in about.items() if was.get(name) != value]
    if other:
        raise ConfigError(
            f"the run in {file.parent} was begun with another {', '.join(other)}: take a new folder"
        )


def _record(line: bytes, path: Path, number: int) -> Record:
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        raise ConfigError(f"{path}:{number}: no record of a run")
    return record


def _line(record: Record) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode() + b"\n"


def _write_whole(path: Path, facts: Mapping[str, Any]) -> None:
    write_whole(path, json.dumps(facts, indent=2, ensure_ascii=False) + "\n")


def grouped(records: Sequence[Record], key: str) -> dict[Any, Record]:
    """Index the records that have `key` by it; of two the later one counts."""
    return {record[key]: record for record in records if key in record}
