"""Whether `prompt improve` finds what there is to find, and lets nothing pass that only looks so.

`python -m tests.benchmarks.prompt_improve [--seeds N] [--json FILE]` plays the search of
`distill/prompting/` against a simulated teacher, which makes faults of known sorts, each of which a
known guideline mends in 95 % of the texts that have it. No model, no network, a minute.

Three worlds, each with `--seeds` seeds, 300 calls each (texts and proposals alike):

* `findable`: three sorts of faults. Of the edits proposed half would mend the sort that was shown;
  the others change nothing, or do harm. What there is to gain is the F1 on 2,000 other texts with
  all three guidelines; what was found, the F1 of the words that the search ends with.
* `overfit`: every edit mends all of the tune part, and elsewhere as much as it breaks.
* `mixed`: as `findable`, but of the edits that would not help most are such overfits.

Everywhere each new prompt changes 2 % of the answers by lot. Prints medians and shares as JSON.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from statistics import mean, median
from typing import Any, Literal

from distill.judging.scoring import score
from distill.prompting.evaluation import Sureness
from distill.prompting.improving import Improved, improve
from distill.prompting.parts import Parts, parts_of
from distill.prompting.search import Targets
from schemas.errors import BudgetExhaustedError
from schemas.files.corpus import Example
from schemas.files.prompt_words import LabelWords, PromptWords
from schemas.types import Entity, Fact, facts
from stream.teacher.prompt_edits import Edit, Mistake

World = Literal["findable", "overfit", "mixed"]

MAX_CALLS = 300
GOLD_TEXTS = 90
PREVALENCE = (0.45, 0.4, 0.35)
"""Of the texts, how many have each sort of fault."""
MENDED = 0.95
JITTER = 0.02
BY_LOT = 0.12
"""Of the texts that an overfit was not made for, how many it mends, and how many it breaks."""
_OTHERS = 2000
_LABELS = ("PER", "ORG", "LOC")
_SUREST = Sureness(resamples=100, confidence=0.9, seed=0)
_WORDS = PromptWords("", tuple(LabelWords(label) for label in _LABELS))
_RULES = [f"- rule {sort}" for sort in range(len(PREVALENCE))]


def chance(*of: object) -> float:
    """Draw from [0, 1), the same for the same things."""
    digest = hashlib.sha256(repr(of).encode()).digest()
    return int.from_bytes(digest[:7]) / 2**56


def text_of(seed: int, number: int) -> Example:
    """Make a text of twelve words with three entities."""
    text = " ".join(f"w{seed}x{number}x{place}" for place in range(12))
    starts = [text.index(f"w{seed}x{number}x{place}") for place in (1, 4, 7)]
    entities = tuple(
        Entity(start, end := text.find(" ", start), label, text[start:end])
        for start, label in zip(starts, _LABELS, strict=True)
    )
    return Example(str(number), text, entities)


def sorts_of(text: str) -> set[int]:
    """The sorts of faults that the text would meet with."""
    return {sort for sort, share in enumerate(PREVALENCE) if chance("has", sort, text) < share}


@dataclass(slots=True)
class SimulatedTeacher:
    """Answers by the guidelines; counts as calls what it was not asked before."""

    world: World
    seed: int
    tune: frozenset[str]
    max_calls: int = MAX_CALLS
    kept_back: int = 0
    calls: int = 0
    known: set[tuple[str, str]] = field(default_factory=set)
    proposed: Counter[str] = field(default_factory=Counter)

    def answers(self, words: PromptWords, examples: Sequence[Example]) -> list[frozenset[Fact]]:
        """Answer, and count."""
        for one in examples:
            if (words.version, one.text) not in self.known:
                self._count()
                self.known.add((words.version, one.text))
        return [self.said(words, one) for one in examples]

    def proposals(self, words: PromptWords, mistakes: Sequence[Mistake]) -> list[Edit]:
        """Propose two edits, at least half of which mend what is shown where anything can."""
        self._count()
        lines = words.guidelines.splitlines()
        seen = Counter(x for one in mistakes for x in sorts_of(one.example.text))
        left = [sort for sort, _ in seen.most_common() if _RULES[sort] not in lines]
        return [self._edit(n, left, words) for n in range(2)]

    def said(self, words: PromptWords, one: Example) -> frozenset[Fact]:
        """Answer without counting."""
        lines, text = words.guidelines.splitlines(), one.text
        wrong = {
            sort
            for sort in sorts_of(text)
            if _RULES[sort] not in lines or chance("mended", sort, text) >= MENDED
        }
        broken = {line for line in lines if "harm" in line and chance(line, text) < 2 * BY_LOT}
        for line in lines:
            if "overfit" in line and text in self.tune:
                wrong.clear()
            elif "overfit" in line and wrong:
                lot = chance(line, text)
                if lot < BY_LOT:
                    wrong.clear()
                elif lot > 1 - BY_LOT:
                    broken.add(line)
        if chance("jitter", words.version, text) < JITTER:
            broken.add("jitter")
        return _with_faults(one, wrong, n_spurious=len(broken))

    def _edit(self, number: int, left: Sequence[int], words: PromptWords) -> Edit:
        lot = chance("edit", self.seed, self.calls, number, words.version)
        name = f"{self.seed}-{self.calls}-{number}"
        if self.world != "overfit" and left and lot < 0.5:
            what = f"rule {left[0]}"
        elif self.world == "overfit" or (self.world == "mixed" and lot < 0.85):
            what = f"overfit {name}"
        else:
            what = f"{'harm' if lot < 0.75 else 'nothing'} {name}"
        self.proposed[what.split()[0]] += 1
        return Edit("guideline", text=what)

    def _count(self) -> None:
        if self.calls >= self.max_calls - self.kept_back:
            raise BudgetExhaustedError("the calls are made")
        self.calls += 1


def _with_faults(one: Example, wrong: set[int], *, n_spurious: int) -> frozenset[Fact]:
    """Sort 0 misses, 1 takes another label, 2 takes another boundary; then spurious ones."""
    found = sorted(facts(one))
    if 2 in wrong:
        start, end, label = found[2]
        found[2] = (start, end + 3, label)
    if 1 in wrong:
        start, end, _ = found[1]
        found[1] = (start, end, "LOC")
    if 0 in wrong:
        found = found[1:]
    places = [match.span() for match in re.finditer(r"\w+", one.text)][9:]
    return frozenset([*found, *((a, b, "PER") for a, b in places[:n_spurious])])


@cache
def others_of() -> list[Example]:
    """Texts that are in no part."""
    return [text_of(10**6, number) for number in range(_OTHERS)]


@cache
def true_f1(guidelines: str) -> float:
    """F1 on texts that are in no part."""
    others, words = others_of(), replace(_WORDS, guidelines=guidelines)
    teacher = SimulatedTeacher("findable", 0, frozenset())
    return score([facts(x) for x in others], [teacher.said(words, x) for x in others]).f1


def played(world: World, seed: int) -> tuple[Improved, SimulatedTeacher]:
    """Search once."""
    parts: Parts = parts_of([text_of(seed, number) for number in range(GOLD_TEXTS)])
    teacher = SimulatedTeacher(world, seed, frozenset(one.text for one in parts.tune))
    teacher.kept_back = len(parts.report) + len(parts.tune)

    def set_free() -> None:
        teacher.kept_back = 0

    improved = improve(
        _WORDS,
        parts,
        teacher,
        kind="entities",
        targets=Targets(1.0, 1.0),
        seed=seed,
        sureness=_SUREST,
        now=str,
        set_free=set_free,
    )
    return improved, teacher


def facts_of(world: World, seeds: int) -> dict[str, Any]:
    """Play a world with each seed, and sum up."""
    shares, calls, accepted, accepted_by_sort = list[float](), list[int](), 0, Counter[str]()
    proposed = Counter[str]()
    for seed in range(seeds):
        improved, teacher = played(world, seed)
        calls.append(teacher.calls)
        accepted += bool(improved.outcome.edits)
        accepted_by_sort.update({edit.text.split()[0] for edit in improved.outcome.edits})
        proposed.update(teacher.proposed)
        if world != "overfit":
            bottom, top = true_f1(""), true_f1("\n".join(_RULES))
            found_f1 = true_f1(improved.prompt.words.guidelines)
            shares.append((found_f1 - bottom) / (top - bottom))
    found = {
        "seeds": seeds,
        "accepted_anything": accepted / seeds,
        "seeds_that_accepted": dict(sorted(accepted_by_sort.items())),
        "proposed": dict(sorted(proposed.items())),
        "calls_median": median(calls),
        "calls_most": max(calls),
    }
    if shares:
        shares.sort()
        found["share_found"] = {
            "mean": mean(shares),
            "median": median(shares),
            "low_decile": shares[len(shares) // 10],
            "seeds_at_least_80": mean(x >= 0.8 for x in shares),
        }
    return found


def main() -> None:
    """Play all worlds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    worlds: tuple[World, ...] = ("findable", "overfit", "mixed")
    found = {world: facts_of(world, options.seeds) for world in worlds}
    text = json.dumps(found, indent=2)
    print(text)  # noqa: T201 - its output
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
