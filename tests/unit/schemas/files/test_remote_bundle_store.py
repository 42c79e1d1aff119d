"""What a hostile store may try, and one that breaks at a certain point.

The rest is in tests/contract and tests/integration.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest

from schemas.errors import BundleError, GateError, StoreUnavailableError
from schemas.files.bundle import bundle_digest
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


@pytest.mark.parametrize("n_written", [0, 1, 2])
def test_an_upload_that_breaks_anywhere_is_no_bundle_and_the_next_one_is(
    tmp_path: Path, n_written: int
) -> None:
    made = tmp_path / "made"
    write_bundle(made, labels=["PER"], words={"ada": "B-PER"}, task="people")
    remote = Breaking(f"memory://breaking-{next(NUMBERS)}", writes=n_written)
    store = RemoteBundleStore(remote, BundleCache(tmp_path / "cache", keep=2, wait_s=5))
    with pytest.raises(StoreUnavailableError):
        store.add(made)
    with pytest.raises(BundleError, match="its upload did not end"):
        store.fetch("people/v1", bundle_digest(made))
    remote.writes = 3
    assert store.fetch(store.add(made), bundle_digest(made)).exists()


def test_a_file_that_was_exchanged_is_told_and_leaves_nothing_in_the_cache(tmp_path: Path) -> None:
    url, digest = stored(tmp_path, lambda _: None)
    fsspec.filesystem("memory").pipe_file(f"{url}/people/v1/tokenizer.json", b"{}")
    with pytest.raises(BundleError, match=r"v1/tokenizer\.json does not match its digest"):
        opened(url, tmp_path).fetch("people/v1", digest)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_a_version_that_another_one_takes_meanwhile_is_not_ours(tmp_path: Path) -> None:
    """The manifest is not there when it is looked for, and is when it is to be written."""
    url = f"memory://race-{next(NUMBERS)}"
    cache = BundleCache(tmp_path / "cache", keep=2, wait_s=5)
    for word in ("ada", "bo"):
        write_bundle(tmp_path / word, labels=["PER"], words={word: "B-PER"}, task="people")
    RemoteBundleStore(RemoteFolder(url, timeout_s=10), cache).add(tmp_path / "ada")
    with pytest.raises(GateError, match="another bundle"):
        RemoteBundleStore(Late(url, timeout_s=10), cache).add(tmp_path / "bo")
    assert RemoteBundleStore(Late(url, timeout_s=10), cache).add(tmp_path / "ada") == "people/v1"


class Late(RemoteFolder):
    """Does not see at first what is there."""

    seen = False

    def read(self, name: str, *, max_bytes: int) -> bytes:
        if not self.seen:
            self.seen = True
            raise FileNotFoundError(name)
        return super().read(name, max_bytes=max_bytes)


def test_a_store_that_was_away_is_left_alone_for_a_while_and_then_asked_again(
    tmp_path: Path,
) -> None:
    url, digest = stored(tmp_path, lambda _: None)
    remote, now = Breaking(url, away=True), [0.0]
    cache = BundleCache(tmp_path / "cache", keep=2, wait_s=5)
    store = RemoteBundleStore(remote, cache, clock=lambda: now[0])
    for _ in range(3):
        with pytest.raises(StoreUnavailableError, match="away"):
            store.fetch("people/v1", digest)
    assert remote.n_reads == 1
    now[0], remote.away = 60.0, False
    assert store.fetch("people/v1", digest).exists()


class Breaking(RemoteFolder):
    """A folder that takes so many writes, and is away from the first question or not at all."""

    def __init__(self, url: str, *, writes: int = 0, away: bool = False) -> None:
        super().__init__(url, timeout_s=10)
        self.writes, self.away, self.n_reads = writes, away, 0

    def read(self, name: str, *, max_bytes: int) -> bytes:
        self.n_reads += 1
        if self.away:
            raise StoreUnavailableError("the store is away")
        return super().read(name, max_bytes=max_bytes)

    def write(self, name: str, data: bytes, *, fresh: bool = False) -> None:
        self.writes -= 1
        if self.writes < 0:
            raise StoreUnavailableError("the store is away")
        super().write(name, data, fresh=fresh)


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
