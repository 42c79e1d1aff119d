"""Files that are there whole or not at all, whatever the disk does meanwhile."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from schemas.errors import DiskError


@contextlib.contextmanager
def written(place: Path) -> Iterator[None]:
    """Say in one line, with the place, why the disk does not take what is written; `DiskError`."""
    try:
        yield
    except OSError as error:
        raise DiskError(
            f"cannot write {place}: {error.strerror or error}; nothing of it was left there"
        ) from None


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Give a file to write, which takes its name once every byte is on the disk; makes folders.

    When that fails, a `DiskError` says so, what was there before is there still, and nothing lies
    beside it.
    """
    # By process, since two may write the same file; what a killed one left is written over.
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    with written(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with beside.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise


def write_whole(path: Path, text: str) -> None:
    """Write a text; raises as `whole_file`."""
    with whole_file(path) as file:
        file.write(text.encode())
