from __future__ import annotations

from pathlib import Path

import pytest

from distill.bundle_registry import BundleRegistry
from schemas.errors import BundleError, GateError
from stream.student import Student
from stream.testing.bundles import write_bundle


def bundle(folder: Path, version: str = "v1", **words: str) -> Path:
    write_bundle(
        folder, labels=("PER",), words=words or {"ada": "B-PER"}, task="people", version=version
    )
    return folder


def test_a_bundle_is_added_under_its_task_and_version(tmp_path: Path) -> None:
    registry = BundleRegistry(tmp_path / "models")
    location = registry.add(bundle(tmp_path / "made"))
    assert location == "people/v1"
    student = Student.load(registry.path(location))
    assert student.digest == Student.load(tmp_path / "made").digest


def test_adding_a_bundle_again_changes_nothing(tmp_path: Path) -> None:
    registry = BundleRegistry(tmp_path / "models")
    location = registry.add(bundle(tmp_path / "made"))
    before = {p: p.stat().st_mtime_ns for p in registry.path(location).iterdir()}
    assert registry.add(tmp_path / "made") == location
    assert {p: p.stat().st_mtime_ns for p in registry.path(location).iterdir()} == before


def test_a_version_is_never_given_to_another_bundle(tmp_path: Path) -> None:
    registry = BundleRegistry(tmp_path / "models")
    location = registry.add(bundle(tmp_path / "one"))
    with pytest.raises(GateError, match="another bundle"):
        registry.add(bundle(tmp_path / "two", bo="B-PER"))
    assert registry.add(tmp_path / "one") == location


def test_a_bundle_with_a_wrong_digest_is_not_added(tmp_path: Path) -> None:
    made = bundle(tmp_path / "made")
    (made / "tokenizer.json").write_text("{}")
    registry = BundleRegistry(tmp_path / "models")
    with pytest.raises(BundleError):
        registry.add(made)
    assert not (tmp_path / "models").exists()


def test_nothing_but_whole_bundles_is_ever_seen(tmp_path: Path) -> None:
    registry = BundleRegistry(tmp_path / "models")
    registry.add(bundle(tmp_path / "one"))
    registry.add(bundle(tmp_path / "two", version="v2"))
    assert sorted(p.name for p in (tmp_path / "models" / "people").iterdir()) == ["v1", "v2"]


@pytest.mark.parametrize(
    "location",
    [
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
    ],
)
def test_a_location_stays_in_the_registry(tmp_path: Path, location: str) -> None:
    with pytest.raises(BundleError, match="not a location"):
        BundleRegistry(tmp_path).path(location)


def test_a_link_that_leads_out_of_the_registry_is_refused(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "elsewhere" / "v1").mkdir(parents=True)
    (tmp_path / "models" / "people").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match="out of the registry"):
        BundleRegistry(tmp_path / "models").path("people/v1")
