"""Where promoted bundles are kept: a port, and the folder that it is unless a URL names it.

A store is immutable: a location names one bundle for ever, and a promotion names it by location
and digest. Callers know locations alone, never paths of the store.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Protocol

from schemas.errors import BundleError, GateError
from schemas.files.bundle import Bundle, bundle_digest, read_bundle
from schemas.files.bundle_location import check_location
from schemas.files.manifest import MANIFEST_NAME
from schemas.files.whole_files import written


class StoreSettings(Protocol):
    """What a store is opened with: the section `student` of the settings."""

    @property
    def registry(self) -> Path | str: ...  # noqa: D102 - as in the settings
    @property
    def registry_timeout_s(self) -> float: ...  # noqa: D102 - as above
    @property
    def cache(self) -> Path: ...  # noqa: D102 - as above
    @property
    def cache_bundles(self) -> int: ...  # noqa: D102 - as above


class BundleStore(Protocol):
    """Keeps the bundles of every task."""

    def add(self, folder: Path) -> str:
        """Keep the bundle in `folder`; return its location, `<task>/<version>`.

        It appears whole or not at all, and adding the same bundle again changes nothing. Raises
        `BundleError` when a file is not what the manifest says, `GateError` when the version is
        taken by another bundle, and `DiskError` when the folder takes no more.
        """
        ...

    def fetch(self, location: str, digest: str) -> Path:
        """Give a folder of this machine whose manifest has exactly this digest.

        Raises `BundleError` when there is none, `StoreUnavailableError` when a remote store does
        not answer and `StoreDeniedError` when it refuses us. Loading the bundle holds the other
        files against the manifest, whatever was read here.
        """
        ...

    def digest(self, location: str) -> str:
        """Read the digest of the bundle that lies there; raises as `fetch`."""
        ...

    def look(self, task: str) -> str:
        """Say where the store is and what it has of a task; raises as `fetch`."""
        ...

    def versions(self, task: str) -> list[str]:
        """Name the versions of a task's bundles, sorted: they begin with their time; as `fetch`."""
        ...


def open_bundle_store(settings: StoreSettings) -> BundleStore:
    """Open the store that `student.registry` names; `ConfigError` when its driver is missing."""
    root = settings.registry
    if isinstance(root, Path):
        return FolderBundleStore(root)
    # Here, so that whoever keeps bundles in a folder loads no driver.
    from schemas.files.bundle_cache import BundleCache  # noqa: PLC0415
    from schemas.files.remote_bundle_store import RemoteBundleStore  # noqa: PLC0415
    from schemas.files.remote_folder import RemoteFolder  # noqa: PLC0415

    timeout_s = settings.registry_timeout_s
    cache = BundleCache(settings.cache, keep=settings.cache_bundles, wait_s=timeout_s)
    return RemoteBundleStore(RemoteFolder(root, timeout_s=timeout_s), cache)


class FolderBundleStore:
    """A folder, `<root>/<task>/<version>/`, made when it is needed.

    A bundle is copied beside its place, read back, and renamed; what is there is never written
    again, so a worker may read it at any moment.
    """

    def __init__(self, root: Path) -> None:
        self._root = Path(root)

    def add(self, folder: Path) -> str:
        """See `BundleStore`."""
        bundle = read_bundle(folder)
        location = f"{bundle.manifest.task}/{bundle.manifest.version}"
        place = self._place(location)
        if not place.exists():
            self._copy(Path(folder), place, bundle)
        elif read_bundle(place).digest != bundle.digest:
            raise GateError(f"the bundle store holds another bundle at {place}")
        return location

    def fetch(self, location: str, digest: str) -> Path:
        """See `BundleStore`."""
        place = self._place(location)
        if (found := bundle_digest(place)) != digest:
            raise BundleError(
                f"the bundle {location} is not the one that was promoted: "
                f"its digest is {found}, the promotion says {digest}"
            )
        return place

    def digest(self, location: str) -> str:
        """See `BundleStore`."""
        return bundle_digest(self._place(location))

    def look(self, task: str) -> str:
        """See `BundleStore`."""
        return f"{self._root}: a folder, {len(self.versions(task))} bundles of {task}"

    def versions(self, task: str) -> list[str]:
        """See `BundleStore`."""
        try:
            names = [path.name for path in (self._root / task).glob("*")]
        except OSError as error:
            raise BundleError(f"cannot read {self._root}: {error.strerror}") from None
        return sorted(name for name in names if not name.startswith("."))

    def _place(self, location: str) -> Path:
        """Find the folder of a location; `BundleError` unless it is in the root."""
        place = self._root.joinpath(*check_location(location))
        if not place.resolve().is_relative_to(self._root.resolve()):
            raise BundleError(f"{place} leads out of the bundle store")
        return place

    def _copy(self, folder: Path, place: Path, bundle: Bundle) -> None:
        with written(place), self._beside(place) as beside:
            copy = Path(beside) / place.name
            copy.mkdir()
            for name in (MANIFEST_NAME, *bundle.manifest.files):
                _copy_to_disk(folder / name, copy / name)
            if read_bundle(copy).digest != bundle.digest:
                raise BundleError(f"{folder} changed while it was copied")
            _rename(copy, place, digest=bundle.digest)

    @staticmethod
    def _beside(place: Path) -> tempfile.TemporaryDirectory[str]:
        place.parent.mkdir(parents=True, exist_ok=True)
        # The leading dot is outside NAME_PATTERN: no location leads here.
        return tempfile.TemporaryDirectory(prefix=".adding-", dir=place.parent)


def _copy_to_disk(source: Path, target: Path) -> None:
    """Copy, and wait until the bytes are on the disk: a rename must not overtake them."""
    shutil.copyfile(source, target, follow_symlinks=False)
    _sync(target)


def _rename(copy: Path, place: Path, *, digest: str) -> None:
    _sync(copy)
    try:
        copy.rename(place)
    except OSError:
        if not place.exists():
            raise
        # Another process was faster; fine if it brought the same bundle.
        if read_bundle(place).digest != digest:
            raise GateError(f"cannot add a bundle at {place}: it is taken") from None
    _sync(place.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
