from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.errors import BundleError
from schemas.files.bundle import (
    MAX_FILE_BYTES,
    MAX_OTHER_BYTES,
    bundle_digest,
    make_bundle,
    read_bundle,
    read_manifest,
    save_bundle,
)
from schemas.files.manifest import (
    MANIFEST_NAME,
    MODEL_NAME,
    TOKENIZER_NAME,
    manifest_bytes,
    manifest_digest,
)
from stream.testing.bundles import write_bundle


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    write_bundle(folder, labels=["PER"], words={"ada": "B-PER"})
    return folder


def edit_manifest(folder: Path, **changes: object) -> None:
    path = folder / MANIFEST_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def renamed(folder: Path, name: str) -> None:
    """The manifest names the model's file otherwise."""
    files = json.loads((folder / MANIFEST_NAME).read_text())["files"]
    edit_manifest(folder, files=files | {name: files[MODEL_NAME]})


def moved_out(folder: Path) -> Path:
    target = folder.parent / "elsewhere.onnx"
    (folder / MODEL_NAME).rename(target)
    return target


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def replaced_by_pipe(folder: Path) -> None:
    moved_out(folder)
    os.mkfifo(folder / MODEL_NAME)


def replaced_by_folder(folder: Path) -> None:
    moved_out(folder)
    (folder / MODEL_NAME).mkdir()


def manifest_linked(folder: Path) -> None:
    target = folder.parent / "manifest.json"
    (folder / MANIFEST_NAME).rename(target)
    (folder / MANIFEST_NAME).symlink_to(target)


BAD: dict[str, Callable[[Path], object]] = {
    "no manifest": lambda x: (x / MANIFEST_NAME).unlink(),
    "a manifest that is not JSON": lambda x: (x / MANIFEST_NAME).write_bytes(b"\x80\x04."),
    "a manifest behind a link": manifest_linked,
    "no model": lambda x: (x / MODEL_NAME).unlink(),
    "no tokenizer": lambda x: (x / TOKENIZER_NAME).unlink(),
    "a truncated model": lambda x: truncated(x / MODEL_NAME),
    "a truncated tokenizer": lambda x: truncated(x / TOKENIZER_NAME),
    "a swapped tokenizer": lambda x: (x / TOKENIZER_NAME).write_bytes(b"{}"),
    "a file that is not named": lambda x: (x / "extra.bin").write_bytes(b"x"),
    "a folder that is not named": lambda x: (x / "extra").mkdir(),
    "a symbolic link": lambda x: (x / MODEL_NAME).symlink_to(moved_out(x)),
    "a symbolic link within": lambda x: (x / "link").symlink_to(MODEL_NAME),
    "a hard link": lambda x: (x / MODEL_NAME).hardlink_to(moved_out(x)),
    "a pipe": replaced_by_pipe,
    "a folder for a file": replaced_by_folder,
    "a path upwards": lambda x: renamed(x, "../elsewhere.onnx"),
    "an absolute path": lambda x: renamed(x, "/etc/passwd"),
    "a path into a folder": lambda x: renamed(x, "a/b.onnx"),
    "another format": lambda x: edit_manifest(x, format=99),
    "an unknown field": lambda x: edit_manifest(x, surprise=1),
}


def test_a_bundle_is_read_with_the_digest_of_its_manifest(folder: Path) -> None:
    bundle = read_bundle(folder)
    assert bundle.digest == manifest_digest((folder / MANIFEST_NAME).read_bytes())
    assert bundle.model == (folder / MODEL_NAME).read_bytes()
    assert bundle.tokenizer == (folder / TOKENIZER_NAME).read_bytes()


def test_a_bundle_made_in_memory_is_the_one_that_is_read(folder: Path, tmp_path: Path) -> None:
    bundle = read_bundle(folder)
    made = make_bundle(bundle.manifest, model=bundle.model, tokenizer=bundle.tokenizer)
    save_bundle(made, tmp_path / "saved")
    assert made == bundle == read_bundle(tmp_path / "saved")


