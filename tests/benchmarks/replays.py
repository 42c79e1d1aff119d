"""The replays of whole corpora that docs/measurements.md shows: run them, tabulate them, plot them.

`python -m tests.benchmarks.replays` runs each replay that has no JSON yet in `--out`, as many side
by side as there are cores, then prints its table and draws its plot. Hours, not minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.console import Console

from stream.tag.cores import usable_cores

Result = dict[str, Any]
console = Console()
SEEDS = (0, 1, 2)
_EWT = (
    "--stream uner_ewt/train.jsonl --gold uner_ewt/dev.jsonl --held-out uner_ewt/test.jsonl "
    "--order shuffled --cold-start 500 --budget 0.1 --rounds 5"
)
_BTC = (
    "--stream btc/by_date_stream.jsonl --gold btc/by_date_gold.jsonl --held-out btc/test.jsonl "
    "--order date --cold-start 500 --budget 0.1 --rounds 5"
)
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "silverstream",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
}
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
_COLOURS = {"uncertainty": "#2563a8", "random": "#c2581b", "ceiling": "#2e7d4f", "plain": "#6b7280"}


@dataclass(frozen=True, slots=True)
class Replay:
    """One replay: `name` is its file's, `options` as at the command line, files below the data."""

    name: str
    options: str

    def command(self, data: Path, out: Path) -> list[str]:
        options = [str(data / o) if o.endswith(".jsonl") else o for o in self.options.split()]
        return [
            *(sys.executable, "-m", "stream.cli.main", "replay", *options),
            *("--json", str(out / f"{self.name}.json"), "--report", str(out / self.name)),
        ]


def planned() -> list[Replay]:
    """Name every replay; plain MiniLM-L6, the slowest to train, has one seed, the last."""
    return [
        *(Replay(f"ewt-uncertainty-{s}", f"{_EWT} --seed {s} --ceiling") for s in SEEDS),
        *(
            Replay(
                f"ewt-random-{s}",
                f"{_EWT} --seed {s} --routing random{' --plain' * (s == SEEDS[-1])}",
            )
            for s in SEEDS
        ),
        Replay("btc-uncertainty-0", f"{_BTC} --seed 0 --ceiling"),
    ]


def run_missing(data: Path, out: Path, *, side_by_side: int) -> None:
    """Run what has no JSON yet; a replay that fails ends the program when the rest is done."""
    out.mkdir(parents=True, exist_ok=True)
    missing = [one for one in planned() if not (out / f"{one.name}.json").exists()]
    with ThreadPoolExecutor(side_by_side) as pool:
        codes = list(pool.map(lambda one: _run(one, data, out), missing))
    if failed := [one.name for one, code in zip(missing, codes, strict=True) if code]:
        sys.exit(f"these failed, see their logs in {out}: {', '.join(failed)}")


def _run(replay: Replay, data: Path, out: Path) -> int:
    console.print(f"replaying {replay.name} ...")
    with (out / f"{replay.name}.log").open("wb") as log:
        done = subprocess.run(replay.command(data, out), stdout=log, stderr=log, check=False)
    return done.returncode


def table(results: Sequence[Result]) -> str:
    """Give the Markdown table: one line a replay, and the means over the seeds."""
    head = (
        "| replay | seed | lost, duplicated, uncorrected | wanted | deferred | stream F1 "
        "| first student | last student | ceiling | last / ceiling | plain L6 | minutes |"
    )
    lines = [head, "|---" * head.count(" |") + "|"]
    for name, group in _groups(results):
        rows = [_row(result) for result in group]
        lines += [_line(name, str(r["seed"]), row) for r, row in zip(group, rows, strict=True)]
        if len(rows) > 1:
            lines.append(_line(f"**{name}**", "**mean**", _mean_row(rows)))
    return "\n".join(lines)


def _groups(results: Sequence[Result]) -> Iterable[tuple[str, list[Result]]]:
    names = dict.fromkeys(_name(result) for result in results)
    return [(name, [one for one in results if _name(one) == name]) for name in names]


def _name(result: Result) -> str:
    corpus = Path(result["options"]["stream"][0]).parent.name
    return f"{corpus}, {result['routing']}"


def _row(result: Result) -> dict[str, float | None]:
    students, stream = result["students"], result["stream"]
    last, ceiling, plain = (
        students.get(name, {}).get("f1") for name in ("last", "ceiling", "plain")
    )
    return {
        "faults": result["lost"] + result["duplicated"] + result["uncorrected"],
        "wanted": stream["wanted_share"],
        "deferred": stream["deferred_share"],
        "stream": stream["f1"],
        "cold": students["cold"]["f1"],
        "last": last,
        "ceiling": ceiling,
        "ratio": last / ceiling if ceiling else None,
        "plain": plain,
        # Of the loop alone, so that replays with and without a ceiling compare.
        "minutes": (result["seconds"] - _ceiling_s(students)) / 60,
    }


