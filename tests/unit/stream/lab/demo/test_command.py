from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Protocol
from xml.etree import ElementTree as ET

import pytest
import typer
from typer.testing import CliRunner

from stream.lab.demo.command import demo_command
from stream.lab.demo.scripts import Script
from stream.lab.demo.setup import Scale
from stream.lab.demo.summary import Summary
from stream.lab.demo.view import View


class Demo(Protocol):
    """Runs `silverstream demo` with a stand-in for the play; returns its standard output."""

    def __call__(self, *arguments: str, columns: str = "80") -> str: ...


@pytest.fixture
def demo(summary: Summary) -> Demo:
    """The stand-in shows a drift and the students, then ends with `summary`."""

    def play(script: Script, scale: Scale, work: Path, view: View) -> Summary:
        assert work.is_dir()
        assert scale.seed == 7
        view.state.wanted, view.state.deferred = [0.1, 0.6], [0.1, 0.2]
        view.state.drift_window = 1.0
        view.state.students = list(summary.students)
        view.keep()
        view.tell("the end")
        view.tell(script.task.name)
        return replace(summary, measure=script.measure)

    def run(*arguments: str, columns: str = "80") -> str:
        app = typer.Typer()
        app.command()(demo_command(play=play))
        done = CliRunner().invoke(app, ["--seed", "7", *arguments], env={"COLUMNS": columns})
        assert done.exit_code == 0, done.output
        return done.stdout

    return run


def words_of(picture: Path) -> str:
    svg = ET.fromstring(picture.read_text(encoding="utf-8"))  # noqa: S314  our own file
    return " ".join("".join(svg.itertext()).replace("\xa0", " ").split())


def test_the_picture_shows_the_page_after_the_drift_and_the_summary(
    demo: Demo, tmp_path: Path
) -> None:
    demo("--picture", str(tmp_path / "docs" / "demo.svg"))
    words = words_of(tmp_path / "docs" / "demo.svg")
    for expected in ("↑ the feed drifts", "promoted", "The demo in figures", "$0.0500"):
        assert expected in words
    assert "the end" not in words


def test_the_picture_fetches_nothing_and_is_the_same_on_every_terminal(
    demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo("--picture", str(tmp_path / "wide.svg"), columns="300")
    monkeypatch.setenv("NO_COLOR", "1")
    demo("--picture", str(tmp_path / "narrow.svg"), columns="40")
    wide, narrow = (
        (tmp_path / name).read_text(encoding="utf-8") for name in ("wide.svg", "narrow.svg")
    )
    assert wide == narrow
    assert [fetching for fetching in ("url(http", "@font-face", "href") if fetching in wide] == []


def test_json_on_standard_output_stands_alone_there(demo: Demo) -> None:
    told = json.loads(demo("--json", "-"))
    assert (told["records"], told["students"][0]["version"]) == (1000, "v1")


def test_entities_are_played_unless_categories_are_asked_for(demo: Demo) -> None:
    assert "orders" in demo()
    assert "orders" in demo("--kind", "entities")
    assert "messages" in demo("--kind", "categories")


def test_of_categories_the_json_says_accuracy(demo: Demo) -> None:
    of_entities, told = (
        json.loads(demo("--json", "-", "--kind", kind)) for kind in ("entities", "categories")
    )
    assert of_entities["stream_f1"] == told["stream_accuracy"] == 0.9
    first = told["students"][0]
    assert (first["accuracy"], first["accuracy_early"], first["accuracy_late"]) == (0.5, 0.8, 0.2)
    assert [key for one in (told, first) for key in one if "f1" in key or key == "measure"] == []
    assert [key for key in of_entities if "accuracy" in key or key == "measure"] == []


def test_the_summary_goes_into_a_file(demo: Demo, tmp_path: Path) -> None:
    assert "The demo in figures" in demo("--json", str(tmp_path / "demo.json"))
    assert json.loads((tmp_path / "demo.json").read_text(encoding="utf-8"))["seed"] == 7
