"""The demo as a newcomer sees it, much smaller: nothing lost, students judged, a summary."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from distill.testing.tiny_base import write_tiny_base
from schemas.files.kind import Kind
from stream.lab.demo.feed import texts
from stream.lab.demo.scripts import script_of
from stream.lab.demo.scripts.messages import early_messages
from stream.lab.demo.setup import Scale
from stream.lab.demo.show import play_demo
from stream.lab.demo.summary import show_summary
from stream.lab.demo.view import View

SMALL = Scale(
    cold_start=90,
    per_half=100,
    records_per_s=100.0,
    new_labels=40,
    budget_s=3600.0,  # a slow machine must not cut the feed short
    recipe={"layers": 1, "max_tokens": 64, "int8": "off"},
    experiment={"batch_records": 8, "epochs": 1.0, "min_steps": 120, "learning_rate": 4e-4},
)


def scale_of(kind: Kind, folder: Path) -> Scale:
    """Entities train the encoder of the demo; categories a tiny one, for the machine's sake."""
    if kind == "entities":
        return SMALL
    messages = texts(early_messages("feed", seed=0), 300, prefix="words", seed=0)
    words = sorted({word for one in messages for word in one.text.split()})
    base = write_tiny_base(folder / "base", words=words, layers=1)
    faster = {"learning_rate": 3e-3, "word_dropout": 0.0}
    return replace(
        SMALL,
        recipe=SMALL.recipe | {"base": str(base)},
        experiment=SMALL.experiment | faster,
    )


@pytest.mark.parametrize("kind", ["entities", "categories"])
def test_a_newcomer_watches_the_whole_loop(kind: Kind, tmp_path: Path) -> None:
    script, scale = script_of(kind), scale_of(kind, tmp_path)
    paper = io.StringIO()
    console = Console(file=paper, width=160)
    with View(console, budget_s=SMALL.budget_s) as view:
        summary = play_demo(script, scale, tmp_path / "demo", view)
    show_summary(console, summary)
    assert (summary.records, summary.lost, summary.duplicated, summary.uncorrected) == (
        200,
        0,
        0,
        0,
    )
    assert 0 < summary.deferred < 0.25 * 200 + 1
    assert 0 < summary.cost_usd < summary.llm_every_time_usd
    assert summary.students[0].promoted
    assert len(summary.students) >= 2, "no student was made from the stream's labels"
    for words in (
        "cold start",
        "promoted",
        "the feed drifts",
        "asking it every time",
        script.drift,
    ):
        assert words in paper.getvalue()
