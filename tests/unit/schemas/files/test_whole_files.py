from __future__ import annotations

import stat
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from schemas.errors import DiskError
from schemas.files.whole_files import whole_file, write_whole
from stream.testing.full_disk import full_disk


def test_a_file_is_written_with_its_folder(tmp_path: Path) -> None:
    write_whole(tmp_path / "a" / "file", "Zoë")
    assert (tmp_path / "a" / "file").read_text("utf-8") == "Zoë"
    assert [x.name for x in (tmp_path / "a").iterdir()] == ["file"]


def test_on_a_full_disk_the_old_file_stays_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "file"
    write_whole(file, "old")
    with pytest.raises(DiskError, match=r"cannot write .*file: File too large"), full_disk():
        write_whole(file, "new")
    assert file.read_text() == "old"
    assert [*tmp_path.iterdir()] == [file]


def test_who_fails_to_write_leaves_nothing(tmp_path: Path) -> None:
    with suppress(KeyError), whole_file(tmp_path / "file") as file:
        file.write(b"half")
        raise KeyError
    assert [*tmp_path.iterdir()] == []


def test_what_else_its_writer_meets_is_not_the_disks_fault(tmp_path: Path) -> None:
    with pytest.raises(ConnectionResetError), whole_file(tmp_path / "file"):
        raise ConnectionResetError
    assert [*tmp_path.iterdir()] == []


def test_a_link_stays_a_link_and_a_private_file_private(tmp_path: Path) -> None:
    file, link = tmp_path / "there" / "file", tmp_path / "link"
    write_whole(file, "old")
    file.chmod(0o640)
    link.symlink_to(file)
    write_whole(link, "new")
    assert link.is_symlink()
    assert file.read_text() == "new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_reader_sees_the_old_or_the_new(tmp_path: Path) -> None:
    file, seen, done = tmp_path / "file", set(), threading.Event()
    write_whole(file, "0" * 9999)

    def read() -> None:
        while not done.is_set():
            seen.add(file.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(30):
        write_whole(file, str(number % 10) * 9999)
    done.set()
    reader.join()
    assert {len(text) for text in seen} == {9999}
