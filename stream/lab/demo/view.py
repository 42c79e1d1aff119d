"""What a person sees while the demo runs."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from stream.lab.demo.measure import F1, Measure
from stream.lab.demo.students import ScoredStudent
from stream.lab.demo.summary import student_table
from stream.lab.demo.trends import spark

_EVENTS = 10


@dataclass(slots=True)
class State:
    """All that is shown."""

    phase: str = "getting ready"
    done: int = 0
    total: int = 0
    wanted: Sequence[float] = ()
    deferred: Sequence[float] = ()
    drift_window: float | None = None
    """The window at which the feed drifts."""
    serving: str = ""
    calls: int = 0
    bill_usd: float = 0.0
    measure: Measure = F1
    students: Sequence[ScoredStudent] = ()
    events: deque[str] = field(default_factory=lambda: deque(maxlen=_EVENTS))


class View:
    """A live page on a terminal; plain lines elsewhere. A context manager."""

    def __init__(self, console: Console, *, budget_s: float) -> None:
        self.state = State()
        self.kept: RenderableType | None = None
        self._console = console
        self._budget_s = budget_s
        self._began = time.monotonic()
        self._live = Live(
            get_renderable=self.page, console=console, refresh_per_second=4, transient=True
        )

    @property
    def elapsed_s(self) -> float:
        """Seconds since the demo began."""
        return time.monotonic() - self._began

    def tell(self, event: str) -> None:
        """Show an event, with its time."""
        line = f"{clock(self.elapsed_s)} {event}"
        self.state.events.append(line)
        if not self._console.is_terminal:
            self._console.print(line, soft_wrap=True)

    def phase(self, words: str) -> None:
        """Show what is being done now."""
        self.state.phase = words
        self.tell(words)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live.is_started:
            self._live.stop()

    def keep(self) -> None:
        """Keep the page as it stands, in place of the one kept before: the moment tells much."""
        self.kept = self.page()

    def page(self) -> RenderableType:
        """Lay out all that is known now; what comes later does not change it."""
        state = self.state
        title = f"silverstream demo · {clock(self.elapsed_s)} of at most {clock(self._budget_s)}"
        parts: list[RenderableType] = [Text(state.phase, style="bold"), self._progress()]
        if state.wanted:
            parts.append(self._trends())
        if state.students:
            parts.append(student_table(state.students, state.measure))
        parts += [Text.from_markup(line) for line in state.events]
        return Panel(Group(*parts), title=title, title_align="left")

    def _progress(self) -> RenderableType:
        state, table = self.state, Table.grid(padding=(0, 2))
        table.add_row(
            ProgressBar(total=max(state.total, 1), completed=state.done, width=40),
            f"{state.done} of {state.total} records",
            f"serving {state.serving or 'nobody yet'}",
            f"{state.calls} calls, ${state.bill_usd:.4f}",
        )
        return table

    def _trends(self) -> RenderableType:
        state, table = self.state, Table.grid(padding=(0, 2))
        for name, shares, style in (
            ("wanted  ", state.wanted, "yellow"),
            ("deferred", state.deferred, "cyan"),
        ):
            table.add_row(
                name,
                Text(spark(shares), style),
                f"{shares[-1]:.0%} now" if shares else "",
            )
        if state.drift_window is not None:
            table.add_row("", Text(" " * round(state.drift_window) + "↑ the feed drifts"), "")
        return table


def clock(seconds: float) -> str:
    """Write minutes and seconds, `mm:ss`."""
    return f"{int(seconds) // 60:02}:{int(seconds) % 60:02}"
