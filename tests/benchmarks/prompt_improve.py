"""Whether `prompt improve` finds what there is to find, and lets nothing pass that only looks so.

`python -m tests.benchmarks.prompt_improve [--seeds N] [--json FILE] [--kind categories]
[--edits any]` plays the search of
`distill/prompting/` against a simulated teacher, which makes faults of known sorts, each of which a
known guideline mends in 95 % of the texts that have it. No model, no network, a minute.

Three worlds, each with `--seeds` seeds, 300 calls each (texts and proposals alike):

* `findable`: three sorts of faults. Of the edits proposed half would mend the sort that was shown;
  the others change nothing, or do harm. What there is to gain is the F1 on 2,000 other texts with
  all three guidelines; what was found, the F1 of the words that the search ends with.
* `overfit`: every edit mends all of the tune part, and elsewhere as much as it breaks.
* `mixed`: as `findable`, but of the edits that would not help most are such overfits.

Edits are lines of the guidelines; with `--edits any` they are guidelines, descriptions of a label,
examples (each mends the sorts that it has itself) and the form of answers (which mends one sort) in
equal shares, and what does not help is a guideline or a description. `--kind categories` plays
texts of three categories out of six, which are missed, confused and added.

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
from schemas.categories import of_labels
from schemas.errors import BudgetExhaustedError
from schemas.files.corpus import Example
from schemas.files.kind import Kind
from schemas.files.prompt_words import LabelWords, PromptWords
from schemas.types import Entity, Fact, facts
from stream.teacher.prompt_edits import Edit, Mistake

World = Literal["findable", "overfit", "mixed"]
Edits = Literal["guideline", "any"]

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
_MOODS = ("anger", "calm", "fear", "joy", "sadness", "shame")
_WORDS: dict[Kind, PromptWords] = {
    "entities": PromptWords("", tuple(LabelWords(label) for label in _LABELS)),
    "categories": PromptWords("", tuple(LabelWords(label) for label in _MOODS)),
}
_RULES = [f"- rule {sort}" for sort in range(len(PREVALENCE))]


def chance(*of: object) -> float:
    """Draw from [0, 1), the same for the same things."""
    digest = hashlib.sha256(repr(of).encode()).digest()
    return int.from_bytes(digest[:7]) / 2**56


def text_of(seed: int, number: int, kind: Kind) -> Example:
    """Make a text of twelve words with three entities, or with three categories."""
    text = " ".join(f"w{seed}x{number}x{place}" for place in range(12))
    if kind == "categories":
        drawn = sorted(_MOODS, key=lambda mood: chance("mood", mood, text))[:3]
        return Example(str(number), text, (), categories=of_labels(drawn))
    starts = [text.index(f"w{seed}x{number}x{place}") for place in (1, 4, 7)]
    entities = tuple(
        Entity(start, end := text.find(" ", start), label, text[start:end])
        for start, label in zip(starts, _LABELS, strict=True)
    )
    return Example(str(number), text, entities)


def sorts_of(text: str) -> set[int]:
    """The sorts of faults that the text would meet with."""
    return {sort for sort, share in enumerate(PREVALENCE) if chance("has", sort, text) < share}


def lines_of(words: PromptWords) -> list[str]:
    """Give what the prompt says that the simulated teacher knows, as lines of guidelines."""
    shown = {sort for one in words.examples for sort in sorts_of(one.text)}
    return [
        *words.guidelines.splitlines(),
        *(f"- {label.description}" for label in words.labels if label.description),
        *(_RULES[sort] for sort in sorted(shown)),
        *(_RULES[:1] if words.answer_form != "plain" else ()),
    ]


@dataclass(slots=True)
class SimulatedTeacher:
    """Answers by the guidelines; counts as calls what it was not asked before."""

    world: World
    seed: int
    tune: frozenset[str]
    kind: Kind = "entities"
    edits: Edits = "guideline"
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
        lines = lines_of(words)
        seen = Counter(x for one in mistakes for x in sorts_of(one.example.text))
        left = [sort for sort, _ in seen.most_common() if _RULES[sort] not in lines]
        return [self._edit(n, left, words, mistakes) for n in range(2)]

    def said(self, words: PromptWords, one: Example) -> frozenset[Fact]:
        """Answer without counting."""
        lines, text = lines_of(words), one.text
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
        faulty = _with_faults if self.kind == "entities" else _with_other_moods
        return faulty(one, wrong, n_spurious=len(broken))

    def _edit(
        self, number: int, left: Sequence[int], words: PromptWords, mistakes: Sequence[Mistake]
    ) -> Edit:
        lot = chance("edit", self.seed, self.calls, number, words.version)
        name = f"{self.seed}-{self.calls}-{number}"
        if self.world != "overfit" and left and lot < 0.5:
            what = f"rule {left[0]}"
        elif self.world == "overfit" or (self.world == "mixed" and lot < 0.85):
            what = f"overfit {name}"
        else:
            what = f"{'harm' if lot < 0.75 else 'nothing'} {name}"
        self.proposed[what.split()[0]] += 1
        if self.edits == "guideline":
            return Edit("guideline", text=what)
        return self._in_some_way(what, left, words, mistakes, f"{name}-way")

    def _in_some_way(
        self,
        what: str,
        left: Sequence[int],
        words: PromptWords,
        mistakes: Sequence[Mistake],
        name: str,
    ) -> Edit:
        """Say it as one of the edits that there are; what does not help, in words alone."""
        ways = ("guideline", "description", "example", "form")
        helps = what.startswith("rule")
        way = ways[int(chance(name) * (4 if helps else 2))]
        if way == "form" and left[0] == 0:
            return Edit("form", form="notes")
        if way == "example":
            shown = [x.example for x in mistakes if left[0] in sorts_of(x.example.text)]
            return Edit("example", example=shown[0])
        if way == "description":
            at = left[0] if helps else int(chance(name, "label") * len(words.labels))
            return Edit("description", label=words.labels[at].name, text=what)
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


def _with_other_moods(one: Example, wrong: set[int], *, n_spurious: int) -> frozenset[Fact]:
    """Sort 0 misses, 1 and 2 confuse one with another; then spurious ones, while there are any."""
    found = [category.label for category in one.categories]
    others = [mood for mood in _MOODS if mood not in found]
    found[1] = others[0] if 1 in wrong else found[1]
    found[2] = others[1] if 2 in wrong else found[2]
    kept = found[1:] if 0 in wrong else found
    spurious = [mood for mood in others if mood not in found][:n_spurious]
    return frozenset((0, 0, mood) for mood in (*kept, *spurious))


@cache
def others_of(kind: Kind) -> list[Example]:
    """Texts that are in no part."""
    return [text_of(10**6, number, kind) for number in range(_OTHERS)]


@cache
def true_f1(words: PromptWords, kind: Kind) -> float:
    """F1 on texts that are in no part."""
    others = others_of(kind)
    teacher = SimulatedTeacher("findable", 0, frozenset(), kind)
    return score([facts(x) for x in others], [teacher.said(words, x) for x in others]).f1


def played(world: World, seed: int, kind: Kind, edits: Edits) -> tuple[Improved, SimulatedTeacher]:
    """Search once."""
    parts: Parts = parts_of([text_of(seed, number, kind) for number in range(GOLD_TEXTS)])
    tune = frozenset(one.text for one in parts.tune)
    teacher = SimulatedTeacher(world, seed, tune, kind, edits)
    teacher.kept_back = len(parts.report) + len(parts.tune)

    def set_free() -> None:
        teacher.kept_back = 0

    improved = improve(
        _WORDS[kind],
        parts,
        teacher,
        kind=kind,
        targets=Targets(1.0, 1.0),
        seed=seed,
        sureness=_SUREST,
        now=str,
        set_free=set_free,
    )
    return improved, teacher


def facts_of(world: World, seeds: int, kind: Kind, edits: Edits) -> dict[str, Any]:
    """Play a world with each seed, and sum up."""
    shares, calls, accepted, accepted_by_sort = list[float](), list[int](), 0, Counter[str]()
    proposed, accepted_by_way = Counter[str](), Counter[str]()
    none = _WORDS[kind]
    bottom, top = true_f1(none, kind), true_f1(replace(none, guidelines="\n".join(_RULES)), kind)
    for seed in range(seeds):
        improved, teacher = played(world, seed, kind, edits)
        calls.append(teacher.calls)
        accepted += bool(improved.outcome.edits)
        accepted_by_sort.update({_sort_of(edit) for edit in improved.outcome.edits})
        accepted_by_way.update({edit.what for edit in improved.outcome.edits})
        proposed.update(teacher.proposed)
        if world != "overfit":
            found_f1 = true_f1(improved.prompt.words, kind)
            shares.append((found_f1 - bottom) / (top - bottom))
    found = {
        "seeds": seeds,
        "accepted_anything": accepted / seeds,
        "seeds_that_accepted": dict(sorted(accepted_by_sort.items())),
        "seeds_that_accepted_as": dict(sorted(accepted_by_way.items())),
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


def _sort_of(edit: Edit) -> str:
    return edit.text.split()[0] if edit.text else "rule"


def main() -> None:
    """Play all worlds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--kind", choices=("entities", "categories"), default="entities")
    parser.add_argument("--edits", choices=("guideline", "any"), default="guideline")
    options = parser.parse_args()
    worlds: tuple[World, ...] = ("findable", "overfit", "mixed")
    found = {world: facts_of(world, options.seeds, options.kind, options.edits) for world in worlds}
    text = json.dumps(found, indent=2)
    print(text)  # noqa: T201 - its output
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
