"""One suite for every bundle store: a folder, and fsspec in memory, on disk, and S3 over HTTP."""

from __future__ import annotations

import itertools
from pathlib import Path

import fsspec
import pytest

from schemas.errors import BundleError, GateError
from schemas.files.bundle import bundle_digest, read_bundle
from schemas.files.bundle_store import BundleStore, open_bundle_store
from schemas.settings import StudentSettings
from stream.testing.bundles import write_bundle
from stream.testing.s3_server import BUCKET

NUMBERS = itertools.count()


class Bench:
    """A store's settings, and a way to its files that goes past the store."""

    def __init__(self, root: Path | str, folder: Path) -> None:
        self.settings = StudentSettings(registry=root, cache=folder / "cache", cache_bundles=2)
        self.store: BundleStore = open_bundle_store(self.settings)
        fs, path = fsspec.url_to_fs(str(root), skip_instance_cache=True)
        self._fs, self._root = fs, path

    def write(self, name: str, data: bytes) -> None:
        self._fs.pipe_file(f"{self._root}/{name}", data)

    def remove(self, name: str) -> None:
        self._fs.rm_file(f"{self._root}/{name}")

    def files(self) -> list[str]:
        self._fs.invalidate_cache()
        return sorted(str(path).partition("people/")[2] for path in self._fs.find(self._root))


@pytest.fixture(params=["folder", "memory", "file", "s3"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    roots: dict[str, Path | str] = {
        "folder": tmp_path / "models",
        "memory": f"memory://models-{next(NUMBERS)}",
        "file": f"file://{tmp_path}/models",
        "s3": f"s3://{BUCKET}/models-{next(NUMBERS)}",
    }
    if request.param == "s3":
        request.getfixturevalue("s3_proxy")
    return Bench(roots[request.param], tmp_path)


def bundle(folder: Path, version: str = "v1", **words: str) -> Path:
    write_bundle(
        folder, labels=("PER",), words=words or {"ada": "B-PER"}, task="people", version=version
    )
    return folder


def test_a_bundle_that_was_added_is_fetched_by_location_and_digest(
    bench: Bench, tmp_path: Path
) -> None:
    made = read_bundle(bundle(tmp_path / "made"))
    location = bench.store.add(tmp_path / "made")
    assert location == "people/v1"
    assert read_bundle(bench.store.fetch(location, made.digest)) == made
    assert bench.store.digest(location) == made.digest
    assert bench.store.versions("people") == ["v1"]
    assert bench.store.versions("places") == []
    with pytest.raises(BundleError):
        bench.store.digest("people/v2")
    assert bench.files() == [f"v1/{n}" for n in ("manifest.json", "student.onnx", "tokenizer.json")]


def test_a_bundle_of_another_digest_is_not_the_one_that_was_promoted(
    bench: Bench, tmp_path: Path
) -> None:
    location = bench.store.add(bundle(tmp_path / "made"))
    with pytest.raises(BundleError, match="not the one that was promoted"):
        bench.store.fetch(location, "f" * 64)


def test_a_bundle_that_is_not_there_is_not_fetched(bench: Bench) -> None:
    with pytest.raises(BundleError, match="people/v1"):
        bench.store.fetch("people/v1", "f" * 64)


def test_adding_a_bundle_again_changes_nothing(bench: Bench, tmp_path: Path) -> None:
    location = bench.store.add(bundle(tmp_path / "made"))
    before = bench.files()
    assert bench.store.add(tmp_path / "made") == location
    assert bench.files() == before


def test_a_version_is_never_given_to_another_bundle(bench: Bench, tmp_path: Path) -> None:
    location = bench.store.add(bundle(tmp_path / "one"))
    with pytest.raises(GateError, match="another bundle"):
        bench.store.add(bundle(tmp_path / "two", bo="B-PER"))
    assert bench.store.fetch(location, bundle_digest(tmp_path / "one"))


def test_a_bundle_with_a_wrong_digest_is_not_added(bench: Bench, tmp_path: Path) -> None:
    made = bundle(tmp_path / "made")
    (made / "tokenizer.json").write_text("{}")
    with pytest.raises(BundleError):
        bench.store.add(made)
    assert bench.files() == []


@pytest.mark.parametrize("name", ["student.onnx", "tokenizer.json"])
@pytest.mark.parametrize("damage", ["truncated", "exchanged", "missing"])
def test_a_damaged_file_is_never_loaded(
    bench: Bench, tmp_path: Path, name: str, damage: str
) -> None:
    made = bundle(tmp_path / "made")
    location, data = bench.store.add(made), (made / name).read_bytes()
    if damage == "missing":
        bench.remove(f"{location}/{name}")
    else:
        bench.write(f"{location}/{name}", data[:-1] if damage == "truncated" else data[::-1])
    with pytest.raises(BundleError):
        read_bundle(bench.store.fetch(location, bundle_digest(made)))


def test_an_upload_that_ended_halfway_is_no_bundle_and_is_made_whole(
    bench: Bench, tmp_path: Path
) -> None:
    made = bundle(tmp_path / "made")
    digest = bundle_digest(made)
    location = bench.store.add(made)
    bench.remove(f"{location}/manifest.json")
    with pytest.raises(BundleError):
        bench.store.fetch(location, digest)
    if isinstance(bench.settings.registry, str):  # a folder is renamed whole: it has no halves
        bench.store.add(made)
        assert read_bundle(bench.store.fetch(location, digest)).digest == digest


LOCATIONS = [
    "",
    "people",
    "../people/v1",
    "people/..",
    "/etc/passwd",
    "people/v1/x",
    "people/.adding-x",
    "people//v1",
    "people\\v1",
    "file:///people/v1",
    "people/v\x00",
]


def test_a_location_stays_in_the_store(bench: Bench) -> None:
    for location in LOCATIONS:  # in one test: a session of S3 takes a second to begin
        with pytest.raises(BundleError, match="not a location"):
            bench.store.fetch(location, "f" * 64)


def test_a_digest_leads_nowhere_else(bench: Bench, tmp_path: Path) -> None:
    location = bench.store.add(bundle(tmp_path / "made"))
    with pytest.raises(BundleError):
        bench.store.fetch(location, f"../{'f' * 61}")


def test_the_store_says_where_it_is_and_what_it_has(bench: Bench, tmp_path: Path) -> None:
    assert "0 bundles of people" in bench.store.look("people")
    bench.store.add(bundle(tmp_path / "made"))
    assert "1 bundles of people" in bench.store.look("people")
    assert "models" in bench.store.look("people")
