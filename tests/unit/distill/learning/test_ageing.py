from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from pydantic import ValidationError

from distill.learning.ageing import (
    HALF_LIFE,
    MIN_GAIN,
    PILOT_HALF_LIFE,
    AgedExample,
    Ageing,
    aged,
    aged_examples,
    ages,
    choose_ageing,
    drawn,
    settle_ageing,
)
from distill.training.batches import TrainExample
from schemas.categories import of_labels
from schemas.files.task import LabelSpec, Task
from schemas.settings import Recipe
from schemas.types import Entity, SilverLabel, Tagging

MakeLabel = Callable[..., SilverLabel]
ADA = (Entity(0, 3, "PER", "Ada"),)


def _examples(entities: Sequence[tuple[Entity, ...]], *, cold: int = 0) -> list[AgedExample]:
    """Texts of these entities, oldest first; the first `cold` are of one age."""
    newest = len(entities) - 1
    return [
        AgedExample(TrainExample("Ada sings", found), (newest - max(i, cold - 1)) / len(entities))
        for i, found in enumerate(entities)
    ]


def _told_apart(n: int, *, cold: int = 0) -> list[AgedExample]:
    """The same of Ada alone, but no two texts are alike."""
    return [
        replace(one, example=replace(one.example, text=f"Ada sings {i}"))
        for i, one in enumerate(_examples([ADA] * n, cold=cold))
    ]


class Oracle:
    """A pilot that marks Ada when what it knows says so; keeps what it was asked."""

    def __init__(self, marks: Callable[[Sequence[TrainExample]], bool]) -> None:
        self._marks = marks
        self.known: list[Sequence[TrainExample]] = []
        self.n_unknown: list[int] = []

    def __call__(
        self, known: Sequence[TrainExample], unknown: Sequence[TrainExample]
    ) -> list[Tagging]:
        self.known.append(known)
        self.n_unknown.append(len(unknown))
        said = ADA if self._marks(known) else ()
        return [Tagging(said, 1.0, 1.0) for _ in unknown]

    def n_known(self) -> list[int]:
        return [len(known) for known in self.known]


def test_an_age_is_the_share_that_is_newer(make_label: MakeLabel) -> None:
    labels = [make_label(f"Ada {at}", labelled_at_ms=at) for at in (30, 10, 40, 20)]

    assert ages(labels).tolist() == [0.25, 0.75, 0.0, 0.5]
    assert ages([]).tolist() == []


def test_cold_start_labels_of_one_go_are_of_one_age(make_label: MakeLabel) -> None:
    labels = [
        *(make_label(f"Ada {at}", labelled_at_ms=at, source="bootstrap") for at in (1, 2, 3)),
        make_label("Ada 4", labelled_at_ms=4),
        *(make_label(f"Ada {at}", labelled_at_ms=at, source="human") for at in (5, 6)),
        *(make_label(f"Ada {at}", labelled_at_ms=at) for at in (7, 8)),
    ]

    assert ages(labels).tolist() == [5 / 8, 5 / 8, 5 / 8, 4 / 8, 2 / 8, 2 / 8, 1 / 8, 0.0]


def test_a_weight_halves_with_each_half_life() -> None:
    examples = [
        AgedExample(TrainExample("a", (), weight), age)
        for age, weight in ((0.0, 1.0), (0.25, 1.0), (0.5, 0.5))
    ]

    assert [one.weight for one in aged(examples, 0.25)] == [1.0, 0.5, 0.125]
    assert [one.weight for one in aged(examples, None)] == [1.0, 1.0, 0.5]


def test_examples_are_drawn_as_often_as_they_weigh() -> None:
    examples = [
        TrainExample(name, (), weight) for name, weight in zip("abcd", (1, 1, 2, 4), strict=True)
    ]

    assert [one.text for one in drawn(examples)] == ["a", "c", "d", "d"]
    assert {one.weight for one in drawn(examples)} == {1.0}
    alike = [TrainExample(str(i), ()) for i in range(100)]
    assert drawn(alike) == alike


def test_of_very_many_examples_some_are_drawn() -> None:
    alike = [TrainExample(str(i), ()) for i in range(100)]
    assert [one.text for one in drawn(alike, 4)] == ["12", "37", "62", "87"]


@pytest.mark.parametrize("helps", [True, False])
def test_labels_are_aged_when_that_tells_the_newest_better(*, helps: bool) -> None:
    examples = _told_apart(200)
    oldest, newest = examples[1].example, examples[159].example  # the very oldest is the cold start
    oracle = Oracle(lambda known: (oldest not in known) is helps)

    ageing = choose_ageing(examples, oracle, seed=0)

    assert ageing.half_life == (HALF_LIFE if helps else None)
    assert ageing.gain
    assert ageing.gain.estimate == (1.0 if helps else -1.0)
    assert oracle.n_unknown == [40, 40]
    alike, by_age = oracle.known
    assert list(alike) == [one.example for one in examples[1:160]]
    assert {one.weight for one in by_age} == {1.0}
    effective = sum(0.5 ** (age / 159 / PILOT_HALF_LIFE) for age in range(159))
    assert len(by_age) == 159
    assert by_age.count(newest) == pytest.approx(159 / effective, abs=1)


def _gaining(n: int, found: tuple[int, int]) -> Ageing:
    """Ask pilots that find so many of the newest of `n` labels, alike and aged."""
    calls = iter(found)

    def pilot(_known: Sequence[TrainExample], unknown: Sequence[TrainExample]) -> list[Tagging]:
        n_found = next(calls)
        return [Tagging(ADA if i < n_found else (), 1.0, 1.0) for i in range(len(unknown))]

    return choose_ageing(_examples([ADA] * n), pilot, seed=0)


