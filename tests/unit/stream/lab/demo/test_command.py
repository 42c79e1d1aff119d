from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import typer
from typer.testing import CliRunner

from stream.lab.demo.command import demo_command
from stream.lab.demo.setup import Scale
from stream.lab.demo.students import ScoredStudent
from stream.lab.demo.summary import Summary
from stream.lab.demo.trends import Drift
from stream.lab.demo.view import View

STUDENT = ScoredStudent(
    "v2", promoted=True, reason="promoted", labels=300, f1=0.7, f1_early=0.8, f1_late=0.6
)
SUMMARY = Summary(
    records=1000,
    lost=0,
    duplicated=0,
    uncorrected=0,
    deferred=120,
    deferred_share=0.12,
    wanted_share=0.3,
    calls=270,
    tokens_in=90_000,
    tokens_out=9_000,
    cost_usd=0.05,
    llm_every_time_usd=0.2,
    stream_f1=0.9,
    drift_at=500,
    drifts_noticed=(Drift(at=640, before=0.05, now=0.6),),
    window_records=100,
    wanted_share_by_window=(0.3, 0.1),
    deferred_share_by_window=(0.2, 0.1),
    students=(STUDENT,),
    seed=7,
    seconds=300.0,
)


def play(scale: Scale, work: Path, view: View) -> Summary:
    """Stand in for the demo: a drift, a student promoted after it, and an end."""
    assert work.is_dir()
    assert scale.seed == 7
    view.state.wanted, view.state.deferred = [0.1, 0.6], [0.1, 0.2]
    view.state.drift_window = 1.0
    view.state.students = [STUDENT]
    view.keep()
    view.tell("the end")
    return SUMMARY


def demo(*arguments: str, columns: str = "80") -> str:
    app = typer.Typer()
    app.command()(demo_command(play=play))
    done = CliRunner().invoke(app, ["--seed", "7", *arguments], env={"COLUMNS": columns})
    assert done.exit_code == 0, done.output
    return done.stdout


def words_of(picture: Path) -> str:
    svg = ET.fromstring(picture.read_text(encoding="utf-8"))  # noqa: S314  our own file
    return " ".join("".join(svg.itertext()).replace("\xa0", " ").split())


def test_the_picture_shows_the_page_after_the_drift_and_the_summary(tmp_path: Path) -> None:
    demo("--picture", str(tmp_path / "docs" / "demo.svg"))
    words = words_of(tmp_path / "docs" / "demo.svg")
    for expected in ("↑ the feed drifts", "promoted", "The demo in figures", "$0.0500"):
        assert expected in words
    assert "the end" not in words


def test_the_picture_fetches_nothing_and_is_the_same_on_every_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo("--picture", str(tmp_path / "wide.svg"), columns="300")
    monkeypatch.setenv("NO_COLOR", "1")
    demo("--picture", str(tmp_path / "narrow.svg"), columns="40")
    wide, narrow = (
        (tmp_path / name).read_text(encoding="utf-8") for name in ("wide.svg", "narrow.svg")
    )
    assert wide == narrow
    assert [fetching for fetching in ("url(http", "@font-face", "href") if fetching in wide] == []


def test_json_on_standard_output_stands_alone_there() -> None:
    told = json.loads(demo("--json", "-"))
    assert (told["records"], told["students"][0]["version"]) == (1000, "v2")


def test_the_summary_goes_into_a_file(tmp_path: Path) -> None:
    assert "The demo in figures" in demo("--json", str(tmp_path / "demo.json"))
    assert json.loads((tmp_path / "demo.json").read_text(encoding="utf-8"))["seed"] == 7
