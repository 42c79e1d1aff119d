from __future__ import annotations

from pathlib import Path

import pytest

from stream.student.memory import give_back_memory, room_bytes


def test_memory_is_given_back_where_the_c_library_can() -> None:
    given: list[int] = []

    class Library:
        def malloc_trim(self, pad: int) -> None:
            given.append(pad)

    give_back_memory(c_library=Library)
    assert given == [0]


def test_the_c_library_of_this_process_is_asked() -> None:
    give_back_memory()


@pytest.mark.parametrize("error", [OSError, TypeError, AttributeError])
def test_where_it_cannot_nothing_happens(error: type[Exception]) -> None:
    def no_library() -> None:
        raise error

    give_back_memory(c_library=no_library)


def group(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def test_the_room_is_what_the_nearest_limit_leaves(tmp_path: Path) -> None:
    stat = "anon 5\ninactive_file 100\n"
    group(tmp_path / "mount", memory__max="max\n", memory__current="9000\n", memory__stat=stat)
    group(tmp_path / "mount/pods", memory__max="5000\n", memory__current="900", memory__stat=stat)
    group(
        tmp_path / "mount/pods/us", memory__max="1000\n", memory__current="900", memory__stat=stat
    )
    own = tmp_path / "own"
    own.write_text("0::/pods/us\n")
    assert room_bytes(mount=tmp_path / "mount", own=own) == 1000 - 900 + 100


def test_a_container_sees_its_group_as_the_root(tmp_path: Path) -> None:
    group(tmp_path, memory__max="500\n", memory__current="100", memory__stat="inactive_file 0\n")
    assert room_bytes(mount=tmp_path, own=tmp_path / "none") == 400


def test_groups_of_version_1_are_known(tmp_path: Path) -> None:
    group(
        tmp_path / "memory/docker/x",
        memory__limit_in_bytes="800\n",
        memory__usage_in_bytes="700\n",
        memory__stat="total_inactive_file 50\n",
    )
    own = tmp_path / "own"
    own.write_text("4:memory:/docker/x\n1:name=systemd:/docker/x\n")
    assert room_bytes(mount=tmp_path, own=own) == 150


def test_without_a_limit_the_room_is_endless(tmp_path: Path) -> None:
    assert room_bytes(mount=tmp_path, own=tmp_path / "none") > 2**60


def test_a_full_container_has_no_room(tmp_path: Path) -> None:
    group(tmp_path, memory__max="500\n", memory__current="900", memory__stat="anon 5\n")
    assert room_bytes(mount=tmp_path, own=tmp_path / "none") == 0
