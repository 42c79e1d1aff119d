"""Draws tables of docs/measurements.md that are curves: `python -m tests.benchmarks.plots`.

A table is found by the heads of its columns, so that a figure stands in the page alone. Draw anew
when a table has changed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from tests.benchmarks.replays import NO_METADATA, STYLE

_PAGE = Path("docs/measurements.md")
_FOLDER = Path("tests/benchmarks")
Table = dict[str, list[float]]
"""The numbers of a row, by the words of its first cells."""


def tables(page: str, heads: Sequence[str]) -> list[Table]:
    """Read the tables whose heads end with these, each a column of numbers.

    Raises `ValueError` where there is none.
    """
    found = [table for block in _blocks(page) if (table := _read(block, heads))]
    if not found:
        raise ValueError(f"no table of the page has the columns {', '.join(heads)}")
    return found


def _blocks(page: str) -> Iterator[list[list[str]]]:
    for block in re.findall(r"(?:^\|.*\n)+", page, flags=re.MULTILINE):
        yield [
            [cell.strip(" *") for cell in line.strip("|").split("|")] for line in block.split("\n")
        ]


def _read(block: list[list[str]], heads: Sequence[str]) -> Table:
    wide = len(heads)
    if block[0][-wide:] != [*heads]:
        return {}
    return {
        _words(row[: len(row) - wide]): [_number(cell) for cell in row[-wide:]]
        for row in block[2:]
        if len(row) > wide
    }


def _words(cells: Sequence[str]) -> str:
    return ", ".join(cell for cell in cells if cell)


def _number(cell: str) -> float:
    found = re.match(r"-?[\d,]*\.?\d+", cell.strip("* "))
    return float(found[0].replace(",", "")) if found else float("nan")


def _draw(axes: Any, table: Table, x: Sequence[float], *, title: str, x_label: str) -> None:
    for name, values in table.items():
        known = [(at, value) for at, value in zip(x, values, strict=False) if not math.isnan(value)]
        axes.plot(*zip(*known, strict=True), marker="o", markersize=3, linewidth=1.2, label=name)
    axes.set_title(title, fontsize=9, loc="left")
    axes.set_xlabel(x_label)


def judges(page: str, path: Path) -> None:
    """Draw the judge's power by the questions that may be asked, by proof and presumption."""
    heads = ("25", "50", "100", "200", "300")
    asked = [float(one) for one in heads]
    (proof,) = map(_without_last, tables(page, (*heads, "asked of 300")))
    (presumed,) = tables(page, heads)
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    _draw(axes[0], proof, asked, title="promoted by proof, %", x_label="questions")
    _draw(axes[1], presumed, asked, title="promoted where presumed better, %", x_label="questions")
    lines, names = axes[1].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    _save(figure, path)


def calls(page: str, path: Path) -> None:
    """Draw the accuracy on ISEAR's published stream by the calls that it took."""
    heads = ("600", "750", "1,000", "1,200", "1,350", "1,500", "2,000", "2,700")
    figure = Figure(figsize=(7, 3.4), layout="constrained")
    axes = figure.subplots()
    (table,) = tables(page, heads)
    made = [float(one.replace(",", "")) for one in heads]
    short = {re.sub(r" \(.*|`", "", name): values for name, values in table.items()}
    _draw(axes, short, made, title="accuracy overall, %", x_label="calls of GPT-3.5")
    axes.legend(frameon=False, fontsize=8)
    _save(figure, path)


def promises(page: str, path: Path) -> None:
    """Draw how often promises broke: proved ones, and those of a plain point threshold."""
    heads = ("proved", "broken", "accepted where proved", "bare: broken", "bare: accepted")
    (table,) = tables(page, heads)
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    places = range(len(table))
    for one, titled, ours, bare in (
        (axes[0], "broken, % of 200 orders", 1, 3),
        (axes[1], "records settled alone, %", 2, 4),
    ):
        for shift, column, name in ((-0.2, ours, "proved"), (0.2, bare, "point threshold")):
            widths = [0 if math.isnan(row[column]) else row[column] for row in table.values()]
            one.barh([at + shift for at in places], widths, height=0.38, label=name)
        one.set_title(titled, fontsize=9, loc="left")
    axes[0].axvline(5, color="#6b7280", linewidth=0.8)
    axes[0].set_yticks([*places], [name.replace("`", "") for name in table], fontsize=7)
    axes[0].invert_yaxis()
    axes[1].legend(frameon=False, fontsize=8)
    _save(figure, path)


def _without_last(table: Table) -> Table:
    return {name: values[:-1] for name, values in table.items()}


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, format="svg", metadata=NO_METADATA)


def main() -> None:
    """Draw all of them anew."""
    page = _PAGE.read_text(encoding="utf-8")
    with mpl.rc_context(STYLE):
        judges(page, _FOLDER / "judges.svg")
        calls(page, _FOLDER / "calls.svg")
        promises(page, _FOLDER / "promises.svg")


if __name__ == "__main__":
    main()
