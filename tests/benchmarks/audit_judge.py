"""What it is worth that both halves of the audits judge: promotions by half of them and by all.

`python -m tests.benchmarks.audit_judge --data DATA`. Recorded answers of two LLMs to ISEAR stand
for students: one is the champion, the other with some right answers, or some left out, a
challenger of an exact gain. The gate judges them 200 times on audits drawn anew, by
half of these, as when the other half calibrates, and by all. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from distill.judging.gate import Candidate, Evidence, judge
from distill.judging.scoring import score
from schemas.files.corpus import read_corpus
from schemas.settings import GateSettings
from schemas.types import Fact
from tests.benchmarks.judge_power import mixed

AUDITS = (200, 400, 800)
GAINS = (-0.01, 0.0, 0.03, 0.05)
TRIALS = 200
_MODELS = ("gpt-3.5-turbo-1106", "llama-2-70b-chat")

Facts = frozenset[Fact]


def recorded(data: Path, models: Sequence[str]) -> tuple[list[Facts], dict[str, list[Facts]]]:
    """Give gold, and what each model answered, of the texts that all of them answered."""
    gold: dict[str, Facts] = {}
    said: dict[str, dict[str, Facts]] = {}
    for model in models:
        for one in read_corpus(data / "llm_isear" / f"{model}.jsonl"):
            gold[one.text] = frozenset((0, 0, c.label) for c in one.categories)
            answer = frozenset((0, 0, c.label) for c in one.llm_categories or ())
            said.setdefault(model, {})[one.text] = answer
    texts = [text for text in gold if all(text in said[model] for model in models)]
    return [gold[t] for t in texts], {m: [said[m][t] for t in texts] for m in models}


def promoted(
    gold: list[Facts], champion: list[Facts], challenger: list[Facts], n: int
) -> dict[str, float]:
    """Give the shares of trials in which the gate promotes."""
    settings = GateSettings(min_records=min(n // 2, 200), resamples=500)
    by_half = by_all = 0
    for trial in range(TRIALS):
        drawn = random.Random(trial).sample(range(len(gold)), n)
        by_half += _judged(gold, champion, challenger, drawn[: n // 2], settings)
        by_all += _judged(gold, champion, challenger, drawn, settings)
    return {"by_half": by_half / TRIALS, "by_all": by_all / TRIALS}


def _judged(
    gold: list[Facts],
    champion: list[Facts],
    challenger: list[Facts],
    drawn: Sequence[int],
    settings: GateSettings,
) -> bool:
    def candidate(said: list[Facts]) -> Candidate:
        return Candidate([said[i] for i in drawn], ece=0.0, cpu_s_per_1000=1.0)

    evidence = Evidence([gold[i] for i in drawn], candidate(challenger), candidate(champion))
    return judge(evidence, settings).promote


def with_gain(
    gold: list[Facts], champion: list[Facts], other: list[Facts], gain: float
) -> list[Facts]:
    """Mix the other's answers with right ones, or with none, to a challenger of an exact gain."""
    f1 = score(gold, champion).f1 + gain
    if score(gold, other).f1 < f1:
        return mixed(gold, gold, other, f1=f1)
    return mixed(gold, other, [Facts()] * len(gold), f1=f1)


def main() -> None:
    """Play all trials; print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    gold, said = recorded(options.data, _MODELS)
    champion, other = (said[model] for model in _MODELS)
    rows: list[dict[str, Any]] = []
    for gain in GAINS:
        challenger = with_gain(gold, champion, other, gain)
        true = score(gold, challenger).f1 - score(gold, champion).f1
        rows += [
            {"gain": true, "audits": n, **promoted(gold, champion, challenger, n)} for n in AUDITS
        ]
    sys.stdout.write(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
