"""What a round may lose and win where the stream has changed: a proof against the presumption.

`python -m tests.benchmarks.changed_stream [--trials 400]` makes students of a stream that has
changed, by chance: of each text's facts each finds its share, much of it in common with the other,
and says some that are wrong. The judge of `distill/judging/` is played on the 600 texts of one
round's fold, with as many answers as a small stream earns. Prints JSON: by the challenger's true
gain in F1 the share of the rounds that promote it, by proof and by presumption. Under a minute.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from distill.judging.differing import Contest, judge_differing
from distill.judging.gate import Candidate, Evidence
from distill.judging.questions import question
from distill.judging.scoring import score
from distill.judging.urn import Differing, Urn, reference_of
from schemas.settings import GateSettings, JudgingSettings
from schemas.types import Fact

TEXTS, KNOWN_TEXTS, LARGE = 600, 100, 40_000
ANSWERS = (25, 50, 85, 150)
FOUND, WRONG, COMMON = 0.35, 0.4, 0.6
"""Of a text's facts the champion finds this share; it says so many wrong ones a text; and the
challenger does as the champion did in this share of the cases."""
CHALLENGERS = {"a point worse": 0.342, "as good": 0.352, "three better": 0.385, "six better": 0.418}
CHALLENGERS |= {"twelve better": 0.49}
"""What each of them finds, with as many wrong ones."""
GATE, BATCH = GateSettings(), JudgingSettings().batch
NOTHING = Evidence([], Candidate([], ece=0.0, cpu_s_per_1000=1.0), None)

Facts = frozenset[Fact]


@dataclass(frozen=True, slots=True)
class Pool:
    """Texts, by number: what is true of each, and what the two students say of it."""

    gold: Sequence[Facts]
    champion: Sequence[Facts]
    challenger: Sequence[Facts]

    @property
    def gain(self) -> float:
        """Give the challenger's gain in F1."""
        return score(self.gold, self.challenger).f1 - score(self.gold, self.champion).f1


def pool(n: int, found: float, random: Random) -> Pool:
    """Draw texts of up to three facts, and what a challenger that finds so many says of them."""
    rows = [_text(found, random) for _ in range(n)]
    gold, champion, challenger = zip(*rows, strict=True)
    return Pool(gold, champion, challenger)


def _text(found: float, random: Random) -> tuple[Facts, Facts, Facts]:
    gold = [(at, at + 1, "PER") for at in range(random.choice((0, 0, 1, 1, 2, 3)))]
    wrong = [(10 + at, 11 + at, "PER") for at in range(2)]
    both = [
        *((fact, FOUND, found) for fact in gold),
        *((fact, WRONG / len(wrong), WRONG / len(wrong)) for fact in wrong),
    ]
    champion, challenger = set[Fact](), set[Fact]()
    for fact, old, new in both:
        lot = random.random()
        other = lot if random.random() < COMMON else random.random()
        champion |= {fact} if lot < old else set()
        challenger |= {fact} if other < new else set()
    return frozenset(gold), frozenset(champion), frozenset(challenger)


def played(drawn: Pool, answers: int) -> tuple[bool, bool]:
    """Say whether the challenger is promoted by proof, and by presumption."""
    judging, known = slice(TEXTS), slice(TEXTS, None)
    reference = reference_of(score(drawn.gold[known], drawn.champion[known]).overall)
    texts = [str(number) for number in range(TEXTS)]
    truth = dict(zip(texts, drawn.gold[judging], strict=True))
    urn = _urn(texts, drawn.champion[judging], drawn.challenger[judging])
    found = question(
        urn,
        lambda some: {text: truth[text] for text in some},
        most=answers,
        batch=BATCH,
        reference=reference,
        gate=GATE,
    )
    proof, presumption = (
        judge_differing(Contest(NOTHING, found, reference, presumed_at), GATE)
        for presumed_at in (None, BATCH)
    )
    return proof.promote, presumption.promote


def _urn(texts: Sequence[str], champion: Sequence[Facts], challenger: Sequence[Facts]) -> Urn:
    each = [Differing(*one) for one in zip(texts, champion, challenger, strict=True)]
    return Urn(
        differing=tuple(one for one in each if one.champion != one.challenger),
        texts=len(each),
        champion_facts=Counter(fact[2] for one in each for fact in one.champion),
        challenger_facts=Counter(fact[2] for one in each for fact in one.challenger),
    )


def rates(found: float, *, trials: int) -> dict[str, object]:
    """Play that challenger."""
    large = pool(LARGE, found, Random(0))
    differing = sum(a != b for a, b in zip(large.champion, large.challenger, strict=True)) / LARGE
    promoted: list[dict[str, float]] = []
    for answers in ANSWERS:
        rounds = [
            played(pool(TEXTS + KNOWN_TEXTS, found, Random(seed)), answers)
            for seed in range(1, trials + 1)
        ]
        proof, presumption = (sum(column) / trials for column in zip(*rounds, strict=True))
        promoted.append({"answers": answers, "proof": proof, "presumption": presumption})
    return {"gain": large.gain, "differing": differing, "promoted": promoted}


def main() -> None:
    """Play all of them; print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=400)
    options = parser.parse_args()
    found = {name: rates(share, trials=options.trials) for name, share in CHALLENGERS.items()}
    sys.stdout.write(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
