from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from stream.lab.demo.measure import ACCURACY
from stream.lab.demo.summary import Summary, price_of_all, show_summary
from stream.lab.demo.trends import spark
from stream.lab.demo.view import View, clock


def printed(*, terminal: bool = False) -> tuple[Console, io.StringIO]:
    paper = io.StringIO()
    return Console(file=paper, width=140, force_terminal=terminal), paper


def test_the_summary_says_what_was_saved_and_what_was_refused(summary: Summary) -> None:
    console, paper = printed()
    show_summary(console, summary)
    for words in ("$0.0500", "$0.2000", "25%", "refused: no gain", "120 (12.0%)", "record 640"):
        assert words in paper.getvalue()


def test_a_drift_that_nobody_noticed_is_said_to_be_so(summary: Summary) -> None:
    console, paper = printed()
    show_summary(console, replace(summary, drifts_noticed=(), students=()))
    assert "not at all" in paper.getvalue()


def test_of_categories_page_and_summary_say_accuracy(summary: Summary) -> None:
    console, paper = printed()
    view = View(console, budget_s=600)
    view.state.measure, view.state.students = ACCURACY, list(summary.students)
    console.print(view.page())
    show_summary(console, replace(summary, measure=ACCURACY))
    assert paper.getvalue().count("Students, accuracy on texts kept apart") == 2
    assert "accuracy of what consumers got" in paper.getvalue()
    assert "F1" not in paper.getvalue()


def test_of_entities_page_and_summary_say_f1(summary: Summary) -> None:
    console, paper = printed()
    show_summary(console, summary)
    for words in ("Students, strict F1 on texts kept apart", "F1 of what consumers got"):
        assert words in paper.getvalue()


def test_asking_every_time_costs_the_mean_price_of_a_call() -> None:
    assert price_of_all(bill_usd=0.5, calls=50, records=1000) == pytest.approx(10.0)
    assert price_of_all(bill_usd=0.0, calls=0, records=1000) == 0.0


def test_without_a_terminal_events_are_plain_lines() -> None:
    console, paper = printed()
    with View(console, budget_s=600) as view:
        view.phase("cold start")
        view.tell("[green]promoted[/] v1")
    assert paper.getvalue().splitlines() == ["00:00 cold start", "00:00 promoted v1"]


def test_on_a_terminal_the_page_shows_everything_at_once(summary: Summary) -> None:
    console, paper = printed(terminal=True)
    with View(console, budget_s=600) as view:
        view.state.wanted, view.state.deferred = [0.5, 0.1], [0.2, 0.1]
        view.state.students = list(summary.students)
        view.state.drift_window = 1.0
        view.phase("streaming")
    for words in ("of at most 10:00", "wanted", "the feed drifts", "no gain", "streaming"):
        assert words in paper.getvalue()


def test_a_kept_page_stays_as_it_was(summary: Summary) -> None:
    console, _ = printed()
    view = View(console, budget_s=600)
    assert view.kept is None
    view.tell("promoted v2")
    view.keep()
    view.tell("promoted v3")
    view.state.students = [summary.students[0]]
    paper, words = printed()
    paper.print(view.kept)
    assert "promoted v2" in words.getvalue()
    assert "promoted v3" not in words.getvalue()
    assert "first student" not in words.getvalue()


def test_bars_grow_with_the_share() -> None:
    assert spark([0.0, 0.5, 1.0]) == " ▄█"


def test_times_are_minutes_and_seconds() -> None:
    assert clock(605.9) == "10:05"
