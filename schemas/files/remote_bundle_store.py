"""The bundle store behind a URL: an object store, a share, whatever fsspec has a driver for.

It is laid out as the folder is, `<root>/<task>/<version>/`. No object store renames, so what makes
a bundle whole is its manifest: written last, read first.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import BundleError, GateError, StoreUnavailableError
from schemas.files.bundle import MAX_FILE_BYTES, read_bundle
from schemas.files.bundle_cache import BundleCache
from schemas.files.bundle_location import check_location
from schemas.files.manifest import (
    MANIFEST_NAME,
    MAX_MANIFEST_BYTES,
    Manifest,
    manifest_digest,
    parse_manifest,
)
from schemas.files.remote_folder import RemoteFolder

_HOLD_OFF_S = 2.0
"""A store that was away is not asked again before: a start goes through a whole history, and
every student that is not in the cache would cost the store's whole patience."""


class RemoteBundleStore:
    """See `BundleStore`; raises `StoreUnavailableError` and `StoreDeniedError` too."""

    def __init__(
        self,
        remote: RemoteFolder,
        cache: BundleCache,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._remote = remote
        self._cache = cache
        self._clock = clock
        self._away: tuple[float, StoreUnavailableError] | None = None

    def add(self, folder: Path) -> str:
        """See `BundleStore`. What a broken upload leaves has no manifest, so it is no bundle."""
        bundle = read_bundle(folder)
        location = f"{bundle.manifest.task}/{bundle.manifest.version}"
        there = self._digest(location)
        if there is None:
            self._upload(folder, location, bundle.manifest, bundle.digest)
        elif there != bundle.digest:
            raise self._taken(location)
        return location

    def fetch(self, location: str, digest: str) -> Path:
        """See `BundleStore`: from the cache, or downloaded into it, every digest checked."""
        check_location(location)
        return self._cache.find(digest) or self._downloaded(location, digest)

    def digest(self, location: str) -> str:
        """See `BundleStore`."""
        check_location(location)
        found = self._digest(location)
        if found is None:
            raise BundleError(f"{self._named(location)} has no {MANIFEST_NAME}: it is not there")
        return found

    def look(self, task: str) -> str:
        """See `BundleStore`."""
        n_bundles = len(self.versions(task))
        return (
            f"{self._remote.shown}: {n_bundles} bundles of {task}, "
            f"{self._cache.count()} in the cache {self._cache.folder}"
        )

    def versions(self, task: str) -> list[str]:
        """See `BundleStore`; one whose upload did not end is named too."""
        return self._remote.names(task)

    def _downloaded(self, location: str, digest: str) -> Path:
        with self._patient(), self._cache.alone():
            if found := self._cache.find(digest):  # another process was faster
                return found
            with self._cache.fresh(digest) as place:
                self._download(location, digest, place)
        found = self._cache.find(digest)
        if found is None:
            raise BundleError(f"{self._named(location)} is not whole in the cache")
        return found

    def _download(self, location: str, digest: str, place: Path) -> None:
        manifest_json = self._manifest_json(location)
        if manifest_json is None:
            raise BundleError(
                f"{self._named(location)} has no {MANIFEST_NAME}: it is not there, or its upload "
                "did not end"
            )
        if (found := manifest_digest(manifest_json)) != digest:
            raise BundleError(
                f"the bundle {self._named(location)} is not the one that was promoted: "
                f"its digest is {found}, the promotion says {digest}"
            )
        left = MAX_FILE_BYTES
        for name, file_digest in parse_manifest(manifest_json).files.items():
            left -= self._download_file(f"{location}/{name}", place / name, file_digest, left)
        (place / MANIFEST_NAME).write_bytes(manifest_json)

    def _download_file(self, name: str, target: Path, digest: str, max_bytes: int) -> int:
        """Download one file, checked as it comes; return its bytes."""
        found = hashlib.sha256()
        try:
            with target.open("xb") as file:
                for piece in self._remote.chunks(name, max_bytes=max_bytes):
                    found.update(piece)
                    file.write(piece)
                size = file.tell()
        except FileNotFoundError:
            raise BundleError(f"{self._named(name)} is missing") from None
        if found.hexdigest() != digest:
            raise BundleError(f"{self._named(name)} does not match its digest in the manifest")
        return size

    def _upload(self, folder: Path, location: str, manifest: Manifest, digest: str) -> None:
        for name, file_digest in manifest.files.items():
            data = (folder / name).read_bytes()
            if hashlib.sha256(data).hexdigest() != file_digest:
                raise BundleError(f"{folder} changed while it was copied")
            self._remote.write(f"{location}/{name}", data)
        manifest_json = (folder / MANIFEST_NAME).read_bytes()
        if manifest_digest(manifest_json) != digest:
            raise BundleError(f"{folder} changed while it was copied")
        self._upload_manifest(location, manifest_json, digest)

    def _upload_manifest(self, location: str, manifest_json: bytes, digest: str) -> None:
        try:
            self._remote.write(f"{location}/{MANIFEST_NAME}", manifest_json, fresh=True)
        except FileExistsError:  # another process was faster; fine if it brought the same bundle
            if self._digest(location) != digest:
                raise self._taken(location) from None

    def _digest(self, location: str) -> str | None:
        manifest_json = self._manifest_json(location)
        return None if manifest_json is None else manifest_digest(manifest_json)

    def _manifest_json(self, location: str) -> bytes | None:
        try:
            return self._remote.read(f"{location}/{MANIFEST_NAME}", max_bytes=MAX_MANIFEST_BYTES)
        except FileNotFoundError:
            return None

    @contextmanager
    def _patient(self) -> Iterator[None]:
        """Remember that the store is away, and for how long not to ask."""
        if self._away and self._clock() < self._away[0]:
            raise StoreUnavailableError(str(self._away[1]))
        try:
            yield
        except StoreUnavailableError as error:
            self._away = (self._clock() + _HOLD_OFF_S, error)
            raise
        self._away = None

    def _taken(self, location: str) -> GateError:
        return GateError(f"the bundle store holds another bundle at {self._named(location)}")

    def _named(self, name: str) -> str:
        return f"{self._remote.shown.rstrip('/')}/{name}"
