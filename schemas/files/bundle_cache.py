"""Bundles that were downloaded: whole, each under its digest, the last used ones.

::

    <folder>/
        <digest>/      a bundle, renamed into its place when every digest matched
        .fetching-*    a download under way
        .lock          held by the one process that downloads or removes
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import BundleError, StoreUnavailableError
from schemas.files.bundle import read_bundle

_DIGEST = re.compile(r"[0-9a-f]{64}")
_FETCHING = ".fetching-"
_POLL_S = 0.05


class BundleCache:
    """A folder for the processes of one machine; `keep` bundles stay, those that were used last.

    Readers need no lock: what lies under a digest is never written again. One that is removed
    while it is read fails to load, and is downloaded anew with the next try.
    """

    def __init__(self, folder: Path, *, keep: int, wait_s: float) -> None:
        self.folder = Path(folder)
        self._keep = keep
        self._wait_s = wait_s

    def find(self, digest: str) -> Path | None:
        """Give the bundle of this digest, every file of it checked; None when it is not here.

        Raises `BundleError` for what is no digest: it names a folder.
        """
        place = self._place(digest)
        try:
            if read_bundle(place).digest != digest:
                return None
            _use(place)
        except (BundleError, OSError):
            return None
        return place

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only process that downloads; what another one left half done is removed.

        Raises `StoreUnavailableError` when another one takes too long, or the folder cannot be
        written. The system lets go of the lock when a process ends, however it ends.
        """
        with self._written():
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._wait_for(lock)
            for left in self.folder.glob(f"{_FETCHING}*"):
                shutil.rmtree(left, ignore_errors=True)
            yield
        finally:
            os.close(lock)

    @contextmanager
    def fresh(self, digest: str) -> Iterator[Path]:
        """Give an empty folder to fill; without an error it becomes the bundle of this digest."""
        place = self._place(digest)
        with self._written():
            with tempfile.TemporaryDirectory(prefix=_FETCHING, dir=self.folder) as beside:
                filling = Path(beside) / digest
                filling.mkdir()
                yield filling
                shutil.rmtree(place, ignore_errors=True)  # one that does not match any more
                filling.rename(place)
                _use(place)
            self._remove_old(place)

    def count(self) -> int:
        """Say how many bundles lie here."""
        return len(self._bundles())

    def _bundles(self) -> list[Path]:
        return [path for path in self.folder.glob("*") if _DIGEST.fullmatch(path.name)]

    def _place(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise BundleError(f"not the digest of a bundle: {digest!r}")
        return self.folder / digest

    def _remove_old(self, newest: Path) -> None:
        others = sorted(set(self._bundles()) - {newest}, key=_last_used, reverse=True)
        for old in others[self._keep - 1 :]:
            shutil.rmtree(old, ignore_errors=True)

    def _wait_for(self, lock: int) -> None:
        ends = time.monotonic() + self._wait_s
        while True:
            try:
                return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > ends:
                    raise StoreUnavailableError(
                        f"another process has been downloading into {self.folder} for more than "
                        f"{self._wait_s:g} s"
                    ) from None
            time.sleep(_POLL_S)

    @contextmanager
    def _written(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreUnavailableError(
                f"cannot write the cache of bundles {self.folder}: {error.strerror or error}"
            ) from None


def _use(place: Path) -> None:
    """Note the use, by one clock: the kernel's own marks are some milliseconds apart."""
    now_ns = time.time_ns()
    os.utime(place, ns=(now_ns, now_ns))


def _last_used(place: Path) -> int:
    try:
        return place.stat().st_mtime_ns
    except OSError:
        return 0
