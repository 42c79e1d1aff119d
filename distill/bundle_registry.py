"""The registry: a folder of immutable bundles, `<root>/<task>/<version>/`.

A bundle appears whole or not at all: it is copied beside its place, read back through
the serving code, and renamed. What is there is never written again, so a worker may read it
at any moment; a promotion names it by location and digest.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from schemas.errors import BundleError, GateError
from schemas.files.manifest import MANIFEST_NAME
from schemas.files.task import NAME_PATTERN
from stream.student.bundle import Bundle, read_bundle


class BundleRegistry:
    """The bundles of every task under one folder, which is made when it is needed."""

    def __init__(self, root: Path) -> None:
        self._root = Path(root)

    def add(self, folder: Path) -> str:
        """Copy the bundle in `folder` to its place; return its location relative to the root.

        Adding the same bundle again changes nothing. Raises `BundleError` when the bundle is
        not sound and `GateError` when its version is taken by another one.
        """
        bundle = read_bundle(folder)
        location = f"{bundle.manifest.task}/{bundle.manifest.version}"
        place = self.path(location)
        if not place.exists():
            self._copy(Path(folder), place, bundle)
        elif read_bundle(place).digest != bundle.digest:
            raise GateError(f"the registry holds another bundle at {place}")
        return location

    def path(self, location: str) -> Path:
        """Find the folder of a location; `BundleError` unless it is `task/version` in the root."""
        parts = location.split("/")
        if len(parts) != 2 or not all(map(NAME_PATTERN.fullmatch, parts)):  # noqa: PLR2004 - task and version
            raise BundleError(f"not a location in the registry: {location!r}")
        place = self._root.joinpath(*parts)
        if not place.resolve().is_relative_to(self._root.resolve()):
            raise BundleError(f"{place} leads out of the registry")
        return place

    def _copy(self, folder: Path, place: Path, bundle: Bundle) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        # The leading dot is outside NAME_PATTERN: no location leads here.
        with tempfile.TemporaryDirectory(prefix=".adding-", dir=place.parent) as beside:
            copy = Path(beside) / place.name
            copy.mkdir()
            for name in (MANIFEST_NAME, *bundle.manifest.files):
                _copy_to_disk(folder / name, copy / name)
            if read_bundle(copy).digest != bundle.digest:
                raise BundleError(f"{folder} changed while it was copied")
            _rename(copy, place, digest=bundle.digest)


def _copy_to_disk(source: Path, target: Path) -> None:
    """Copy, and wait until the bytes are on the disk: a rename must not overtake them."""
    shutil.copyfile(source, target, follow_symlinks=False)
    _sync(target)


def _rename(copy: Path, place: Path, *, digest: str) -> None:
    _sync(copy)
    try:
        copy.rename(place)
    except OSError:
        # Another process was faster; fine if it brought the same bundle.
        if not place.exists() or read_bundle(place).digest != digest:
            raise GateError(f"cannot add a bundle at {place}: it is taken") from None
    _sync(place.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
