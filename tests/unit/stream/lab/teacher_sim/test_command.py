from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from stream.cli.main import main
from stream.lab.teacher_sim.dialects import DIALECTS

COMMAND = [sys.executable, "-m", "stream.cli.main", "teacher-sim"]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.jsonl"
    record = {"id": "1", "text": "Ada", "entities": [{"start": 0, "end": 3, "label": "PER"}]}
    path.write_text(json.dumps(record) + "\n", encoding="utf-8")
    return path


def test_it_prints_its_url_when_it_is_ready_and_ends_well_on_sigterm(corpus: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])}
    with subprocess.Popen(
        [*COMMAND, str(corpus), "--port", "0"], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert httpx.get(f"{url}/models").status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


def test_there_must_be_something_to_answer_from(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        main(["teacher-sim"])
    assert exited.value.code == 2
    assert "one to --write" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--verdicts", "/no/such/file"], "/no/such/file"),
        (["--fault", "418=0.5"], "418"),
        (["--fault", "429"], "NAME=SHARE"),
        (["--fault", "429=much"], "NAME=SHARE"),
        (["--fault", "429=0.7", "--fault", "500=0.7"], "at most 1"),
        (["--jitter", "2"], "jitter"),
        (["--dialect", "klingon"], "klingon"),
    ],
)
def test_wrong_options_are_one_line_and_exit_code_2(
    corpus: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as exited:
        main(["teacher-sim", str(corpus), *arguments])
    lines = capsys.readouterr().err.splitlines()
    assert exited.value.code == 2
    assert len(lines) == 1
    assert message in lines[0]


def test_a_missing_corpus_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        main(["teacher-sim", "/nowhere/corpus.jsonl"])
    assert exited.value.code == 2
    assert "/nowhere/corpus.jsonl" in capsys.readouterr().err


def test_the_dialects_are_listed_a_line_each_without_a_corpus(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as exited:
        main(["teacher-sim", "--list-dialects"])
    lines = capsys.readouterr().out.splitlines()
    assert exited.value.code == 0
    assert lines == [f"{x.name}: {x.about}" for x in DIALECTS.values()]