def _ceiling_s(students: dict[str, Any]) -> float:
    """Estimate how long the ceilings took: they are trained side by side, after the loop."""
    trained = [students[name] for name in ("ceiling", "plain") if name in students]
    return max((student["training_s"] for student in trained), default=0.0)


def _mean_row(rows: Sequence[dict[str, float | None]]) -> dict[str, float | None]:
    found = {name: [v for row in rows if (v := row[name]) is not None] for name in rows[0]}
    return {name: mean(values) if values else None for name, values in found.items()}


def _line(name: str, seed: str, row: dict[str, float | None]) -> str:
    def share(key: str, digits: int = 1) -> str:
        value = row[key]
        return "-" if value is None else f"{100 * value:.{digits}f}"

    assert row["faults"] is not None
    assert row["minutes"] is not None
    cells = [
        *(name, seed, f"{row['faults']:.0f}"),
        *(f"{share('wanted', 0)} %", f"{share('deferred')} %", share("stream")),
        *(share("cold"), share("last"), share("ceiling")),
        "-" if row["ratio"] is None else f"{share('ratio')} %",
        *(share("plain"), f"{row['minutes']:.0f}"),
    ]
    return f"| {' | '.join(cells)} |"


def plot(results: Sequence[Result], path: Path) -> None:
    """Draw the serving student's F1 and the stream's F1, round by round, as one SVG."""
    corpora = {
        corpus: [one for one in results if _name(one).startswith(corpus)]
        for corpus in dict.fromkeys(_name(one).split(",")[0] for one in results)
    }
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 3.2 * len(corpora)), layout="constrained")
        for row, (corpus, found) in zip(
            figure.subplots(len(corpora), 2, squeeze=False), corpora.items(), strict=True
        ):
            _draw(row[0], found, _serving_f1, f"{corpus}: the serving student, held out")
            _draw_levels(row[0], found)
            _draw(row[1], found, _stream_f1, f"{corpus}: the stream, last revisions")
            row[0].legend(frameon=False, fontsize=8)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata=NO_METADATA)


def _serving_f1(result: Result) -> list[float]:
    found = [result["students"]["cold"]["f1"]]
    for one in result["rounds"]:
        found.append(one["student_f1"] if one["promoted"] else found[-1])
    return found


def _stream_f1(result: Result) -> list[float]:
    return [one["stream_f1"] for one in result["rounds"]]


def _draw(axes: Axes, results: Sequence[Result], series: Any, title: str) -> None:
    for routing in dict.fromkeys(one["routing"] for one in results):
        lines = [[100 * f1 for f1 in series(one)] for one in results if one["routing"] == routing]
        rounds = range(len(lines[0])) if series is _serving_f1 else range(1, len(lines[0]) + 1)
        if len(lines) > 1:
            for line in lines:
                axes.plot(rounds, line, color=_COLOURS[routing], alpha=0.3, linewidth=0.8)
        means = [mean(at) for at in zip(*lines, strict=True)]
        axes.plot(rounds, means, "o-", color=_COLOURS[routing], label=f"routing: {routing}")
        axes.set_xticks(list(rounds))
    axes.set_title(title, fontsize=9, loc="left")
    axes.set_xlabel("round")
    axes.set_ylabel("strict span F1, %")


def _draw_levels(axes: Axes, results: Sequence[Result]) -> None:
    for name, label in (("ceiling", "all gold, same recipe"), ("plain", "all gold, plain L6")):
        if found := [one["students"][name]["f1"] for one in results if name in one["students"]]:
            axes.axhline(100 * mean(found), color=_COLOURS[name], linestyle="--", label=label)


def main() -> None:
    """Run what is missing, then write the table and the plot."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.replays", description=__doc__)
    default = os.environ.get("SILVERSTREAM_DATA", "../shared/data")
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument("--out", type=Path, default=Path("build/replays"))
    parser.add_argument("--plot", type=Path, default=Path("tests/benchmarks/replays.svg"))
    parser.add_argument("--side-by-side", type=int, default=usable_cores())
    options = parser.parse_args()
    run_missing(options.data, options.out, side_by_side=options.side_by_side)
    paths = [options.out / f"{one.name}.json" for one in planned()]
    results = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    plot(results, options.plot)
    console.print(table(results), soft_wrap=True, markup=False)


if __name__ == "__main__":
    main()
