"""The search for a better prompt: a beam of candidates, and a test that each must pass.

A candidate is the words that the search began with and some edits of them. In turn

* the teacher is shown mistakes that a candidate makes on the tune part, of one sort where it can
  be, and proposes edits: children of the candidate;
* a child that mends nothing of what it was proposed for is dropped, after few questions; one that
  does more good than harm on the tune part joins the beam;
* the best of the beam is tested against what is accepted so far on the keep part
  (`distill.prompting.holding`): it is accepted, or stays in the beam where it does more good than
  harm there too but not surely (with another edit it may), or is struck with all that came of it.

Once a candidate is accepted, edits of the others are tried on top of it. Texts that a candidate
shows as examples say nothing about it. The search ends at its targets, where no candidate brings
new proposals, or where nothing may be asked any more.

Sources: the beam over edits told in words, from minibatches of mistakes, and the merging of what
others found are those of ProTeGi (Pryzant et al., 2023), MIPRO (Opsahl-Ong et al., 2024) and GEPA
(Agrawal et al., 2025); the held-out test after each is not theirs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, Protocol

from distill.judging.scoring import LabelScore, score
from distill.prompting.holding import Held, held
from distill.prompting.mistakes import counted, slips_of
from distill.prompting.parts import Parts
from schemas.errors import BudgetExhaustedError, InvalidAnswerError
from schemas.files.corpus import Example
from schemas.files.kind import Kind
from schemas.files.prompt_words import PromptWords
from schemas.files.task import TaskExample
from schemas.types import Fact, facts
from stream.teacher.prompt_edits import Edit, Mistake, edited

Stopped = Literal["targets", "dry", "budget"]

BEAM: Final = 3
SHOWN: Final = 6
"""Mistakes that a proposal is made from."""
LOOK: Final = 4
"""Texts of the tune part that a child is asked about at a time, until it shows what it is."""
ENOUGH: Final = 3
"""Fewer wrong facts by which a child has shown itself on the tune part; more is asked of keep."""
FIRST_LOOK: Final = 10
"""Texts of the keep part, of those that were wrong, one of which must be better for it to go on."""
PROMISING: Final = 3
"""Texts of the keep part that must be better before it is asked whether others are worse."""
PATIENCE: Final = 5
"""So often edits of one candidate are proposed, each time from other mistakes."""


class Asking(Protocol):
    """The teacher, as the search sees it. Both raise `BudgetExhaustedError`."""

    def answers(self, words: PromptWords, examples: Sequence[Example]) -> Sequence[frozenset[Fact]]:
        """Label the texts by these words; no facts for a text that was refused."""
        ...

    def proposals(self, words: PromptWords, mistakes: Sequence[Mistake]) -> Sequence[Edit]:
        """Propose edits of the words, which made these mistakes."""
        ...


@dataclass(frozen=True, slots=True)
class Targets:
    """What is good enough, on the keep part: shares in [0, 1]."""

    precision: float
    recall: float

    def reached(self, score: LabelScore) -> bool:
        """Whether both are reached."""
        return score.precision >= self.precision and score.recall >= self.recall


@dataclass(eq=False, slots=True)
class Candidate:
    """Words on trial: those that the search began with, changed by `edits` one after the other."""

    words: PromptWords
    edits: tuple[Edit, ...] = ()
    n_expanded: int = 0
    is_tested: bool = False

    def begins_with(self, other: Candidate) -> bool:
        """Whether it came of the other."""
        return self.edits[: len(other.edits)] == other.edits


@dataclass(frozen=True, slots=True)
class Trial:
    """A test on the keep part: of which edits beyond what was accepted, and how it went."""

    edits: tuple[Edit, ...]
    held: Held
    accepted: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a search ended: the words accepted at last and their edits, and why it ended there."""

    words: PromptWords
    edits: tuple[Edit, ...]
    trials: tuple[Trial, ...]
    n_proposed: int
    stopped: Stopped
    why: str = ""


