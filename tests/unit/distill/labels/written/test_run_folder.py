from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from distill.labels.written.run_folder import RunFolder, open_run
from schemas.errors import ConfigError, DiskError
from stream.testing.full_disk import full_disk

ABOUT = {"task": "t", "source": "written"}


def test_what_was_appended_is_read_again(tmp_path: Path) -> None:
    with open_run(tmp_path / "run", about=ABOUT, resume=False) as folder:
        folder.append("plan", {"a": "ä"}, {"b": 1})
        assert folder.records("plan") == [{"a": "ä"}, {"b": 1}]
        assert folder.records("texts") == []


def test_a_line_that_a_kill_tore_off_is_cut_away(tmp_path: Path) -> None:
    with open_run(tmp_path / "run", about=ABOUT, resume=False) as folder:
        folder.append("texts", {"call": 1})
    with (tmp_path / "run/texts.jsonl").open("ab") as file:
        file.write(b'{"call": 2, "tex')
    assert RunFolder(tmp_path / "run").records("texts") == [{"call": 1}]
    with open_run(tmp_path / "run", about=ABOUT, resume=True) as folder:
        folder.append("texts", {"call": 3})
        assert folder.records("texts") == [{"call": 1}, {"call": 3}]


def test_a_run_is_begun_once_and_resumed_only_where_there_is_one(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(ConfigError, match="no run in"), open_run(run, about=ABOUT, resume=True):
        pass
    with open_run(run, about=ABOUT, resume=False) as folder:
        folder.ledger.touch()
    with pytest.raises(ConfigError, match="--resume"), open_run(run, about=ABOUT, resume=False):
        pass


def test_a_run_that_never_asked_anything_is_begun_anew(tmp_path: Path) -> None:
    with open_run(tmp_path, about=ABOUT, resume=False) as folder:
        folder.append("chosen", {"text": "one"})  # and then nobody agreed to the price
    other = ABOUT | {"task": "another"}
    with open_run(tmp_path, about=other, resume=False) as folder:
        assert folder.records("chosen") == []
    with open_run(tmp_path, about=other, resume=True):
        pass


def test_files_that_are_of_no_run_stay_as_they_are(tmp_path: Path) -> None:
    mine = {"gold.jsonl": b'{"text": "mine"}\n', "torn.jsonl": b'{"text": "no end'}
    for name, data in mine.items():
        (tmp_path / name).write_bytes(data)
    for resume in (False, True):
        with open_run(tmp_path, about=ABOUT, resume=resume) as folder:
            folder.append("texts", {"call": 1})
    with open_run(tmp_path, about=ABOUT, resume=False):  # it never asked: begun anew
        pass
    assert {name: (tmp_path / name).read_bytes() for name in mine} == mine


@pytest.mark.parametrize("name", ["texts.jsonl", "summary.json", "ledger.sqlite", "run.json"])
def test_a_folder_where_others_use_our_names_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"mine": 1}\n', encoding="utf-8")
    refused = pytest.raises(ConfigError, match=f"{name}.* of no run: take an empty folder")
    with refused, open_run(tmp_path, about=ABOUT, resume=False):
        pass
    assert (tmp_path / name).read_text(encoding="utf-8") == '{"mine": 1}\n'


def test_a_run_of_another_task_is_not_resumed(tmp_path: Path) -> None:
    with open_run(tmp_path, about=ABOUT, resume=False):
        pass
    other = ABOUT | {"task": "another"}
    with pytest.raises(ConfigError, match="another task"):
        open_run(tmp_path, about=other, resume=True).__enter__()


def test_two_processes_do_not_write_into_one_run(tmp_path: Path) -> None:
    with (
        open_run(tmp_path, about=ABOUT, resume=False),
        pytest.raises(ConfigError, match="another process"),
        open_run(tmp_path, about=ABOUT, resume=True),
    ):
        pass


def test_a_line_in_the_middle_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "plan.jsonl").write_text('{"a": 1}\nnot JSON\n{"b": 2}\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"plan\.jsonl:2"):
        RunFolder(tmp_path).records("plan")


def test_the_summary_is_replaced_whole(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.summarise({"written": 1})
    folder.summarise({"written": 2})
    assert json.loads((tmp_path / "summary.json").read_text(encoding="utf-8")) == {"written": 2}


def test_on_a_full_disk_no_record_is_there_in_part_and_the_run_goes_on_later(
    tmp_path: Path,
) -> None:
    with open_run(tmp_path / "run", about={}, resume=False) as run:
        run.append("texts", {"text": "one"})
        with (
            pytest.raises(DiskError, match="cannot write"),
            full_disk(most_bytes=2000),
        ):
            run.append("texts", *({"text": f"text {i}"} for i in range(1000)))
        assert run.records("texts") == [{"text": "one"}]
        run.append("texts", {"text": "two"})
        assert run.records("texts") == [{"text": "one"}, {"text": "two"}]


KILLED_WHILE_IT_WRITES = """
import pathlib, resource, signal
from distill.labels.written.run_folder import RunFolder
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # kills within a write that passes the limit
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
RunFolder(pathlib.Path()).write("chosen", ({"text": f"text {n}"} for n in range(10_000)))
"""


def test_of_a_choice_that_a_kill_cut_off_nothing_is_there(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED_WHILE_IT_WRITES]
    path = os.pathsep.join(sys.path)
    ended = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": path}, check=False)
    assert ended.returncode == -signal.SIGXFSZ
    folder = RunFolder(tmp_path)
    assert folder.records("chosen") == []
    folder.cut_torn_lines()
    assert [*tmp_path.iterdir()] == []
    folder.write("chosen", [{"text": "one"}, {"text": "two"}])
    assert folder.records("chosen") == [{"text": "one"}, {"text": "two"}]
