"""The search for a better prompt, with a teacher whose faults the guidelines mend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from distill.prompting.holding import ALPHA
from distill.prompting.parts import Parts
from distill.prompting.search import FIRST_LOOK, LOOK, PATIENCE, SHOWN, Outcome, Search, Targets
from schemas.errors import BudgetExhaustedError
from schemas.files.corpus import Example
from schemas.files.prompt_words import LabelWords, PromptWords
from schemas.types import Category, Fact, facts
from stream.teacher.prompt_edits import Edit, Mistake

WORDS = PromptWords("", (LabelWords("glad"), LabelWords("sad")))
GLAD: Fact = (0, 0, "glad")
ALL = Targets(1.0, 1.0)


def part(name: str, *, ironic: int, plain: int = 6) -> tuple[Example, ...]:
    texts = [f"{name} ironic {n}" for n in range(ironic)] + [f"{name} {n}" for n in range(plain)]
    return tuple(Example(text, text, (), categories=(Category("sad"),)) for text in texts)


PARTS = Parts(part("tune", ironic=8), part("keep", ironic=10), part("report", ironic=2))

Mends = Callable[[str, str], bool]
"""Whether a line of the guidelines mends a text."""


def by_name(line: str, text: str) -> bool:
    """`irony` mends all that is ironic, `overfit` the tune part."""
    return "irony" in line or ("overfit" in line and text.startswith("tune"))


@dataclass
class Teacher:
    """Says that ironic texts are glad, and proposes what it is told to, the same for ever."""

    proposed: Sequence[Edit]
    mends: Mends = by_name
    harms: Mends = lambda _line, _text: False
    max_calls: int = 10_000
    asked: list[str] = field(default_factory=list)
    shown: list[list[Mistake]] = field(default_factory=list)

    def answers(self, words: PromptWords, examples: Sequence[Example]) -> list[frozenset[Fact]]:
        self.asked += [one.text for one in examples]
        if len(self.asked) + len(self.shown) > self.max_calls:
            raise BudgetExhaustedError("the calls are made")
        return [self._said(words, one) for one in examples]

    def proposals(self, words: PromptWords, mistakes: Sequence[Mistake]) -> Sequence[Edit]:
        self.shown.append(list(mistakes))
        return self.proposed

    def _said(self, words: PromptWords, one: Example) -> frozenset[Fact]:
        lines = words.guidelines.splitlines()
        wrong = "ironic" in one.text and not any(self.mends(x, one.text) for x in lines)
        wrong |= any(self.harms(line, one.text) for line in lines)
        return frozenset([GLAD]) if wrong else facts(one)


def found(teacher: Teacher, *, targets: Targets = ALL, parts: Parts = PARTS) -> Outcome:
    return Search(WORDS, parts, teacher, kind="categories", targets=targets, seed=0).run()


def guideline(text: str) -> Edit:
    return Edit("guideline", text)


def test_an_edit_that_holds_on_the_keep_part_is_accepted() -> None:
    teacher = Teacher([guideline("nothing"), guideline("irony")])
    outcome = found(teacher)

    assert outcome.words.guidelines == "- irony"
    assert outcome.edits == (guideline("irony"),)
    assert outcome.stopped == "targets"
    (trial,) = outcome.trials
    assert (trial.accepted, trial.held.better, trial.held.worse) == (True, 10, 0)


def test_an_edit_that_only_fits_the_tune_part_is_struck() -> None:
    outcome = found(Teacher([guideline("overfit")]))

    assert outcome.words == WORDS
    assert outcome.stopped == "dry"
    (trial,) = outcome.trials
    assert not trial.accepted


def test_an_edit_that_breaks_on_the_keep_part_what_it_mends_there_is_struck() -> None:
    teacher = Teacher(
        [guideline("irony")],
        harms=lambda _line, text: text.startswith("keep") and "ironic" not in text,
    )
    outcome = found(teacher)

    assert outcome.edits == ()
    assert (outcome.trials[0].held.better, outcome.trials[0].held.worse) == (10, 6)


def test_an_edit_that_mends_nothing_costs_few_questions_and_no_trial() -> None:
    teacher = Teacher([guideline("nothing")])
    outcome = found(teacher)

    assert outcome.trials == ()
    twice = {text for text in teacher.asked if teacher.asked.count(text) > 1}
    assert twice <= {x.example.text for mistakes in teacher.shown for x in mistakes[:LOOK]}


def test_mistakes_are_shown_and_gold_of_the_keep_part_never_is() -> None:
    teacher = Teacher([guideline("nothing")])
    found(teacher)

    assert len(teacher.shown) == PATIENCE
    for mistakes in teacher.shown:
        assert len(mistakes) == SHOWN
        assert all(x.example.text.startswith("tune ironic") for x in mistakes)
        assert all(x.gold == {(0, 0, "sad")} for x in mistakes)
        assert all(x.said == {GLAD} for x in mistakes)
    assert len({tuple(x.example.text for x in mistakes) for mistakes in teacher.shown}) > 1


def test_edits_that_mend_different_things_are_put_together() -> None:
    teacher = Teacher(
        [guideline("even"), guideline("odd")],
        mends=lambda line, text: int(text[-1]) % 2 == ("odd" in line),
    )
    parts = Parts(part("tune", ironic=10), part("keep", ironic=30), PARTS.report)
    outcome = found(teacher, parts=parts)

    assert set(outcome.words.guidelines.splitlines()) == {"- even", "- odd"}
    assert [trial.accepted for trial in outcome.trials] == [True, True]
    assert outcome.stopped == "targets"


def test_what_is_promising_but_not_sure_waits_for_another_edit() -> None:
    teacher = Teacher(
        [guideline("even"), guideline("odd")],
        mends=lambda line, text: int(text[-1]) % 2 == ("odd" in line),
    )
    outcome = found(teacher)

    first, *_, last = outcome.trials
    assert (first.held.better, first.held.worse, first.accepted) == (5, 0, False)
    assert (last.held.better, last.accepted) == (10, True)
    assert len(last.edits) == 2


def test_it_stops_at_its_targets_and_asks_no_more() -> None:
    teacher = Teacher([guideline("irony")])
    outcome = found(teacher, targets=Targets(0.3, 0.3))

    assert (outcome.stopped, outcome.edits) == ("targets", ())
    assert sorted(teacher.asked) == sorted(one.text for one in PARTS.keep)


def test_what_was_accepted_stays_when_the_money_is_spent() -> None:
    needed = Teacher([guideline("irony")])
    found(needed)
    short = Teacher([guideline("irony")], max_calls=20)

    outcome = found(short)

    assert (outcome.stopped, outcome.why) == ("budget", "the calls are made")
    assert outcome.words == WORDS


def test_a_text_that_is_shown_says_nothing_about_the_prompt_that_shows_it() -> None:
    shown: list[Edit] = []

    class Showing(Teacher):
        def proposals(self, words: PromptWords, mistakes: Sequence[Mistake]) -> Sequence[Edit]:
            shown.append(Edit("example", example=mistakes[0].example))
            return [shown[-1]]

        def _said(self, words: PromptWords, one: Example) -> frozenset[Fact]:
            is_shown = one.text in {example.text for example in words.examples}
            return facts(one) if is_shown else super()._said(words, one)

    outcome = found(Showing([]))

    assert shown
    assert outcome.trials == ()


def test_no_text_is_asked_about_twice_by_the_same_words() -> None:
    teacher = Teacher([])
    found(teacher)

    assert len(teacher.asked) == len(set(teacher.asked))


def test_a_search_goes_the_same_way_each_time() -> None:
    first, second = (Teacher([guideline("overfit"), guideline("irony")]) for _ in range(2))

    assert found(first) == found(second)
    assert first.asked == second.asked


def odd_or_even(line: str, text: str) -> bool:
    return int(text[-1]) % 2 == ("odd" in line)


def test_what_others_found_is_tried_on_top_of_what_is_accepted() -> None:
    class Once(Teacher):
        def proposals(self, words: PromptWords, mistakes: Sequence[Mistake]) -> Sequence[Edit]:
            said = super().proposals(words, mistakes)
            return said if len(self.shown) == 1 else []

    teacher = Once([guideline("even"), guideline("odd")], mends=odd_or_even)
    parts = Parts(part("tune", ironic=10), part("keep", ironic=30), PARTS.report)

    assert len(found(teacher, parts=parts).edits) == 2


def test_nothing_is_proposed_any_more_for_what_was_struck() -> None:
    told: list[str] = []

    class Told(Teacher):
        def proposals(self, words: PromptWords, mistakes: Sequence[Mistake]) -> Sequence[Edit]:
            told.append(words.guidelines)
            return super().proposals(words, mistakes)

    # It mends half of the tune part, so that there are mistakes left to propose from.
    half = [guideline("overfit even")]
    found(Told(half, mends=lambda _, text: text.startswith("tune") and int(text[-1]) % 2 == 0))

    assert told == [""] * PATIENCE


def test_an_edit_that_mends_none_of_the_first_texts_of_keep_costs_no_more() -> None:
    teacher = Teacher([guideline("overfit")])
    parts = Parts(PARTS.tune, part("keep", ironic=30), PARTS.report)
    found(teacher, parts=parts)

    again = [text for text in teacher.asked if text.startswith("keep")]
    assert len(again) == len(parts.keep) + FIRST_LOOK


def test_mistakes_of_one_sort_are_shown_together() -> None:
    class Silent(Teacher):
        def _said(self, words: PromptWords, one: Example) -> frozenset[Fact]:
            return frozenset() if "ironic" not in one.text else super()._said(words, one)

    teacher = Silent([])
    found(teacher, parts=Parts(part("tune", ironic=8, plain=8), PARTS.keep, PARTS.report))

    # At first few mistakes are known; at last there are enough of each sort.
    assert len({bool(x.said) for x in teacher.shown[-1]}) == 1
    assert len({x.example.text for mistakes in teacher.shown for x in mistakes}) > 2 * SHOWN


def test_each_test_that_failed_makes_the_next_one_stricter() -> None:
    outcome = found(Teacher([guideline("overfit"), guideline("overfit too"), guideline("irony")]))

    assert [trial.accepted for trial in outcome.trials][-1]
    alphas = [trial.held.alpha for trial in outcome.trials]
    assert alphas == [ALPHA / ((n + 1) * (n + 2)) for n in range(len(alphas))]
    assert len(alphas) > 1


def test_the_seed_chooses_which_mistakes_are_shown() -> None:
    first, second = Teacher([]), Teacher([])
    for seed, teacher in enumerate((first, second)):
        Search(WORDS, PARTS, teacher, kind="categories", targets=ALL, seed=seed).run()

    assert first.shown != second.shown


def test_how_sure_gold_is_becomes_no_word_of_a_prompt() -> None:
    unsure = tuple(
        replace(one, categories=tuple(replace(x, confidence=0.7) for x in one.categories))
        for one in PARTS.tune
    )
    teacher = Teacher([guideline("nothing")])
    found(teacher, parts=replace(PARTS, tune=unsure))
    shown = [x for mistakes in teacher.shown for one in mistakes for x in one.example.categories]
    assert {x.confidence for x in shown} == {1.0}
