"""The demo as a newcomer sees it, much smaller: nothing lost, students judged, a summary."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from schemas.files.kind import Kind
from stream.lab.demo.scripts import script_of
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


@pytest.mark.parametrize("kind", ["entities", "categories"])
def test_a_newcomer_watches_the_whole_loop(kind: Kind, tmp_path: Path) -> None:
    script = script_of(kind)
    paper = io.StringIO()
    console = Console(file=paper, width=160)
    with View(console, budget_s=SMALL.budget_s) as view:
        summary = play_demo(script, SMALL, tmp_path, view)
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