@dataclass(eq=False, slots=True)
class Search:
    """One search; `run` it once. `seed` chooses which mistakes are shown."""

    words: PromptWords
    parts: Parts
    asking: Asking
    kind: Kind
    targets: Targets
    seed: int
    _said: dict[tuple[str, str], frozenset[Fact]] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)
    _trials: list[Trial] = field(default_factory=list)
    _live: list[Candidate] = field(default_factory=list)
    _accepted: Candidate = field(init=False)
    _n_proposed: int = 0

    def __post_init__(self) -> None:
        self._accepted = Candidate(self.words)
        self._live.append(self._accepted)
        self._seen.add(self.words.version)

    def run(self) -> Outcome:
        """Search until it ends; what was accepted by then counts, however it ends."""
        why = ""
        try:
            stopped: Stopped = self._climb()
        except BudgetExhaustedError as error:
            stopped, why = "budget", str(error)
        return Outcome(
            words=self._accepted.words,
            edits=self._accepted.edits,
            trials=tuple(self._trials),
            n_proposed=self._n_proposed,
            stopped=stopped,
            why=why,
        )

    def _climb(self) -> Stopped:
        while not self._has_reached_targets():
            if candidate := self._next_to_test():
                self._test(candidate)
            elif parent := self._next_to_expand():
                self._expand(parent)
            else:
                return "dry"
        return "targets"

    def _has_reached_targets(self) -> bool:
        said = self._answers(self._accepted, self.parts.keep)
        return self.targets.reached(score(_gold(self.parts.keep), said).overall)

    # Which candidate comes next

    def _beam(self) -> list[Candidate]:
        return sorted(self._live, key=self._mean_gain, reverse=True)[:BEAM]

    def _next_to_test(self) -> Candidate | None:
        waiting = (x for x in self._beam() if not x.is_tested and x is not self._accepted)
        return next((x for x in waiting if self._mean_gain(x) > 0), None)

    def _next_to_expand(self) -> Candidate | None:
        waiting = [x for x in self._beam() if x.n_expanded < PATIENCE]
        return min(waiting, key=lambda x: x.n_expanded, default=None)

    def _mean_gain(self, candidate: Candidate) -> float:
        """Fewer wrong facts a text than what is accepted makes, where both were asked."""
        both = [
            (self._loss(self._accepted, one), self._loss(candidate, one))
            for one in self._judged(candidate, self._accepted)
            if self._knows(candidate, one) and self._knows(self._accepted, one)
        ]
        return sum(old - new for old, new in both) / len(both) if both else 0.0

    # Proposals, tried on the tune part

    def _expand(self, parent: Candidate) -> None:
        mistakes = self._mistakes(parent)
        parent.n_expanded += 1
        if not mistakes:
            parent.n_expanded = PATIENCE
            return
        edits = self.asking.proposals(parent.words, mistakes)
        self._n_proposed += len(edits)
        texts = {one.example.text for one in mistakes}
        shown = [one for one in self.parts.tune if one.text in texts]
        for edit in edits:
            self._try(parent, (edit,), shown)

    def _mistakes(self, candidate: Candidate) -> list[Mistake]:
        """Draw mistakes of one sort, as far as there are, and fill up with others."""
        lot = random.Random(f"{self.seed}/{candidate.words.version}/{candidate.n_expanded}")  # noqa: S311
        wrong = self._wrong(candidate, lot)
        sorts = {
            one.text: counted(
                slips_of(one.text, facts(one), self._answer(candidate, one), kind=self.kind)
            )
            for one in wrong
        }
        every = sum(sorts.values(), start=counted(()))
        if not every:
            return []
        (sort,) = lot.choices(sorted(every), weights=[every[x] for x in sorted(every)])
        # Sorting is stable: those of the sort first, each in the order that the lot gave.
        first = sorted(wrong, key=lambda one: sort not in sorts[one.text])
        return [self._mistake(candidate, one) for one in first[:SHOWN]]

    def _wrong(self, candidate: Candidate, lot: random.Random) -> list[Example]:
        """Find texts of the tune part that the candidate is wrong about, in random order.

        Where what is accepted is wrong is looked first, and no further than need be: the more
        often edits were proposed, the more mistakes there are to choose from.
        """
        texts = self._judged(candidate, self._accepted)
        lot.shuffle(texts)
        texts.sort(key=lambda one: not self._is_wrong(self._accepted, one))
        wrong: list[Example] = []
        for some in _chunks(texts, SHOWN):
            self._answers(candidate, some)
            wrong += [one for one in some if self._loss(candidate, one)]
            if len(wrong) >= SHOWN * (1 + candidate.n_expanded) and not self._knows_all(candidate):
                break
        return wrong

    def _wrong_and_right(
        self, candidate: Candidate, texts: Sequence[Example]
    ) -> tuple[list[Example], list[Example]]:
        wrong = {one.text for one in texts if self._is_wrong(candidate, one)}
        return _parted(texts, wrong.__contains__)

    def _knows_all(self, candidate: Candidate) -> bool:
        return all(self._knows(candidate, one) for one in self.parts.tune)

    def _is_wrong(self, candidate: Candidate, one: Example) -> bool:
        return self._knows(candidate, one) and self._loss(candidate, one) > 0

    def _mistake(self, candidate: Candidate, one: Example) -> Mistake:
        # As a task file would say it: how sure somebody was is no word of a prompt.
        entities = tuple(replace(x, confidence=1.0) for x in one.entities)
        categories = tuple(replace(x, confidence=1.0) for x in one.categories)
        example = TaskExample(one.text, entities, categories)
        return Mistake(example, facts(one), self._answer(candidate, one))

    def _try(self, parent: Candidate, edits: Sequence[Edit], shown: Sequence[Example]) -> None:
        """Let a child live that does more good than harm; `shown` are asked about first."""
        child = _child(parent, edits)
        if child is None or child.words.version in self._seen:
            return
        # One that did not help may be proposed again, from other mistakes.
        if self._helps(child, parent, shown):
            self._seen.add(child.words.version)
            self._live.append(child)

    def _helps(self, child: Candidate, parent: Candidate, shown: Sequence[Example]) -> bool:
        judged = self._judged(child, parent)
        first, others = _parted(judged, {one.text for one in shown}.__contains__)
        wrong, right = self._wrong_and_right(parent, others)
        gain = 0
        for some in _chunks([*first, *wrong, *right], LOOK):
            gain += self._gain(parent, child, some)
            if gain <= 0 or gain >= ENOUGH:
                break
        return gain > 0

    def _gain(self, before: Candidate, after: Candidate, texts: Sequence[Example]) -> int:
        self._answers(before, texts)
        self._answers(after, texts)
        return sum(self._loss(before, one) - self._loss(after, one) for one in texts)

    # The test on the keep part

    def _test(self, candidate: Candidate) -> None:
        candidate.is_tested = True
        found = self._held(candidate)
        edits = candidate.edits[len(self._accepted.edits) :]
        accepted = found.holds and self._keep_f1(candidate) > self._keep_f1(self._accepted)
        self._trials.append(Trial(edits, found, accepted))
        if accepted:
            self._accept(candidate)
        elif not found.is_promising:
            self._live = [x for x in self._live if not x.begins_with(candidate)]

    def _held(self, candidate: Candidate) -> Held:
        """Test it, no longer than it may still pass: only what was wrong can become better."""
        wrong, right = self._wrong_and_right(self._accepted, self.parts.keep)
        n_failed = sum(not trial.accepted for trial in self._trials)
        asked: list[Example] = []
        for some in (wrong[:FIRST_LOOK], wrong[FIRST_LOOK:], right):
            asked += some
            self._answers(candidate, some)
            before = [self._loss(self._accepted, one) for one in asked]
            after = [self._loss(candidate, one) for one in asked]
            found = held(before, after, n_failed=n_failed)
            hopeless = len(asked) >= len(wrong) and found.better < PROMISING
            if sum(before) <= sum(after) or hopeless:
                return replace(found, p_value=1.0)  # not all were looked at: nothing is proved
        return found

    def _keep_f1(self, candidate: Candidate) -> float:
        return score(_gold(self.parts.keep), self._answers(candidate, self.parts.keep)).f1

    def _accept(self, candidate: Candidate) -> None:
        others = [x for x in self._live if not x.begins_with(candidate) and x.edits]
        self._live = [x for x in self._live if x.begins_with(candidate)]
        for one in self._live:
            one.is_tested = False
        before, self._accepted = self._accepted, candidate
        for other in others:
            edits = [x for x in other.edits if x not in candidate.edits]
            texts = [x for x in self.parts.tune if self._is_wrong(before, x)]
            self._try(candidate, edits, texts[:SHOWN])

    # What was answered

    def _judged(self, *candidates: Candidate) -> list[Example]:
        """Give the texts of the tune part that none of the candidates shows."""
        shown = {example.text for one in candidates for example in one.words.examples}
        return [one for one in self.parts.tune if one.text not in shown]

    def _knows(self, candidate: Candidate, one: Example) -> bool:
        return (candidate.words.version, one.text) in self._said

    def _answer(self, candidate: Candidate, one: Example) -> frozenset[Fact]:
        return self._said[candidate.words.version, one.text]

    def _loss(self, candidate: Candidate, one: Example) -> int:
        """Count the wrong facts of an answer: what is said and is not so, or is so and not said."""
        return len(facts(one) ^ self._answer(candidate, one))

    def _answers(self, candidate: Candidate, texts: Sequence[Example]) -> list[frozenset[Fact]]:
        unknown = [one for one in texts if not self._knows(candidate, one)]
        if unknown:
            said = self.asking.answers(candidate.words, unknown)
            for one, answer in zip(unknown, said, strict=True):
                self._said[candidate.words.version, one.text] = answer
        return [self._answer(candidate, one) for one in texts]


def _child(parent: Candidate, edits: Sequence[Edit]) -> Candidate | None:
    words = parent.words
    try:
        for edit in edits:
            words = edited(words, edit)
    except InvalidAnswerError:
        return None
    return Candidate(words, (*parent.edits, *edits)) if edits else None


def _parted(
    texts: Sequence[Example], first: Callable[[str], bool]
) -> tuple[list[Example], list[Example]]:
    parted = [one for one in texts if first(one.text)]
    return parted, [one for one in texts if not first(one.text)]


def _gold(examples: Sequence[Example]) -> list[frozenset[Fact]]:
    return [facts(one) for one in examples]


def _chunks(texts: Sequence[Example], n: int) -> Iterator[Sequence[Example]]:
    for start in range(0, len(texts), n):
        yield texts[start : start + n]
