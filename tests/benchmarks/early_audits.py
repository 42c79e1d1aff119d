"""How soon a promise is kept, and audits can judge, when audits have more of the budget at first.

`python -m tests.benchmarks.early_audits --data DATA --work WORK`. The audits of a stream are drawn
200 times from a corpus's recorded taggings; the keeper's own rules say after how many the first
promise is kept, or that no more are worth it. A router that is given the same taggings says how
many records that takes, and what is left to learn from. Prints JSON.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np

from schemas.promises.keeping import Audit, looks, next_promise, suffices
from schemas.promises.proving import Asked, Sighting, prove
from schemas.promises.record import Promised
from schemas.promises.shortage import MOST_AUDITS
from schemas.settings import RoutingSettings
from schemas.types import RoutingPolicy
from stream.tag.routing import Router
from tests.benchmarks.promises import Pool
from tests.benchmarks.taggings import SOURCES, taggings_of

AGREEMENTS = (0.98, 0.90)
TRIALS = 200
SHARES = {"no gold": (0.06, (0.02, 0.03)), "gold": (0.10, (0.02, 0.05))}
"""What the lanes may ask of a budget of 0.10, and the shares of the audits."""
_ROUTED = 20_000
_LEARNING_THRESHOLD = 0.95


def first_promise(pool: Pool, agreement: float) -> dict[str, Any]:
    """Draw audits until a promise is kept, or until they would fall to their share."""
    rng = np.random.default_rng(0)
    asked = Asked(agreement=agreement, confidence=0.95)
    ends, audits, false = Counter[str](), [], 0
    for _ in range(TRIALS):
        end, n, threshold = _played(pool.draw(rng, MOST_AUDITS), asked)
        ends[end] += 1
        if end == "kept":
            audits.append(n)
            false += pool.share_right(threshold) < agreement
    return {
        "agreement": agreement,
        "kept": ends["kept"] / TRIALS,
        "broken": false / TRIALS,
        "given_up": ends["given up"] / TRIALS,
        "audits": {"median": median(audits), "mean": mean(audits)} if audits else None,
    }


def _played(drawn: Sequence[Sighting], asked: Asked) -> tuple[str, int, float]:
    unproven = Promised(
        asked=asked,
        against="teacher",
        proof=prove([], asked),
        watched=asked.agreement,
        stream=0,
        short=True,
    )
    audits = [Audit(at, sighting) for at, sighting in enumerate(drawn)]
    seen = 0
    for n in range(1, len(audits) + 1):
        look = looks(n, asked)
        if look is None or look[0] == seen:
            continue
        seen = look[0]
        found = next_promise(unproven, audits[:n], in_force_ms=0, since_ms=0)
        if found is not None:
            return "kept", n, found.proof.threshold
        if suffices(unproven, audits[:n]):
            return "given up", n, 1.0
    return "no more count", len(audits), 1.0


def routed(pool: Pool, *, lanes: float, audit_share: float) -> dict[str, float]:
    """Let a router decide on the taggings; shares of the records that became audits, or labels."""
    rng = np.random.default_rng(1)
    router = Router(RoutingSettings(budget_share=lanes))
    policy = RoutingPolicy(_LEARNING_THRESHOLD, audit_share, 0)
    reasons = Counter[str]()
    for number, one in enumerate(pool.draw(rng, _ROUTED)):
        digest = hashlib.sha256(str(number).encode()).hexdigest()
        reasons[router.decide(one.confidence, digest, policy).reason] += 1
    return {
        "audits": reasons["audit"] / _ROUTED,
        "labels_to_learn": reasons["low_confidence"] / _ROUTED,
    }


def measure(pool: Pool) -> dict[str, Any]:
    """Give all figures of one corpus."""
    promises = [first_promise(pool, agreement) for agreement in AGREEMENTS]
    rates = {
        f"{name}, {share}": routed(pool, lanes=lanes, audit_share=share)
        for name, (lanes, shares) in SHARES.items()
        for share in shares
    }
    return {
        "right": float(pool.right.mean()),
        "promises": promises,
        "routed": rates,
        "records_until_kept": {
            f"{one['agreement']:.0%}, {name}": round(one["audits"]["median"] / rate["audits"])
            for one in promises
            if one["audits"]
            for name, rate in rates.items()
        },
    }


def main() -> None:
    """Measure each corpus; print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("corpora", nargs="*", default=[*SOURCES])
    options = parser.parse_args()
    result = {}
    for name in options.corpora:
        taggings = taggings_of(name, options.data, options.work)
        result[name] = measure(Pool.of(taggings.confidences, taggings.right))
    sys.stdout.write(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