def test_further_files_are_read_when_the_manifest_names_them(folder: Path) -> None:
    (folder / "notes.txt").write_bytes(b"trained on a Sunday")
    renamed(folder, "notes.txt")
    with pytest.raises(BundleError, match=r"notes\.txt does not match its digest"):
        read_bundle(folder)


@pytest.mark.parametrize(
    ("name", "size"), [(MODEL_NAME, MAX_FILE_BYTES), (TOKENIZER_NAME, MAX_OTHER_BYTES)]
)
def test_a_file_that_is_too_large_is_not_read(folder: Path, name: str, size: int) -> None:
    os.truncate(folder / name, size)  # a hole: it takes no room
    with pytest.raises(BundleError, match=f"{name} is larger than {size - 1} bytes"):
        read_bundle(folder)


@pytest.mark.parametrize("what", BAD)
def test_a_bad_bundle_is_refused_and_its_folder_named(folder: Path, what: str) -> None:
    BAD[what](folder)
    with pytest.raises(BundleError, match=str(folder)):
        read_bundle(folder)


class Opened:
    """Remembers what is opened while it is entered; an audit hook cannot be taken away again."""

    def __init__(self) -> None:
        self.files: list[tuple[str, int]] = []
        self._watching = False
        sys.addaudithook(self._hook)

    def __enter__(self) -> list[tuple[str, int]]:
        self._watching, self.files = True, []
        return self.files

    def __exit__(self, *_: object) -> None:
        self._watching = False

    def _hook(self, event: str, told: tuple[object, ...]) -> None:
        # A number is a file that is open already.
        if self._watching and event == "open" and not isinstance(told[0], int):
            path, _, flags = told
            self.files.append((str(path), int(str(flags))))


@pytest.fixture(scope="module")
def watched() -> Opened:
    return Opened()


@pytest.mark.parametrize("what", BAD)
def test_of_a_bad_bundle_nothing_is_opened_outside_of_its_folder(
    folder: Path, what: str, watched: Opened
) -> None:
    BAD[what](folder)
    with watched as opened, contextlib.suppress(BundleError):
        read_bundle(folder)
    assert opened[0][0] == str(folder)
    # Names within the folder, which is open by then, and no link is followed.
    assert all(Path(name).name == name and flags & os.O_NOFOLLOW for name, flags in opened[1:])


def test_the_digest_alone_is_that_of_the_manifest(folder: Path) -> None:
    (folder / MODEL_NAME).unlink()
    assert bundle_digest(folder) == manifest_digest((folder / MANIFEST_NAME).read_bytes())


def test_the_manifest_alone_is_read_if_it_has_the_digest(folder: Path) -> None:
    (folder / MODEL_NAME).unlink()
    found = read_manifest(folder, bundle_digest(folder))
    assert manifest_bytes(found) == (folder / MANIFEST_NAME).read_bytes()
    with pytest.raises(BundleError, match="does not have the digest"):
        read_manifest(folder, "0" * 64)


def test_the_digest_of_a_manifest_behind_a_link_is_not_read(folder: Path) -> None:
    manifest_linked(folder)
    with pytest.raises(BundleError, match=str(folder)):
        bundle_digest(folder)


@pytest.mark.parametrize("name", ["absent", "bundle/manifest.json"])
def test_what_is_no_folder_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(BundleError, match="cannot open"):
        read_bundle(folder.parent / name)


def test_a_file_replaced_after_reading_changes_nothing(folder: Path) -> None:
    bundle = read_bundle(folder)
    before = bytes(bundle.model)
    (folder / MODEL_NAME).write_bytes(b"something else")
    assert bundle.model == before


def test_a_bundles_repr_is_short(folder: Path) -> None:
    bundle = dataclasses.replace(read_bundle(folder), model=b"secret weights")
    assert "secret" not in repr(bundle)
