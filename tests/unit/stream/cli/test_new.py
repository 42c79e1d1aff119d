"""`silverstream new` without a person; with one it is played in `tests/acceptance/test_new.py`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.categories import of_labels
from schemas.files.corpus import read_corpus
from schemas.files.task_file import load_task
from stream.cli.main import main
from stream.kafka.local.embedded import EmbeddedBroker
from stream.lab.teacher_sim.script import Script
from stream.lab.teacher_sim.simulator import teacher_sim_app
from stream.teacher.kinds.kind import kind_of
from stream.testing.endpoints import served_apart

KIND = kind_of("categories", "one")
ANSWERS = {text: of_labels([mood]) for text, mood in (("What a day", "glad"), ("Rain", "sad"))}
SECRET = "sk-not-to-be-written"


@pytest.fixture
def url() -> Iterator[str]:
    script = Script(KIND, list(ANSWERS), ANSWERS)
    with served_apart(teacher_sim_app(ANSWERS, kind=KIND, script=script)) as served:
        yield served


def answers(folder: Path, **changes: Any) -> Path:
    values: dict[str, Any] = {
        "name": "moods",
        "kind": "categories",
        "choose": "one",
        "language": "en",
        "labels": [{"name": "glad", "description": "Joy."}, "sad"],
        "examples": ["Rain", *({"text": f"Day {n}", "categories": ["glad"]} for n in range(3))],
        "topic": "mails",
        "max_usd": 0.5,
        "n_texts": 0,
    }
    path = folder / "answers.json"
    path.write_text(json.dumps(values | changes), encoding="utf-8")
    return path


def ran(*arguments: str, code: int = 0) -> None:
    with pytest.raises(SystemExit) as end:
        main(["new", *arguments])
    assert end.value.code == code


def test_from_a_file_of_answers_come_files_and_topics(
    tmp_path: Path,
    url: str,
    embedded_broker: EmbeddedBroker,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SILVERSTREAM_TEACHER__API_KEY", "restored afterwards")
    file = answers(
        tmp_path,
        bootstrap_servers=embedded_broker.bootstrap_servers,
        teacher={"base_url": url, "api_key": SECRET},
    )
    out = tmp_path / "out"
    ran("--answers", str(file), "--out", str(out), "--yes", "--json")

    facts = json.loads(capsys.readouterr().out)
    assert facts["topics"]["mails"] == facts["topics"]["moods.entities"] == "created"
    assert (facts["gold"], facts["shown"]) == (2, 1)
    assert 0 < facts["usd"] <= 0.5
    task = load_task(out / "task.yaml")
    assert (task.kind, task.choose, task.label_names) == ("categories", "one", ("glad", "sad"))
    assert task.labels[1].description  # which the teacher suggested
    assert {one.text for one in read_corpus(out / "gold.jsonl")} < {"Day 0", "Day 1", "Day 2"}
    assert yaml.safe_load((out / "silverstream.yaml").read_text())["kafka"]["text_topic"] == "mails"
    written = [path.read_bytes() for path in out.rglob("*") if path.is_file()]
    assert not any(SECRET.encode() in data for data in written)


def test_run_again_it_asks_and_pays_nothing(
    tmp_path: Path,
    url: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SILVERSTREAM_KAFKA__STARTUP_TIMEOUT_S", "0.3")
    file = answers(tmp_path, bootstrap_servers="127.0.0.1:1", teacher=url)
    command = ("--answers", str(file), "--out", str(tmp_path / "out"), "--yes", "--json")
    ran(*command)
    first = json.loads(capsys.readouterr().out)
    ran(*command)
    again = json.loads(capsys.readouterr().out)
    assert first.pop("minutes") >= 0
    again.pop("minutes")
    assert (again, again["broker"]) == (first, "")


def test_without_a_teacher_the_files_are_there_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SILVERSTREAM_TEACHER__MAX_ATTEMPTS", "1")
    monkeypatch.setenv("SILVERSTREAM_KAFKA__STARTUP_TIMEOUT_S", "0.3")
    file = answers(tmp_path, bootstrap_servers="127.0.0.1:1", teacher="http://127.0.0.1:1/v1")
    ran("--answers", str(file), "--out", str(tmp_path / "out"), "--yes", "--json", "-")
    told = capsys.readouterr()
    assert json.loads(told.out)["usd"] == 0
    assert "No suggestions" in told.err
    assert load_task(tmp_path / "out" / "task.yaml").labels[0].description == "Joy."


def test_where_nobody_is_and_nothing_agreed_to_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with (tmp_path / "empty").open("w+") as nobody:
        monkeypatch.setattr("sys.stdin", nobody)
        ran("--out", str(tmp_path / "out"), code=2)
    assert "--answers FILE --yes" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"labels": ["glad"]}, "to choose one label there must be two"),
        ({"labels": None}, "lack labels"),
        ({"colour": "blue"}, "colour"),
        ({"max_usd": -1}, "max_usd"),
    ],
)
def test_answers_that_cannot_be_end_it_in_one_line_before_anything_is_written(
    tmp_path: Path, changes: dict[str, Any], fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    ran("--answers", str(answers(tmp_path, **changes)), "--out", str(out), "--yes", code=2)
    lines = capsys.readouterr().err.splitlines()
    assert fault in lines[-1]
    assert not (out / "task.yaml").exists()
