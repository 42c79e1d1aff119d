"""Backups of what lies on this machine's disk: whole, held against digests, never over anything.

::

    DIR/
        backup.json            what is in it: places, their files, the SHA-256 of each
        <place>/...            a folder as it was
        <place>/<file name>    a place that is one file

SQLite files are copied by SQLite itself, so that what others write meanwhile is in them or not.
Any other file is read again after it was copied: of a file that changed there is no backup.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from schemas.errors import ConfigError, DiskError
from schemas.files.whole_files import write_whole, written

_ABOUT: Final = "backup.json"
_VERSION: Final = 1
_SQLITE: Final = ".sqlite"
_CHUNK: Final = 2**20


Copy = Callable[[Path, Path], object]
"""Copies a file's bytes."""


@dataclass(frozen=True, slots=True)
class Place:
    """A file or folder of ours, and what it is called in backups."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup says that it holds: by place, the digests of its files by their names there."""

    folder: Path
    about: Mapping[str, Any]
    files: Mapping[str, Mapping[str, str]]

    @property
    def n_files(self) -> int:
        """How many files it has."""
        return sum(map(len, self.files.values()))


def write_backup(
    places: Sequence[Place],
    folder: Path,
    *,
    about: Mapping[str, Any],
    copy: Copy = shutil.copyfile,
) -> Backup:
    """Copy the places that are there; the folder takes its name once everything is in it.

    Raises `ConfigError` for a folder that is there already, for links, and for a file that changes
    while it is copied, and `DiskError`.
    """
    if folder.exists():
        raise ConfigError(f"{folder} is there already: a backup takes a new folder")
    beside = folder.with_name(f".{folder.name}.{os.getpid()}.new")
    with written(folder), _removed_on_failure(beside):
        beside.mkdir(parents=True, mode=0o700)
        files = {
            place.name: _copied(place.path, beside / place.name, copy)
            for place in places
            if place.path.exists()
        }
        told = {"version": _VERSION, **about, "files": files}
        write_whole(beside / _ABOUT, json.dumps(told, indent=2, sort_keys=True) + "\n")
        _sync_folders(beside)
        beside.rename(folder)
        _sync(folder.parent)
    return Backup(folder, about, files)


def read_backup(folder: Path) -> Backup:
    """Read a backup and hold every file against its digest; `ConfigError` for what is none."""
    try:
        told = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        version, files = told.pop("version"), told.pop("files")
        found = {
            str(place): {_checked_name(name): str(digest) for name, digest in of.items()}
            for place, of in files.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ConfigError(f"{folder} is no backup: it has no {_ABOUT} that can be read") from None
    if version != _VERSION:
        raise ConfigError(f"{folder} is a backup of another version ({version})")
    _check_files(folder, found)
    return Backup(folder, told, found)


def restore(backup: Backup, places: Sequence[Place]) -> None:
    """Bring every place of the backup back, or none; what is there already is never written over.

    Raises `ConfigError` where something is there, or the settings lack a place, and `DiskError`.
    """
    targets = {place.name: place.path for place in places}
    if foreign := sorted(set(backup.files) - set(targets)):
        raise ConfigError(f"these settings have no place for {', '.join(foreign)}")
    taken = [str(targets[x]) for x in backup.files if _is_taken(targets[x])]
    if taken:
        raise ConfigError(f"nothing is written over: {', '.join(taken)} must not be there")
    done: list[Path] = []
    ready = {targets[x]: targets[x].with_name(f".{targets[x].name}.{os.getpid()}.restoring")
             for x in backup.files}  # fmt: skip
    try:
        for name, files in backup.files.items():
            with written(targets[name]):
                _bring(backup.folder / name, ready[targets[name]], files, targets[name].name)
        for target, beside in ready.items():
            with written(target):
                if target.is_dir():
                    target.rmdir()  # an empty one, or it would be taken
                beside.rename(target)
            done.append(target)
            _sync(target.parent)
    except BaseException:
        for path in (*done, *ready.values()):
            _remove(path)
        raise


def _copied(source: Path, target: Path, copy: Copy) -> dict[str, str]:
    """Copy a file or a folder; give the digests of the copies."""
    target.mkdir(parents=True)
    if source.is_file() and not source.is_symlink():
        return {source.name: _copy_file(source, target / source.name, copy)}
    return {
        path.relative_to(source).as_posix(): _copy_file(
            path, target / path.relative_to(source), copy
        )
        for path in sorted(_files_in(source))
    }


def _files_in(folder: Path) -> Iterator[Path]:
    """Give what is ours and whole: no locks, no SQLite logs, nothing that is being written."""
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        if any(part.startswith(".") for part in parts) or path.name.endswith(("-wal", "-shm")):
            continue
        if path.is_symlink():
            raise ConfigError(f"{path} is a link: what it leads to is no part of a backup")
        if path.is_file():
            yield path


def _copy_file(source: Path, target: Path, copy: Copy) -> str:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix == _SQLITE:
        _copy_database(source, target)
        _sync(target)
        return _digest(target)
    copy(source, target)
    _sync(target)
    digest = _digest(target)
    if _digest(source) != digest:
        raise ConfigError(f"{source} changed while it was copied: run the backup again")
    return digest


def _copy_database(source: Path, target: Path) -> None:
    try:
        with (
            closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as database,
            closing(sqlite3.connect(target)) as copy,
        ):
            database.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
            sound = copy.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.Error as error:
        raise DiskError(f"cannot copy {source}: {error}") from None
    if sound != "ok":
        raise ConfigError(f"{source} is damaged: {sound}")


def _bring(source: Path, beside: Path, files: Mapping[str, str], name: str) -> None:
    """Copy a place beside where it belongs; a place of one file of this very name is that file."""
    beside.parent.mkdir(parents=True, exist_ok=True)
    _remove(beside)
    if list(files) == [name]:
        targets = {name: beside}
    else:
        beside.mkdir()
        targets = {one: beside / one for one in files}
    for one, target in targets.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / one, target)
        _sync(target)
        if _digest(target) != files[one]:
            raise ConfigError(f"{source / one} is not what was backed up")
    if beside.is_dir():
        _sync_folders(beside)


def _check_files(folder: Path, files: Mapping[str, Mapping[str, str]]) -> None:
    wanted = {
        f"{place}/{name}": digest for place, of in files.items() for name, digest in of.items()
    }
    there = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if not path.is_dir() and path != folder / _ABOUT
    }
    if odd := sorted(there ^ set(wanted)):
        raise ConfigError(f"{folder} is not as it was written: {', '.join(odd[:5])}")
    for name, digest in wanted.items():
        if (folder / name).is_symlink() or _digest(folder / name) != digest:
            raise ConfigError(f"{folder / name} is not what was backed up")


def _checked_name(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError("a name leads out of its place")
    return name


def _is_taken(target: Path) -> bool:
    # Another database's log beside it would be read as its own.
    if target.with_name(f"{target.name}-wal").exists():
        return True
    return target.exists() and not (target.is_dir() and not any(target.iterdir()))


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


@contextlib.contextmanager
def _removed_on_failure(folder: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        _remove(folder)
        raise


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _sync_folders(folder: Path) -> None:
    for path in (*(x for x in folder.rglob("*") if x.is_dir()), folder):
        _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
