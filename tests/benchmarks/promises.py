"""How often a promise is kept: orders of recorded taggings, drawn anew, with drift and without.

`python -m tests.benchmarks.promises --data DATA --work WORK --json FILE`. Each trial draws the
audits of a stream from a corpus's recorded taggings and asks for a promise; it is kept where the
share of right records among *all* that the threshold accepts is the promised one at least. Beside
it stand the plain point threshold: the lowest at which the share among the audits suffices; and
cross-fitting: a threshold that each half of the audits chooses and the other half tests. With
drift, the stream turns at half-time into records of another source; what the promise is worth is
then told by these.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from schemas.promises.bounds import chance_of_so_few, is_proved
from schemas.promises.keeping import Audit, next_promise, overall_of
from schemas.promises.proving import Asked, Sighting, prove
from schemas.promises.record import Promised
from schemas.promises.watching import Watch
from tests.benchmarks.taggings import SOURCES, Taggings, taggings_of

AGREEMENTS = (0.98, 0.90)
AUDITS = (150, 300, 600, 1200)
TRIALS = 200
_AFTER_DRIFT = 600


@dataclass(frozen=True, slots=True)
class Pool:
    """All records of one kind; `share_right` is the truth about a threshold."""

    confidences: np.ndarray[Any, np.dtype[np.float64]]
    right: np.ndarray[Any, np.dtype[np.bool_]]

    @classmethod
    def of(cls, confidences: Sequence[float], right: Sequence[bool]) -> Pool:
        """Take recorded taggings."""
        return cls(np.array(confidences), np.array(right, dtype=np.bool_))

    def draw(self, rng: np.random.Generator, n: int) -> list[Sighting]:
        """Draw a stream's audits: the order is part of the draw."""
        found = rng.integers(len(self.right), size=n)
        return [Sighting(float(self.confidences[i]), bool(self.right[i])) for i in found]

    def share_right(self, threshold: float) -> float:
        """Of the records that the threshold accepts, the share that is right; 1 where none is."""
        accepted = self.confidences >= threshold
        return float(self.right[accepted].mean()) if accepted.any() else 1.0

    def accepted(self, threshold: float) -> float:
        """Share of the records that the threshold accepts."""
        return float((self.confidences >= threshold).mean())


def calm(pool: Pool, agreement: float, n_audits: int) -> dict[str, Any]:
    """Promise from `n_audits` audits, `TRIALS` times; what came of it, and of the bare share."""
    rng = np.random.default_rng(0)
    asked = Asked(agreement=agreement, confidence=0.95)
    proved, broken, shares, bare_broken, bare_shares = 0, 0, [], 0, []
    crossed_broken, crossed_shares = 0, []
    for _ in range(TRIALS):
        evidence = pool.draw(rng, n_audits)
        proof, bare = prove(evidence, asked), bare_threshold(evidence, agreement)
        crossed = crossed_threshold(evidence, asked)
        if crossed is not None:
            crossed_broken += pool.share_right(crossed) < agreement
            crossed_shares.append(pool.accepted(crossed))
        if proof.state == "kept":
            proved += 1
            broken += pool.share_right(proof.threshold) < agreement
            shares.append(pool.accepted(proof.threshold))
        bare_broken += pool.share_right(bare) < agreement
        bare_shares.append(pool.accepted(bare))
    return {
        "audits": n_audits,
        "proved": proved / TRIALS,
        "broken": broken / TRIALS,
        "accepted_share": mean(shares) if shares else 0.0,
        "bare_broken": bare_broken / TRIALS,
        "bare_accepted_share": mean(bare_shares),
        "crossed": len(crossed_shares) / TRIALS,
        "crossed_broken": crossed_broken / TRIALS,
        "crossed_accepted_share": mean(crossed_shares) if crossed_shares else 0.0,
    }


def bare_threshold(evidence: Sequence[Sighting], agreement: float) -> float:
    """Give the lowest threshold at which the audits' own share suffices; above 1 without one."""
    order = sorted(evidence, key=lambda one: -one.confidence)
    found, right = 2.0, 0
    for n, one in enumerate(order, start=1):
        right += one.right
        last_of_ties = n == len(order) or order[n].confidence != one.confidence
        if last_of_ties and right >= agreement * n:
            found = one.confidence
    return found


def crossed_threshold(evidence: Sequence[Sighting], asked: Asked) -> float | None:
    """Let each half choose the lowest threshold that it proves itself, and the other test it.

    Each test is at half of the risk; of two that are proved the lower counts.
    """
    halves = evidence[::2], evidence[1::2]
    risk = asked.risk / 2
    found = []
    for chooses, tests in (halves, halves[::-1]):
        threshold = chosen_threshold(chooses, asked)
        accepted = [one.right for one in tests if one.confidence >= threshold]
        errors = accepted.count(False)
        if is_proved(errors, len(accepted), asked.agreement, risk=risk):
            found.append(threshold)
    return min(found, default=None)


def chosen_threshold(evidence: Sequence[Sighting], asked: Asked) -> float:
    """Give the lowest threshold that these would prove, or else the nearest to being proved."""
    order = sorted(evidence, key=lambda one: -one.confidence)
    errors, nearest, least = 0, 2.0, 1.0
    lowest = None
    for n, one in enumerate(order, start=1):
        errors += not one.right
        if n < len(order) and order[n].confidence == one.confidence:
            continue
        chance = chance_of_so_few(errors, n, 1 - asked.agreement)
        if chance <= asked.risk / 2:
            lowest = one.confidence
        if chance < least:
            nearest, least = one.confidence, chance
    return nearest if lowest is None else lowest


