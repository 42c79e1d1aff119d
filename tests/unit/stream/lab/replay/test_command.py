from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from schemas.errors import ConfigError, HaltError
from schemas.files.corpus import Reading
from stream.cli.main import main
from stream.lab.replay.command import replay_command
from stream.lab.replay.options import ReplayOptions
from stream.lab.replay.result import ReplayResult
from stream.lab.replay.rounds import Spectator


@dataclass
class Played:
    """Takes the place of the replay itself, and keeps what it was asked for."""

    result: ReplayResult
    asked: list[ReplayOptions] = field(default_factory=list)

    def __call__(self, options: ReplayOptions, work: Path, progress: Spectator) -> ReplayResult:
        assert work.is_dir()
        self.asked.append(options)
        return self.result

    def invoke(self, *arguments: str) -> Result:
        app = typer.Typer()
        app.command()(replay_command(play=self))
        return CliRunner().invoke(app, arguments)


def test_every_option_reaches_the_replay(result: ReplayResult, tmp_path: Path) -> None:
    played = Played(result)
    words = (
        "--stream a.jsonl b.jsonl --stream c.jsonl --held-out t.jsonl --gold g.jsonl "
        "--cold-start 7 --teacher answers.jsonl --budget 0.2 --rounds 3 --routing random "
        "--order date --seed 4 --broker localhost:9092 --ceiling --plain "
        "--recorded-ceiling --task task.yaml --format hf --label-names O,B-PER --columns word=2"
    )
    files = ["--json", str(tmp_path / "r.json"), "--report", str(tmp_path / "report")]
    done = played.invoke(*words.split(), *files)
    assert done.exit_code == 0, done.output
    (options,) = played.asked
    assert {path.name for path in options.stream} == {"a.jsonl", "b.jsonl", "c.jsonl"}
    assert options == ReplayOptions(
        stream=options.stream,
        held_out=Path("t.jsonl"),
        gold=Path("g.jsonl"),
        cold_start=7,
        teacher="answers.jsonl",
        budget=0.2,
        rounds=3,
        routing="random",
        order="date",
        seed=4,
        broker="localhost:9092",
        ceiling=True,
        plain=True,
        recorded_ceiling=True,
        task=Path("task.yaml"),
        how=Reading("hf", {"word": "2"}, ("O", "B-PER")),
    )
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["records"] == 200
    assert (tmp_path / "report" / "report.html").exists()
    assert "200 records, 0 lost" in done.output


def test_a_stream_that_stood_still_is_counted_and_fails(
    result: ReplayResult, tmp_path: Path
) -> None:
    stalled = Played(replace(result, lost=2, failure="nothing came back for 300 s"))
    done = stalled.invoke("--stream", "a", "--held-out", "t", "--json", str(tmp_path / "r.json"))
    assert isinstance(done.exception, HaltError)
    assert str(done.exception) == "nothing came back for 300 s"
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["lost"] == 2


def test_a_missing_file_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["replay", "--stream", "nowhere.jsonl", "--held-out", "nowhere.jsonl"])
    assert caught.value.code == 2
    assert capsys.readouterr().err == "silverstream: no such file: nowhere.jsonl\n"


def test_json_on_standard_output_stands_alone_there(result: ReplayResult) -> None:
    done = Played(result).invoke("--stream", "a", "--held-out", "t", "--json", "-")
    assert json.loads(done.stdout)["seed"] == 7
    assert "200 records, 0 lost" in done.stderr


def test_what_could_not_be_written_at_the_end_is_refused_at_the_start(
    result: ReplayResult, tmp_path: Path
) -> None:
    played = Played(result)
    (tmp_path / "file").touch()
    targets = (["--json", tmp_path], ["--json", tmp_path / "file" / "r.json"])
    for option, path in (*targets, ["--report", tmp_path / "file"]):
        done = played.invoke("--stream", "a", "--held-out", "t", str(option), str(path))
        assert isinstance(done.exception, ConfigError)
        assert str(done.exception).startswith("cannot write")
    assert played.asked == []
