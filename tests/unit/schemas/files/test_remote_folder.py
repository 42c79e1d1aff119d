from __future__ import annotations

import itertools
import threading
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from schemas.errors import BundleError, ConfigError, StoreDeniedError, StoreUnavailableError
from schemas.files.remote_folder import CHUNK_BYTES, RemoteFolder

NUMBERS = itertools.count()


class Odd(MemoryFileSystem):  # type: ignore[misc] # fsspec ships no types
    """A file system whose answers are not what was asked for."""

    protocol = "odd"
    hang = threading.Event()

    def cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **_: Any
    ) -> bytes:
        if "slow" in path:
            self.hang.wait(60)
        if "denied" in path:
            raise PermissionError("no")
        if "forbidden" in path:
            error = ValueError("no")
            error.status = 403  # type: ignore[attr-defined] # as HTTP clients have it
            raise error
        return b"x" * (1000 if "long" in path else 1)

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        return {"size": None if "sizeless" in path else 3, "type": "file"}


fsspec.register_implementation("odd", Odd, clobber=True)


@pytest.fixture
def folder() -> RemoteFolder:
    return RemoteFolder(f"memory://remote-{next(NUMBERS)}", timeout_s=10)


def test_what_is_written_is_read_in_pieces_and_listed(folder: RemoteFolder) -> None:
    data = bytes(CHUNK_BYTES) + b"end"
    folder.write("a/b/one", data)
    folder.write("a/two", b"")
    assert [len(piece) for piece in folder.chunks("a/b/one", max_bytes=len(data))] == [
        CHUNK_BYTES,
        3,
    ]
    assert folder.read("a/two", max_bytes=0) == b""
    assert folder.names("a") == ["b", "two"]
    assert folder.names("nowhere") == []


def test_a_file_that_is_too_large_is_not_read(folder: RemoteFolder) -> None:
    folder.write("one", b"four")
    with pytest.raises(BundleError, match="larger than 3 bytes"):
        folder.read("one", max_bytes=3)


def test_what_is_not_there_and_what_must_be_new_are_told(folder: RemoteFolder) -> None:
    with pytest.raises(FileNotFoundError):
        folder.read("one", max_bytes=9)
    folder.write("one", b"1", fresh=True)
    with pytest.raises(FileExistsError):
        folder.write("one", b"2", fresh=True)
    assert folder.read("one", max_bytes=9) == b"1"


@pytest.mark.parametrize("name", ["long", "short", "sizeless"])
def test_an_answer_of_another_length_is_no_answer(name: str) -> None:
    with pytest.raises(StoreUnavailableError, match=f"odd://m/{name}"):
        RemoteFolder("odd://m", timeout_s=10).read(name, max_bytes=9)


@pytest.mark.parametrize("name", ["denied", "forbidden"])
def test_a_refusal_is_told_from_an_outage(name: str) -> None:
    with pytest.raises(StoreDeniedError, match="credentials"):
        RemoteFolder("odd://m", timeout_s=10).read(name, max_bytes=9)


def test_a_driver_that_hangs_is_left_alone() -> None:
    try:
        with pytest.raises(StoreUnavailableError, match="did not answer within"):
            RemoteFolder("odd://m", timeout_s=0.05).read("slow", max_bytes=9)
    finally:
        Odd.hang.set()


def test_a_driver_that_is_missing_is_named_with_its_extra() -> None:
    with pytest.raises(ConfigError, match=r"pip install 'silverstream\[gcs\]'"):
        RemoteFolder("gs://bucket/models", timeout_s=1)


def test_a_scheme_that_nobody_knows_is_a_wrong_setting() -> None:
    with pytest.raises(ConfigError, match="knows no file system wrong://"):
        RemoteFolder("wrong://me:secret@host", timeout_s=1)
