"""The figures at the end of a demo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from stream.lab.demo.measure import Measure
from stream.lab.demo.students import ScoredStudent
from stream.lab.demo.trends import Drift, spark


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What the demo did. Money is in USD, at the prices of the settings.

    `llm_every_time_usd` is what the teacher would have cost for every record, at its mean
    price for a call here; `cost_usd` is what it did cost, the cold start included.
    `deferred_share_by_window` shows the stream in windows of `window_records`.
    """

    records: int
    lost: int
    duplicated: int
    uncorrected: int
    deferred: int
    deferred_share: float
    wanted_share: float
    calls: int
    tokens_in: int
    tokens_out: int
    cost_usd: float
    llm_every_time_usd: float
    stream_f1: float
    drift_at: int
    drifts_noticed: tuple[Drift, ...]
    window_records: int
    wanted_share_by_window: tuple[float, ...]
    deferred_share_by_window: tuple[float, ...]
    students: tuple[ScoredStudent, ...]
    seed: int
    seconds: float
    measure: Measure

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, the measure's own by its name."""
        students = [self.measure.keyed(asdict(one)) for one in self.students]
        told = self.measure.keyed(asdict(self)) | {"students": students}
        del told["measure"]
        return told


def price_of_all(*, bill_usd: float, calls: int, records: int) -> float:
    """Return what `records` calls would cost at the mean price of the calls made."""
    return bill_usd / calls * records if calls else 0.0


def show_summary(console: Console, summary: Summary) -> None:
    """Print the summary for a person."""
    table = Table(title="The demo in figures", show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column()
    for name, value in _lines(summary):
        table.add_row(name, value)
    console.print(table)
    console.print(student_table(summary.students, summary.measure))


def student_table(students: Sequence[ScoredStudent], measure: Measure) -> Table:
    """Set out each candidate: the measure on held-out texts, and what the gate said."""
    table = Table(title=f"Students, {measure.title} on texts kept apart", title_justify="left")
    for name in ("student", "labels", measure.name, "before the drift", "after it", "gate"):
        words = name in ("student", "gate")
        table.add_column(name, justify="left" if words else "right", overflow="fold")
    for one in students:
        verdict = "[green]promoted[/]" if one.promoted else f"[yellow]refused: {one.reason}[/]"
        scores = (f"{100 * f1:.1f}" for f1 in (one.f1, one.f1_early, one.f1_late))
        table.add_row(one.version, str(one.labels), *scores, verdict)
    return table


def _lines(summary: Summary) -> list[tuple[str, str]]:
    noticed = ", ".join(
        f"at record {one.at} (wanted {one.before:.0%} → {one.now:.0%})"
        for one in summary.drifts_noticed
    )
    share = summary.cost_usd / summary.llm_every_time_usd if summary.llm_every_time_usd else 0.0
    return [
        ("records", f"{summary.records} ({summary.lost} lost, {summary.duplicated} duplicated)"),
        ("deferred to the teacher", f"{summary.deferred} ({summary.deferred_share:.1%})"),
        ("wanted, in time", spark(summary.wanted_share_by_window)),
        ("deferred, in time", spark(summary.deferred_share_by_window)),
        (f"{summary.measure.name} of what consumers got", f"{100 * summary.stream_f1:.1f}"),
        ("drift", f"at record {summary.drift_at}; noticed {noticed or 'not at all'}"),
        ("the teacher's bill", f"${summary.cost_usd:.4f} for {summary.calls} calls"),
        ("asking it every time", f"${summary.llm_every_time_usd:.4f}; we paid {share:.0%} of that"),
        ("took", f"{summary.seconds:.0f} s"),
    ]
