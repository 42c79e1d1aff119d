"""What a person sees while a replay runs."""

from __future__ import annotations

from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from stream.lab.replay.result import ReplayedRound


class LiveProgress:
    """A bar for the phase that runs and a line for each round that ended."""

    def __init__(self, console: Console) -> None:
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
        )
        self._bar = self._bars.add_task("reading", total=None)

    def phase(self, words: str, *, total: int = 0) -> None:
        """Begin another bar; without a terminal, print the phase."""
        self._bars.reset(self._bar, description=words, total=total or None)
        if not self._bars.console.is_terminal:
            self._bars.console.print(words)

    def advance(self, done: int) -> None:
        """Move the bar."""
        self._bars.update(self._bar, completed=done)

    def round_done(self, number: int, result: ReplayedRound) -> None:
        """Print the round's line."""
        gate = "[green]promoted[/]" if result.promoted else f"[yellow]refused, {result.reason}[/]"
        by_f1 = result.stream_accuracy is None
        measure = "F1" if by_f1 else "accuracy"
        stream = result.stream_f1 if result.stream_accuracy is None else result.stream_accuracy
        value = result.student_f1 if by_f1 else result.student_accuracy
        challenger = "none" if value is None else f"{value:.3f}"
        self._bars.console.print(
            f"round {number}: {result.records} records, {result.wanted} wanted, "
            f"{result.deferred} deferred, {result.labels_total} labels in all, "
            f"stream {measure} {stream:.3f}; challenger {measure} {challenger}: {gate}"
            f"{_judged(result)}",
            soft_wrap=True,
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()


def _judged(result: ReplayedRound) -> str:
    """Say by what the challenger was judged, and how sure its gain is."""
    if result.judged is None:
        return ""
    by, (low, high) = result.judged["by"], result.judged["interval"]
    asked = f", {result.judged['asked']} of {result.judged['differing']} asked"
    return f" (by {by}{asked * (by == 'differing')}: gain {low:+.3f} to {high:+.3f})"
