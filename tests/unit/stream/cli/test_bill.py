from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.files.task_file import task_yaml
from stream.cli.bill import against_words
from stream.cli.main import main
from stream.teacher.batch_rows import Batch
from stream.teacher.bill import EachTime
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.spending import Cause
from stream.testing.endpoints import TASK


@pytest.fixture
def config(tmp_path: Path, unused_tcp_port: int) -> Path:
    """Settings whose broker is not there."""
    (tmp_path / "task.yaml").write_text(task_yaml(TASK), encoding="utf-8")
    values = {
        "task": str(tmp_path / "task.yaml"),
        "kafka": {
            "bootstrap_servers": f"127.0.0.1:{unused_tcp_port}",
            "startup_timeout_s": 0.2,
        },
        "teacher": {"state": str(tmp_path / "teacher.sqlite")},
    }
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def bill(config: Path, *arguments: str) -> dict[str, Any]:
    out = config.parent / "bill.json"
    with pytest.raises(SystemExit) as ended:
        main(["bill", "--config", str(config), "--json", str(out), *arguments])
    assert ended.value.code == 0
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return found


def test_what_each_of_several_teachers_was_paid_stands_apart(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    day, most = "2026-01-31", 9.0
    with closing(TeacherStore(config.parent / "teacher.sqlite")) as store:
        for name, usd in (("best", 0.5), ("cheap", 0.25), ("cheap", 0.125)):
            cause = Cause(TASK.name, "stream", f"{name}{usd}", teacher=name)
            call = store.reserve(1.0, cause=cause, day=day, budget_usd=most)
            store.settle(call, tokens_in=7, tokens_out=3, usd=usd)
        call = store.reserve(1.0, cause=replace(cause, question="q"), day=day, budget_usd=most)
        store.release(call)
    found = bill(config)
    assert found["teachers"] == [
        {"teacher": "best", "calls": 1, "tokens_in": 7, "tokens_out": 3, "usd": 0.5},
        {"teacher": "cheap", "calls": 2, "tokens_in": 14, "tokens_out": 6, "usd": 0.375},
    ]
    assert found["total"]["usd"] == 0.875
    assert "cheap" in capsys.readouterr().out


def test_what_was_asked_in_batches_is_told(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bill(config)["batches"] is None
    with closing(TeacherStore(config.parent / "teacher.sqlite")) as store:
        for line, usd in (("a", 0.5), ("b", None)):
            cause = Cause(TASK.name, "bootstrap", f"q{line}", batch="b", line=line)
            call = store.reserve(1.0, cause=cause, day="2026-01-31", budget_usd=9.0)
            if usd is not None:
                store.settle(call, tokens_in=7, tokens_out=3, usd=usd)
        store.note_batch(Batch("b", TASK.name, "bootstrap", "http://teacher/v1", lines=1))
        asked = store.asked("qa")
    assert asked is not None
    assert (asked.calls, asked.in_batches) == (1, 1)
    assert bill(config)["batches"] == {
        "calls": 2,
        "tokens_in": 7,
        "tokens_out": 3,
        "usd": 1.5,
        "waiting": 1,
    }
    assert "2 of these calls in batches, for $1.5000; 1 of them wait" in capsys.readouterr().out


def test_the_bill_is_told_without_a_broker_and_says_what_it_cannot_tell(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(TeacherStore(config.parent / "teacher.sqlite")) as store:
        cause = Cause(TASK.name, "judging", "q")
        call = store.reserve(1.0, cause=cause, day="2026-01-31", budget_usd=9.0)
        store.settle(call, tokens_in=7, tokens_out=3, usd=0.25)
    found = bill(config)
    (row,) = found["rows"]
    assert (row["purpose"], row["calls"], row["usd"]) == ("judging", 1, 0.25)
    assert found["total"]["usd"] == 0.25
    assert found["each_time"] is None
    assert "cannot be counted: no Kafka broker answered" in found["each_time_unknown"]
    out = capsys.readouterr().out
    assert "judging" in out
    assert "0.2500" in out
    assert "cannot be counted" in out
    assert bill(config, "--by", "day")["rows"][0]["day"] == "2026-01-31"


def test_a_machine_without_a_ledger_has_an_empty_bill_and_makes_none(config: Path) -> None:
    assert bill(config)["rows"] == []
    assert not (config.parent / "teacher.sqlite").exists()


@pytest.mark.parametrize(("saved", "words"), [(0.25, "$0.2500 less"), (-0.0243, "$0.0243 more")])
def test_the_difference_to_asking_each_time_has_a_direction(saved: float, words: str) -> None:
    against = EachTime(TASK.name, 0, 0.0, 0.0, 0.0, saved)
    assert against_words(against, "").endswith(f"were spent on it, {words}")
