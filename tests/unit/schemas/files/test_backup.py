from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from schemas.errors import ConfigError, DiskError
from schemas.files.backup import Place, read_backup, restore, write_backup


@pytest.fixture
def places(tmp_path: Path) -> list[Place]:
    """A folder with a database and a bundle in it, a file of its own, and a place that is not."""
    home = tmp_path / "home"
    (home / "rounds" / "people" / "bundle").mkdir(parents=True)
    (home / "rounds" / "people" / "bundle" / "student.onnx").write_bytes(b"\x00\x01")
    (home / "rounds" / "people" / ".lock").touch()
    for path in (home / "state.sqlite", home / "rounds" / "ledger.sqlite"):
        with closing(sqlite3.connect(path)) as database:
            database.execute("CREATE TABLE days (usd REAL)")
            database.execute("INSERT INTO days VALUES (1.5)")
            database.commit()
    return [
        Place("state", home / "state.sqlite"),
        Place("rounds", home / "rounds"),
        Place("absent", home / "absent"),
    ]


def elsewhere(places: list[Place], folder: Path) -> list[Place]:
    return [Place(one.name, folder / one.path.name) for one in places]


def spent(path: Path) -> list[tuple[float]]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT usd FROM days").fetchall()


def test_what_was_backed_up_comes_back_as_it_was(places: list[Place], tmp_path: Path) -> None:
    made = write_backup(places, tmp_path / "backup", about={"task": "people"})
    assert sorted(made.files["rounds"]) == ["ledger.sqlite", "people/bundle/student.onnx"]
    found = read_backup(tmp_path / "backup")
    assert (found.files, found.about) == (made.files, {"task": "people"})
    targets = elsewhere(places, tmp_path / "new")
    restore(found, targets)
    assert spent(tmp_path / "new" / "state.sqlite") == [(1.5,)]
    assert spent(tmp_path / "new" / "rounds" / "ledger.sqlite") == [(1.5,)]
    student = tmp_path / "new" / "rounds" / "people" / "bundle" / "student.onnx"
    assert student.read_bytes() == b"\x00\x01"
    assert not (tmp_path / "new" / "absent").exists()


def test_what_another_process_is_writing_is_in_the_backup_or_not(
    places: list[Place], tmp_path: Path
) -> None:
    with closing(sqlite3.connect(places[0].path, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("INSERT INTO days VALUES (2.5)")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO days VALUES (3.5)")
        write_backup(places, tmp_path / "backup", about={})
        writer.execute("ROLLBACK")
    restore(read_backup(tmp_path / "backup"), elsewhere(places, tmp_path / "new"))
    assert spent(tmp_path / "new" / "state.sqlite") == [(1.5,), (2.5,)]


def test_nothing_is_ever_written_over(places: list[Place], tmp_path: Path) -> None:
    write_backup(places, tmp_path / "backup", about={})
    with pytest.raises(ConfigError, match="takes a new folder"):
        write_backup(places, tmp_path / "backup", about={})
    targets = elsewhere(places, tmp_path / "new")
    (tmp_path / "new" / "rounds").mkdir(parents=True)
    (tmp_path / "new" / "rounds" / "mine").write_text("mine")
    with pytest.raises(ConfigError, match="nothing is written over"):
        restore(read_backup(tmp_path / "backup"), targets)
    assert [x.name for x in (tmp_path / "new").rglob("*")] == ["rounds", "mine"]


def test_a_log_of_another_database_is_in_the_way(places: list[Place], tmp_path: Path) -> None:
    write_backup(places, tmp_path / "backup", about={})
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "state.sqlite-wal").touch()
    with pytest.raises(ConfigError, match="nothing is written over"):
        restore(read_backup(tmp_path / "backup"), elsewhere(places, tmp_path / "new"))


@pytest.mark.parametrize("damage", ["changed", "removed", "added", "link", "about", "name"])
def test_a_damaged_backup_is_refused(places: list[Place], tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "backup"
    write_backup(places, folder, about={})
    student = folder / "rounds" / "people" / "bundle" / "student.onnx"
    about = folder / "backup.json"
    match damage:
        case "changed":
            student.write_bytes(b"\x00\x02")
        case "removed":
            student.unlink()
        case "added":
            (folder / "rounds" / "more").touch()
        case "link":
            student.rename(tmp_path / "student")
            student.symlink_to(tmp_path / "student")
        case "about":
            about.write_text("{}")
        case "name":
            told = json.loads(about.read_text())
            told["files"]["rounds"]["../../../evil"] = "0" * 64
            about.write_text(json.dumps(told))
    with pytest.raises(ConfigError):
        read_backup(folder)


def test_a_restore_that_fails_leaves_nothing(places: list[Place], tmp_path: Path) -> None:
    write_backup(places, tmp_path / "backup", about={})
    found = read_backup(tmp_path / "backup")
    (tmp_path / "backup" / "rounds" / "ledger.sqlite").unlink()  # after it was checked
    with pytest.raises(DiskError):
        restore(found, elsewhere(places, tmp_path / "new"))
    assert list((tmp_path / "new").rglob("*")) == []


def test_of_a_file_that_changes_meanwhile_there_is_no_backup(
    places: list[Place], tmp_path: Path
) -> None:
    def copy_what_grows(source: Path, target: Path) -> None:
        shutil.copyfile(source, target)
        source.write_bytes(source.read_bytes() + b"more")

    with pytest.raises(ConfigError, match="changed while it was copied"):
        write_backup(places, tmp_path / "backup", about={}, copy=copy_what_grows)
    assert not (tmp_path / "backup").exists()


def test_a_backup_that_fails_leaves_nothing(places: list[Place], tmp_path: Path) -> None:
    (places[1].path / "link").symlink_to(tmp_path)
    with pytest.raises(ConfigError, match="is a link"):
        write_backup(places, tmp_path / "backup", about={})
    assert [x.name for x in tmp_path.iterdir()] == ["home"]
