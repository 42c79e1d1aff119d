from __future__ import annotations

import random
from collections import Counter

import pytest

from distill.labels.written.drawing import Outcome, Plan, draw
from schemas.files.task import LabelSpec, Task
from stream.teacher.writing.planning import Attributes
from stream.teacher.writing.texts import Draft, Seed

TASK = Task("t", "nl", (LabelSpec("PER"), LabelSpec("ORG")))
MOODS = Task("m", "en", (LabelSpec("glad"), LabelSpec("sad")), kind="categories", choose="one")
ANY = Task("m", "en", (LabelSpec("glad"), LabelSpec("sad")), kind="categories", choose="any")
ATTRIBUTES = Attributes(("sea", "law"), ("letter",), ("short",), ("plain",))
PLAN = Plan(ATTRIBUTES, {"PER": ("Ada", "Bo"), "ORG": ("IBM",)})
MOOD_PLAN = Plan(ATTRIBUTES, {"glad": ("a gift",), "sad": ("rain",)})


def drawn(
    n: int, *so_far: Outcome, plan: Plan = PLAN, task: Task = TASK, seed: int = 1
) -> list[Draft]:
    return draw(n, plan, so_far, task, lot=random.Random(seed))


def outcome(domain: str, *, novelty: float, labels: tuple[str, ...] = ()) -> Outcome:
    return Outcome(Draft(domain, "letter", "short", "plain"), novelty, labels)


def test_the_same_draw_gives_the_same_drafts() -> None:
    assert drawn(20) == drawn(20)
    assert drawn(20) != drawn(20, seed=2)


def test_some_texts_are_to_hold_nothing_and_some_a_trap() -> None:
    drafts = drawn(400)
    empty = sum(not draft.use for draft in drafts)
    traps = sum(bool(draft.trap) for draft in drafts)
    assert 30 <= empty <= 90
    assert 30 <= traps <= 90
    assert {draft.trap for draft in drafts} == {"", "PER", "ORG"}
    assert max(len(draft.use) for draft in drafts) == 3


def test_a_value_whose_texts_were_dropped_comes_less_often() -> None:
    dull = [outcome("sea", novelty=0.0)] * 20
    fresh = [outcome("law", novelty=0.9)] * 20
    found = Counter(draft.domain for draft in drawn(30, *dull, *fresh))
    assert found["law"] > 2 * found["sea"]


def test_a_value_that_came_seldom_comes_next() -> None:
    found = Counter(draft.domain for draft in drawn(10, *[outcome("sea", novelty=0.9)] * 200))
    assert found["law"] > found["sea"]


def test_a_label_that_is_rare_so_far_comes_next() -> None:
    many = [outcome("sea", novelty=0.5, labels=("PER", "PER"))] * 100
    seeds = [seed.label for draft in drawn(60, *many) for seed in draft.use]
    assert seeds.count("ORG") > 3 * seeds.count("PER")


def test_names_come_by_turns() -> None:
    seeds = Counter(seed for draft in drawn(200) for seed in draft.use)
    assert abs(seeds[Seed("PER", "Ada")] - seeds[Seed("PER", "Bo")]) <= 1


def test_of_one_category_there_is_always_exactly_one_and_the_trap_is_another() -> None:
    drafts = drawn(200, plan=MOOD_PLAN, task=MOODS)
    assert {len(draft.use) for draft in drafts} == {1}
    assert all(draft.trap != draft.use[0].label for draft in drafts)
    assert any(draft.trap for draft in drafts)


def test_of_any_number_of_categories_none_comes_twice_in_a_text() -> None:
    drafts = drawn(300, plan=MOOD_PLAN, task=ANY)
    assert {len(draft.use) for draft in drafts} == {0, 1, 2}
    assert all(len({seed.label for seed in draft.use}) == len(draft.use) for draft in drafts)


@pytest.mark.parametrize("names", [{"PER": ("Ada",), "ORG": ()}, {"PER": (), "ORG": ()}])
def test_a_label_without_names_is_left_out(names: dict[str, tuple[str, ...]]) -> None:
    seeds = {seed.label for draft in drawn(40, plan=Plan(ATTRIBUTES, names)) for seed in draft.use}
    assert seeds == {label for label, found in names.items() if found}
