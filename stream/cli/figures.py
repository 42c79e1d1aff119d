"""Tables of a student's figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table


def figures_table(students: Mapping[str, Mapping[str, Any]], *, title: str) -> Table:
    """Lay out what `Evaluation.as_dict` gave, one column a student."""
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for name in students:
        table.add_column(name, justify="right")
    for words, key, percent in _ROWS:
        if not any(key in one for one in students.values()):
            continue  # another kind's
        table.add_row(words, *(_cell(one.get(key), percent=percent) for one in students.values()))
    table.add_section()
    for label in sorted({label for one in students.values() for label in one["per_label"]}):
        cells = (_label_cell(one["per_label"].get(label)) for one in students.values())
        table.add_row(f"{label}  F1 (P / R, gold)", *cells)
    return table


_ROWS = (
    ("records", "records", False),
    ("strict span F1", "f1", True),
    ("accuracy", "accuracy", True),
    ("macro F1", "macro_f1", True),
    ("micro F1", "micro_f1", True),
    ("precision", "precision", True),
    ("recall", "recall", True),
    ("records exactly right", "exact_share", True),
    ("mean confidence", "mean_confidence", True),
    ("expected calibration error", "ece", True),
    ("AUROC of right records", "auroc", False),
    ("CPU s per 1,000 records", "cpu_s_per_1000", False),
    ("records per s", "records_per_s", False),
)


def sure_line(figures: Mapping[str, Any], *, confidence: float) -> str:
    """Say between what bounds the measure of the kind lies."""
    key = "accuracy" if "accuracy" in figures else "f1"
    low, high = (figures[f"{key}_interval"][bound] for bound in ("low", "high"))
    name = "F1" if key == "f1" else key
    return f"{name} between {low:.1%} and {high:.1%} ({confidence:.0%} bootstrap interval)"


def _cell(value: float | None, *, percent: bool) -> str:
    if value is None:
        return "-"
    if percent:
        return f"{value:.1%}"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3g}"


def _label_cell(score: Mapping[str, float] | None) -> str:
    if score is None:
        return "-"
    return (
        f"{score['f1']:.1%} ({score['precision']:.0%} / {score['recall']:.0%}, {score['gold']:,})"
    )
