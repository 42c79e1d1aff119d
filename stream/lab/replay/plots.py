"""The report's figures, as SVG text. Pure: a result gives the same bytes each time."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stream.lab.replay.result import ReplayedRound, ReplayResult, headline

_STYLE: Any = {
    "svg.fonttype": "none",  # the page's own font
    "svg.hashsalt": "silverstream",  # the same ids each time
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
}
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))  # dates differ each time
_BLUE, _ORANGE, _GREEN, _GREY = "#2563a8", "#c2581b", "#2e7d4f", "#6b7280"


def student_figure(result: ReplayResult) -> str:
    """Each challenger on the held-out file, F1 with its interval, against its labels.

    For categories it is the accuracy.
    """
    return _svg(
        lambda axes: _draw_students(axes, result), "labels", f"{_measure(result)}, held out"
    )


def stream_figure(result: ReplayResult) -> str:
    """F1 or accuracy of what consumers were left with, round by round."""
    words = f"{_measure(result)}, last revisions"
    return _svg(lambda axes: _draw_stream(axes, result), "round", words)


def share_figure(result: ReplayResult) -> str:
    """Shares of the records that were wanted and that were deferred."""
    return _svg(lambda axes: _draw_shares(axes, result.rounds), "round", "share of records")


def _measure(result: ReplayResult) -> str:
    return "F1" if result.kind == "entities" else "accuracy"


def _svg(draw: Callable[[Axes], None], x_label: str, y_label: str) -> str:
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(7.2, 3.6), layout="constrained")
        axes = figure.subplots()
        draw(axes)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.legend(loc="best", frameon=False)
        return _text(figure)


def _text(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata=_NO_METADATA)
    return buffer.getvalue()[buffer.getvalue().index("<svg") :]  # no XML prologue inside HTML


def _draw_students(axes: Axes, result: ReplayResult) -> None:
    start = result.students["cold"]
    points = [(start["labels"], headline(start)[1])]
    for one in result.rounds:
        value = one.student_f1 if result.kind == "entities" else one.student_accuracy
        if value is not None:
            points.append((one.labels_total, value))
            _draw_student(axes, one, value, result)
    axes.plot(*zip(*points, strict=True), color=_BLUE, linewidth=1, zorder=2, label="challengers")
    for name, colour in (("ceiling", _GREEN), ("plain", _GREY)):
        if name in result.students:
            value = headline(result.students[name])[1]
            axes.axhline(value, color=colour, linestyle="--", label=name)


def _draw_student(axes: Axes, one: ReplayedRound, value: float, result: ReplayResult) -> None:
    face = _BLUE if one.promoted else "white"  # hollow: the gate refused it
    axes.plot(one.labels_total, value, "o", color=_BLUE, markerfacecolor=face, zorder=3)
    if one.student_f1_interval and result.kind == "entities":
        low, high = one.student_f1_interval
        axes.vlines(one.labels_total, low, high, color=_BLUE, alpha=0.4, linewidth=3)


def _draw_stream(axes: Axes, result: ReplayResult) -> None:
    numbers = range(1, len(result.rounds) + 1)
    axes.plot(
        numbers,
        [
            one.stream_f1 if one.stream_accuracy is None else one.stream_accuracy
            for one in result.rounds
        ],
        "o-",
        color=_BLUE,
        label="the stream",
    )
    together = result.stream.of_categories.get("accuracy", result.stream.f1)
    axes.axhline(together, color=_GREY, linestyle="--", label="all rounds together")
    axes.set_xticks(numbers)


def _draw_shares(axes: Axes, rounds: tuple[ReplayedRound, ...]) -> None:
    numbers = range(1, len(rounds) + 1)
    wanted = [one.wanted / one.records if one.records else 0.0 for one in rounds]
    deferred = [one.deferred / one.records if one.records else 0.0 for one in rounds]
    axes.plot(numbers, wanted, "o-", color=_ORANGE, label="wanted")
    axes.plot(numbers, deferred, "o-", color=_BLUE, label="deferred")
    axes.set_ylim(bottom=0)
    axes.set_xticks(numbers)
