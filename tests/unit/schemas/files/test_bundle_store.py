"""The folder, beside what tests/contract asks of every store."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import BundleError, DiskError
from schemas.files.bundle import bundle_digest
from schemas.files.bundle_store import BundleStore, FolderBundleStore, open_bundle_store
from schemas.settings import StudentSettings
from stream.testing.bundles import write_bundle
from stream.testing.full_disk import full_disk


def bundle(folder: Path, version: str = "v1", **words: str) -> Path:
    write_bundle(
        folder, labels=("PER",), words=words or {"ada": "B-PER"}, task="people", version=version
    )
    return folder


@pytest.fixture
def store(tmp_path: Path) -> BundleStore:
    return FolderBundleStore(tmp_path / "models")


def test_the_store_of_the_settings_is_a_folder(tmp_path: Path) -> None:
    open_bundle_store(StudentSettings(registry=tmp_path / "models")).add(bundle(tmp_path / "made"))
    assert (tmp_path / "models" / "people" / "v1" / "manifest.json").exists()


def test_a_bundle_that_is_not_there_is_not_fetched(store: BundleStore) -> None:
    with pytest.raises(BundleError, match="cannot open the bundle"):
        store.fetch("people/v1", "f" * 64)


def test_adding_a_bundle_again_changes_nothing(store: BundleStore, tmp_path: Path) -> None:
    location = store.add(bundle(tmp_path / "made"))
    place = store.fetch(location, bundle_digest(tmp_path / "made"))
    before = {p: p.stat().st_mtime_ns for p in place.iterdir()}
    assert store.add(tmp_path / "made") == location
    assert {p: p.stat().st_mtime_ns for p in place.iterdir()} == before


def test_a_bundle_with_a_wrong_digest_is_not_added(store: BundleStore, tmp_path: Path) -> None:
    made = bundle(tmp_path / "made")
    (made / "tokenizer.json").write_text("{}")
    with pytest.raises(BundleError):
        store.add(made)
    assert not (tmp_path / "models").exists()


def test_nothing_but_whole_bundles_is_ever_seen(store: BundleStore, tmp_path: Path) -> None:
    store.add(bundle(tmp_path / "one"))
    store.add(bundle(tmp_path / "two", version="v2"))
    assert sorted(p.name for p in (tmp_path / "models" / "people").iterdir()) == ["v1", "v2"]


@pytest.mark.parametrize("most_bytes", [0, 100, 600])
def test_on_a_full_disk_there_is_no_bundle_and_the_next_try_is_whole(
    store: BundleStore, tmp_path: Path, most_bytes: int
) -> None:
    made = bundle(tmp_path / "made")
    assert max(file.stat().st_size for file in made.iterdir()) > most_bytes
    with (
        pytest.raises(DiskError, match=r"cannot write .*people/v1: File too large"),
        full_disk(most_bytes=most_bytes),
    ):
        store.add(made)
    assert [*(tmp_path / "models" / "people").iterdir()] == []
    assert store.fetch(store.add(made), bundle_digest(made)).is_dir()


def test_a_store_that_is_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("")
    with pytest.raises(DiskError, match="cannot write"):
        FolderBundleStore(tmp_path / "models").add(bundle(tmp_path / "made"))


def test_a_link_that_leads_out_of_the_store_is_refused(store: BundleStore, tmp_path: Path) -> None:
    made = bundle(tmp_path / "elsewhere" / "v1")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "people").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match="out of the bundle store"):
        store.fetch("people/v1", bundle_digest(made))
