from __future__ import annotations

import fcntl
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from distill.archive import KEEP_BUNDLES, RoundArchive
from distill.judging.allowance import Allowance
from schemas.errors import DiskError, GateError
from schemas.files.corpus import Example, import_corpus
from stream.testing.full_disk import full_disk

NOW_MS = 10_000


def finished(records: RoundArchive, version: str, started_at_ms: int = 0) -> Path:
    (records.start(version) / "manifest.json").write_text('{"version": 1}')
    return records.finish(version, {"started_at_ms": started_at_ms, "reason": "no gain"})


def test_a_round_keeps_its_decision_and_its_manifest(tmp_path: Path) -> None:
    decision = finished(RoundArchive(tmp_path, "people"), "v1")
    assert json.loads(decision.read_text())["reason"] == "no gain"
    assert (decision.parent / "manifest.json").read_text() == '{"version": 1}'


def test_only_the_newest_rounds_keep_their_bundles(tmp_path: Path) -> None:
    records = RoundArchive(tmp_path, "people")
    versions = [f"v{i}" for i in range(KEEP_BUNDLES + 2)]
    decisions = [finished(records, version) for version in versions]
    kept = [version for version in versions if records.bundle(version).exists()]
    assert kept == versions[2:]
    assert all(path.exists() and (path.parent / "manifest.json").exists() for path in decisions)


def test_the_newest_finished_round_tells_when_it_began(tmp_path: Path) -> None:
    records = RoundArchive(tmp_path, "people")
    assert records.started_at_ms(1, now_ms=NOW_MS) == []
    finished(records, "v1", 1000)
    finished(records, "v2", 2000)
    records.start("v3")
    assert records.started_at_ms(1, now_ms=NOW_MS) == [2000]
    assert records.started_at_ms(1, now_ms=NOW_MS) == [2000]
    assert records.started_at_ms(3, now_ms=NOW_MS) == [2000, 1000]


def test_a_round_of_the_future_is_passed_over(tmp_path: Path) -> None:
    records = RoundArchive(tmp_path, "people")
    finished(records, "v1", 1000)
    finished(records, "v2", NOW_MS + 1)
    assert records.started_at_ms(3, now_ms=NOW_MS) == [1000]


def test_what_is_kept_can_be_read_back_and_what_is_not_is_nothing(tmp_path: Path) -> None:
    records = RoundArchive(tmp_path, "people")
    finished(records, "v1")
    records.start("v2")
    assert records.rounds() == ["v1"]
    assert records.read("rounds/v1/manifest.json") == b'{"version": 1}'
    assert records.read("rounds/v9/manifest.json") is None


def test_a_damaged_decision_is_passed_over(tmp_path: Path) -> None:
    records = RoundArchive(tmp_path, "people")
    finished(records, "v1", 1000)
    finished(records, "v2", 2000).write_text("{")
    assert records.started_at_ms(1, now_ms=NOW_MS) == [1000]


def test_a_version_is_used_once(tmp_path: Path) -> None:
    records = RoundArchive(tmp_path, "people")
    records.start("v1")
    with pytest.raises(GateError, match="already"):
        records.start("v1")


def test_a_failed_round_leaves_nothing(tmp_path: Path) -> None:
    records = RoundArchive(tmp_path, "people")
    records.start("v1")
    records.discard("v1")
    assert records.start("v1").exists()


def test_a_round_that_was_killed_is_removed_by_the_next(tmp_path: Path) -> None:
    records = RoundArchive(tmp_path, "people")
    finished(records, "v1")
    records.start("v2")
    records.start("v3")
    assert {path.name for path in (tmp_path / "people" / "rounds").iterdir()} == {"v1", "v3"}
    assert records.bundle("v1").exists()


def test_two_rounds_of_one_task_do_not_run_at_once(tmp_path: Path) -> None:
    records = RoundArchive(tmp_path, "people")
    with records.lock():
        with pytest.raises(GateError, match="another round of people"), records.lock():
            pass
        with RoundArchive(tmp_path, "places").lock():
            pass
    with records.lock():
        pass


def test_a_round_of_version_0_1_0_and_one_of_this_version_do_not_run_at_once(
    tmp_path: Path,
) -> None:
    archive = RoundArchive(tmp_path, "people")
    archive.folder.mkdir()
    with (archive.folder / ".lock").open("w") as file:
        with archive.lock(), pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(GateError, match="another round of people"), archive.lock():
            pass


def test_pseudo_labels_without_a_category_are_kept_as_categories(tmp_path: Path) -> None:
    archive = RoundArchive(tmp_path, "mood")
    archive.start("v1")
    digest = archive.keep_pseudo_labels("v1", [Example("1", "rain", ())], "categories")
    (path,) = tmp_path.rglob("pseudo*")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
    assert import_corpus(path).report.kind == "categories"


_HOLDER = """
import sys, time
from pathlib import Path
from distill.archive import RoundArchive
with RoundArchive(Path(sys.argv[1]), "people").lock():
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_process_that_is_killed_lets_go_of_its_task(tmp_path: Path) -> None:
    archive = RoundArchive(tmp_path, "people")
    command = [sys.executable, "-c", _HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            with pytest.raises(GateError, match="another round of people"), archive.lock():
                pass
        finally:
            holder.kill()
    with archive.lock():
        pass


def test_on_a_full_disk_a_round_has_no_decision_and_what_was_kept_stays(tmp_path: Path) -> None:
    records = RoundArchive(tmp_path, "people")
    records.keep_allowance(Allowance({"0": 7}, 3.0, 1))
    (records.start("v1") / "manifest.json").write_text("{}")
    for write in (
        lambda: records.keep_allowance(Allowance({}, 0.0, 2)),
        lambda: records.keep_pseudo_labels("v1", [Example("1", "Ada", ())], "entities"),
        lambda: records.finish("v1", {"started_at_ms": 1}),
    ):
        with pytest.raises(DiskError, match="File too large"), full_disk():
            write()
    assert records.allowance() == Allowance({"0": 7}, 3.0, 1)
    assert records.started_at_ms(1, now_ms=NOW_MS) == []
    assert not [*tmp_path.rglob("*.new")]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "people").write_text("")
    with pytest.raises(DiskError, match="cannot write"), RoundArchive(tmp_path, "people").lock():
        pass
