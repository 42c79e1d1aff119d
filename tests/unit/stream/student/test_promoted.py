from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import BundleError
from schemas.files.bundle import bundle_digest
from schemas.files.bundle_store import FolderBundleStore
from schemas.files.task import LabelSpec, Task
from stream.student.promoted import load_promoted
from stream.testing.bundles import write_bundle
from stream.testing.messages import a_promotion

TASK = Task("test", "en", (LabelSpec("PER"),))


@dataclass
class Swapped:
    """A store whose bundle is replaced after it was looked at."""

    folder: Path

    def add(self, folder: Path) -> str:
        raise NotImplementedError

    def fetch(self, location: str, digest: str) -> Path:
        return self.folder

    def digest(self, location: str) -> str:
        raise NotImplementedError

    def versions(self, task: str) -> list[str]:
        raise NotImplementedError

    def look(self, task: str) -> str:
        raise NotImplementedError


def made(folder: Path) -> Path:
    write_bundle(folder, labels=["PER"], words={"ada": "B-PER"})
    return folder


def test_the_student_of_a_promotion_is_loaded(tmp_path: Path) -> None:
    store = FolderBundleStore(tmp_path / "models")
    digest = bundle_digest(made(tmp_path / "made"))
    store.add(tmp_path / "made")
    assert load_promoted(store, TASK, a_promotion(digest=digest)).digest == digest


def test_a_bundle_other_than_the_promoted_one_is_refused(tmp_path: Path) -> None:
    store = FolderBundleStore(tmp_path / "models")
    store.add(made(tmp_path / "made"))
    with pytest.raises(BundleError, match="not the one that was promoted"):
        load_promoted(store, TASK, a_promotion(digest="f" * 64))


def test_a_bundle_that_is_replaced_while_it_is_read_is_refused(tmp_path: Path) -> None:
    store = Swapped(made(tmp_path / "made"))
    with pytest.raises(BundleError, match="not the one that was promoted"):
        load_promoted(store, TASK, a_promotion(digest="f" * 64))


@pytest.mark.parametrize(
    ("bundle", "said", "why"),
    [
        ({"task": "places"}, {}, "another task"),
        ({"task_digest": "1" * 64}, {}, "another task"),
        ({}, {"task_digest": "1" * 64}, "another task"),
        ({"version": "v2"}, {}, "is v2, and its promotion says v1"),
        ({"task_digest": TASK.digest}, {"task_digest": TASK.digest}, "other labels"),
    ],
)
def test_a_bundle_that_is_not_what_its_promotion_says_is_refused(
    tmp_path: Path, bundle: dict[str, Any], said: dict[str, Any], why: str
) -> None:
    write_bundle(tmp_path / "made", labels=["PERSON"], words={"ada": "B-PERSON"}, **bundle)
    promotion = a_promotion(digest=bundle_digest(tmp_path / "made"), **said)
    with pytest.raises(BundleError, match=why):
        load_promoted(Swapped(tmp_path / "made"), TASK, promotion)
