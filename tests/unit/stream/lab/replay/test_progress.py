from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from stream.lab.replay.progress import LiveProgress
from stream.lab.replay.result import ReplayedRound, ReplayResult


def line_of(result: ReplayedRound) -> str:
    out = io.StringIO()
    with LiveProgress(Console(file=out)) as progress:
        progress.round_done(2, result)
    return next(line for line in out.getvalue().splitlines() if line.startswith("round 2"))


def test_the_line_of_a_round_says_by_what_it_was_judged(result: ReplayResult) -> None:
    judged = {"by": "differing", "asked": 75, "differing": 210, "interval": (-0.005, 0.05)}
    line = line_of(replace(result.rounds[0], judged=judged))
    assert line.endswith("promoted (by differing, 75 of 210 asked: gain -0.005 to +0.050)")
    judged = {"by": "gold", "asked": 0, "differing": 0, "interval": (0.01, 0.03)}
    line = line_of(replace(result.rounds[0], judged=judged))
    assert line.endswith("promoted (by gold: gain +0.010 to +0.030)")


def test_a_round_that_judged_nothing_says_nothing_of_it(result: ReplayResult) -> None:
    assert line_of(result.rounds[1]).endswith("refused, no gain")