def drifting(before: Pool, after: Pool, agreement: float, n_audits: int) -> dict[str, Any]:
    """Let the stream change under a promise that was proved by `n_audits`, as many audits ago."""
    rng = np.random.default_rng(1)
    asked = Asked(agreement=agreement, confidence=0.95)
    noticed, mended, false_alarms, trials, harmless = [], [], 0, 0, 0
    for _ in range(TRIALS):
        evidence = before.draw(rng, n_audits)
        proof = prove(evidence, asked)
        if proof.state != "kept":
            continue
        promised = Promised(
            asked=asked,
            against="teacher",
            proof=proof,
            watched=agreement,
            stream=n_audits,
            overall=overall_of(evidence, asked),
        )
        stream = [*before.draw(rng, n_audits), *after.draw(rng, _AFTER_DRIFT)]
        if after.share_right(proof.threshold) >= agreement:
            harmless += 1
            continue
        trials += 1
        steps = played(promised, stream)
        false_alarms += any(at <= n_audits for at, _ in steps)
        steps = [(at - n_audits, threshold) for at, threshold in steps if at > n_audits]
        noticed.append(steps[0][0] if steps else _AFTER_DRIFT + 1)
        mended.append(first_true(steps, after, agreement))
    return {
        "trials": trials,
        "harmless": harmless,
        "false_alarms": false_alarms / trials if trials else 0.0,
        "noticed_median": median(noticed) if noticed else None,
        "noticed_p95": float(np.quantile(noticed, 0.95)) if noticed else None,
        "mended_median": median(mended) if mended else None,
        "mended_p95": float(np.quantile(mended, 0.95)) if mended else None,
        "mended_within_200": mean(one <= 200 for one in mended) if mended else None,
    }


def played(promised: Promised, stream: Sequence[Sighting]) -> list[tuple[int, float]]:
    """Play the audits to the keeper's rules; each change of policy: after how many, and to what."""
    audits = [Audit(at, sighting) for at, sighting in enumerate(stream)]
    changes, in_force, since = [], 0, 0
    watch, of_all = _watches(promised)
    for n, sighting in enumerate(stream, start=1):
        if sighting.confidence >= promised.proof.threshold:
            watch.see(right=sighting.right)
        of_all.see(right=sighting.right)
        # The keeper's own rules cost more than watches that go along, and say the same.
        may_prove = promised.proof.state != "kept" and n % 10 == 0
        changed = bool(promised.overall) and of_all.is_broken
        if not (watch.is_broken or changed or may_prove):
            continue
        found = next_promise(promised, audits[:n], in_force_ms=in_force, since_ms=since)
        if found is not None:
            promised, in_force, since = found, n, found.since_ms
            watch, of_all = _watches(promised)
            changes.append((n, found.proof.threshold))
    return changes


def _watches(promised: Promised) -> tuple[Watch, Watch]:
    """Over the accepted audits, and over all."""
    risk = promised.asked.risk
    return Watch(promised.watched, risk), Watch(promised.overall or promised.watched, risk)


def first_true(steps: Sequence[tuple[int, float]], pool: Pool, agreement: float) -> int:
    """Give the audits after which what the threshold accepts keeps the promise, and goes on to."""
    found = _AFTER_DRIFT + 1
    for at, threshold in reversed(steps):
        if pool.share_right(threshold) < agreement:
            break
        found = at
    return found


def measure(name: str, taggings: Taggings) -> dict[str, Any]:
    """Run all trials of one corpus."""
    before = Pool.of(taggings.confidences, taggings.right)
    after = Pool.of(taggings.drift_confidences, taggings.drift_right)
    return {
        "corpus": name,
        "records": len(before.right),
        "right": float(before.right.mean()),
        "right_after_drift": float(after.right.mean()),
        "promises": [
            {
                "agreement": agreement,
                "calm": [calm(before, agreement, n) for n in AUDITS],
                "drift": drifting(before, after, agreement, AUDITS[-1]),
            }
            for agreement in AGREEMENTS
        ],
    }


def main() -> None:
    """Run all, print the tables, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("shared/data"))
    parser.add_argument("--work", type=Path, default=Path("build/promises"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("corpora", nargs="*", default=[*SOURCES])
    options = parser.parse_args()
    found = [
        measure(name, taggings_of(name, options.data, options.work)) for name in options.corpora
    ]
    _print(found)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2), encoding="utf-8")


def _print(found: Sequence[dict[str, Any]]) -> None:
    console = Console(width=150)
    calm_table = Table(
        *(
            "corpus",
            "promise",
            "audits",
            "proved",
            "broken",
            "accepted",
            "bare: broken",
            "accepted",
        ),
        *("crossed", "broken", "accepted"),
    )
    drift = Table(
        "corpus", "promise", "trials", "early", "noticed", "95 %", "mended", "95 %", "within 200"
    )
    for corpus in found:
        for promise in corpus["promises"]:
            begin = (corpus["corpus"], f"{promise['agreement']:.0%}")
            for row in promise["calm"]:
                calm_table.add_row(*begin, *(_cell(value) for value in row.values()))
            row = promise["drift"]
            drift.add_row(
                *begin, *(_cell(value) for key, value in row.items() if key != "harmless")
            )
    console.print(calm_table, drift)


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1%}" if isinstance(value, float) and value <= 1 else f"{value:.0f}"


if __name__ == "__main__":
    main()
