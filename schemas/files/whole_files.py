"""Files that are there whole or not at all, whatever the disk does meanwhile."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Container, Iterator
from pathlib import Path
from typing import IO

from schemas.errors import DiskError

_NO_PLACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})


@contextlib.contextmanager
def written(place: Path, *, only: Container[int | None] | None = None) -> Iterator[None]:
    """Say in one line, with the place, why the disk does not take what is written; `DiskError`.

    With `only`, errors of these numbers alone: whoever writes may meet others that are not the
    disk's.
    """
    try:
        yield
    except OSError as error:
        if only is not None and error.errno not in only:
            raise
        raise DiskError(
            f"cannot write {place}: {error.strerror or error}; nothing of it was left there"
        ) from None


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Give a file to write, which takes its name once every byte is on the disk; makes folders.

    When that fails, a `DiskError` says so, what was there before is there still, and nothing lies
    beside it. A link stays a link, and the file as private as it was.
    """
    path = path.resolve()
    # By process, since two may write the same file; what a killed one left is written over.
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    with written(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = beside.open("wb")
    try:
        with written(path, only=_NO_PLACE), file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        with written(path):
            if path.exists():
                beside.chmod(stat.S_IMODE(path.stat().st_mode))
            beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_whole(path: Path, text: str) -> None:
    """Write a text; raises as `whole_file`."""
    with whole_file(path) as file:
        file.write(text.encode())
