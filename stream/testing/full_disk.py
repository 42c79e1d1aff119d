"""A disk that is full, for tests: files of this process grow no further."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def full_disk(*, most_bytes: int = 0) -> Iterator[None]:
    """Have every write fail that would make a file larger than `most_bytes`.

    The system's own limit does it (`RLIMIT_FSIZE`), so SQLite and Arrow meet it as Python does; it
    says `EFBIG` where a full disk says `ENOSPC`. Of the whole process: print nothing meanwhile.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
