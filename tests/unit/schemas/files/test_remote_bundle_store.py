"""What a hostile store may try; the rest is in tests/contract and tests/integration."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest

from schemas.errors import BundleError
from schemas.files.bundle_cache import BundleCache
from schemas.files.manifest import manifest_digest
from schemas.files.remote_bundle_store import RemoteBundleStore
from schemas.files.remote_folder import RemoteFolder
from stream.testing.bundles import write_bundle

NUMBERS = itertools.count()


@pytest.mark.parametrize(
    "name", ["../evil", "/tmp/evil", "a/../../evil", "..", "evil\\..", "manifest.json", ".lock"]
)
def test_a_manifest_leads_no_file_out_of_the_cache(tmp_path: Path, name: str) -> None:
    def hostile(manifest: dict[str, Any]) -> None:
        manifest["files"][name] = "0" * 64

    url, digest = stored(tmp_path, hostile)
    fsspec.filesystem("memory").pipe_file(f"{url}/people/evil", b"evil")
    with pytest.raises(BundleError, match=r"not all plain names|name the manifest"):
        opened(url, tmp_path).fetch("people/v1", digest)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_a_manifest_without_end_is_not_read(tmp_path: Path) -> None:
    url, digest = stored(tmp_path, lambda _: None)
    fsspec.filesystem("memory").pipe_file(f"{url}/people/v1/manifest.json", bytes(5 * 1024**2))
    with pytest.raises(BundleError, match="larger than"):
        opened(url, tmp_path).fetch("people/v1", digest)


def stored(folder: Path, change: Callable[[dict[str, Any]], None]) -> tuple[str, str]:
    """A bundle whose manifest was changed, in a store of its own, and its digest."""
    url = f"memory://hostile-{next(NUMBERS)}"
    write_bundle(folder / "made", labels=["PER"], words={"ada": "B-PER"})
    manifest = json.loads((folder / "made" / "manifest.json").read_text())
    change(manifest)
    data = json.dumps(manifest).encode()
    (folder / "made" / "manifest.json").write_bytes(data)
    for path in (folder / "made").iterdir():
        fsspec.filesystem("memory").pipe_file(f"{url}/people/v1/{path.name}", path.read_bytes())
    return url, manifest_digest(data)


def opened(url: str, folder: Path) -> RemoteBundleStore:
    cache = BundleCache(folder / "cache", keep=2, wait_s=5)
    return RemoteBundleStore(RemoteFolder(url, timeout_s=10), cache)