def test_a_gain_that_may_be_chance_ages_nothing() -> None:
    ageing = _gaining(200, (20, 24))

    assert ageing.gain
    assert ageing.gain.estimate > MIN_GAIN
    assert ageing.gain.low < MIN_GAIN
    assert ageing.half_life is None


@pytest.mark.parametrize(("n_found", "aged"), [(385, False), (395, True)])
def test_a_gain_that_two_pilots_may_have_by_their_training_alone_ages_nothing(
    n_found: int, *, aged: bool
) -> None:
    ageing = _gaining(2000, (360, n_found))

    assert ageing.gain
    assert ageing.gain.low > 0.01
    assert ageing.gain.estimate > MIN_GAIN
    assert (ageing.half_life is not None) is aged


@pytest.mark.parametrize(
    ("n", "cold"),
    [(0, 0), (19, 0), (95, 0), (200, 200), (200, 170)],
    ids=["none", "few", "few-newest", "cold-start-only", "few-after-the-cold-start"],
)
def test_too_few_labels_are_not_asked(n: int, cold: int) -> None:
    def never(_known: Sequence[TrainExample], _unknown: Sequence[TrainExample]) -> list[Tagging]:
        raise AssertionError

    assert choose_ageing(_examples([ADA] * n, cold=cold), never, seed=0) == Ageing(None)


def test_the_cold_start_is_not_shown_to_the_pilots() -> None:
    oracle = Oracle(lambda _known: True)

    choose_ageing(_examples([()] * 100 + [ADA] * 100), oracle, seed=0)
    choose_ageing(_examples([()] * 100 + [ADA] * 100, cold=100), oracle, seed=0)

    assert oracle.n_known() == [159, 159, 60, 60]


def test_half_of_the_labels_since_the_cold_start_are_held_back_at_most() -> None:
    oracle = Oracle(lambda _known: True)

    choose_ageing(_examples([ADA] * 300, cold=240), oracle, seed=0)

    assert set(oracle.n_unknown) == {30}


def test_a_late_cold_start_that_is_held_back_in_part_does_not_outweigh_the_rest() -> None:
    oracle = Oracle(lambda _known: True)
    late = [AgedExample(TrainExample(f"Bo {i}", ()), 0.0) for i in range(100)]

    choose_ageing([*_told_apart(100), *late], oracle, seed=0)

    by_age = [one.text for one in oracle.known[1]]
    n_drawn = [by_age.count(text) for text in ("Bo 0", "Bo 30", "Ada sings 99", "Ada sings 85")]
    assert max(n_drawn) - min(n_drawn) <= 1


@pytest.mark.parametrize("drifts", [True, False])
def test_real_pilots_see_that_old_labels_are_no_longer_true(
    recipe: Recipe, task: Task, *, drifts: bool
) -> None:
    old: tuple[Entity, ...] = () if drifts else ADA
    examples = _examples([old] * 100 + [ADA] * 100)

    ageing = settle_ageing(examples, task=task, recipe=recipe, seed=0)

    assert (ageing.half_life is not None) is drifts
    facts = ageing.facts()
    assert ("label_half_life" in facts) is drifts
    assert facts["ageing_gain_low"] <= facts["ageing_gain"] <= facts["ageing_gain_high"]


def test_a_half_life_too_short_for_a_weight_is_refused() -> None:
    with pytest.raises(ValidationError, match="label_half_life"):
        Recipe(label_half_life=0.001)


MOOD = Task("mood", "en", (LabelSpec("glad"), LabelSpec("sad")), kind="categories", choose="any")


def test_an_example_knows_what_its_text_was_not_asked(make_label: MakeLabel) -> None:
    wider = replace(MOOD, labels=(*MOOD.labels, LabelSpec("calm", added=True)))
    labels = [make_label("a day", entities=(), task_digest=x.digest) for x in (MOOD, wider)]
    assert [one.example.unasked for one in aged_examples(labels, wider)] == [{"calm"}, set()]


def test_categories_age_with_their_labels(make_label: MakeLabel) -> None:
    glad, sad = of_labels(["glad"]), of_labels(["sad"])
    labels = [
        replace(make_label(f"day {at}", entities=(), labelled_at_ms=at), categories=said)
        for at, said in enumerate([sad, glad])
    ]

    examples = aged(aged_examples(labels, MOOD), 0.5)

    assert [(one.categories, one.weight) for one in examples] == [(sad, 0.5), (glad, 1.0)]
    assert {one.categories for one in drawn(examples)} == {sad, glad}


@pytest.mark.parametrize("helps", [True, False])
def test_categories_are_aged_when_that_tells_the_newest_better(*, helps: bool) -> None:
    glad = of_labels(["glad"])
    examples = [
        AgedExample(TrainExample(f"day {i}", (), categories=glad), (199 - i) / 200)
        for i in range(200)
    ]
    oldest = examples[1].example
    seen: list[int] = []

    def pilot(known: Sequence[TrainExample], unknown: Sequence[TrainExample]) -> Sequence[Tagging]:
        seen.append(sum(one.categories == glad for one in (*known, *unknown)))
        right = (oldest not in known) is helps
        return [Tagging((), 1.0, 1.0, glad if right else of_labels(["sad"])) for _ in unknown]

    ageing = choose_ageing(examples, pilot, seed=0)

    assert ageing.half_life == (HALF_LIFE if helps else None)
    assert ageing.gain
    assert ageing.gain.estimate == (1.0 if helps else -1.0)
    assert seen == [199, 199]
