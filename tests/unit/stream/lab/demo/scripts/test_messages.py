from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import pytest

from schemas.files.corpus import Example
from schemas.files.task import require_annotation
from stream.lab.demo.feed import texts
from stream.lab.demo.names import Pool
from stream.lab.demo.scripts import MESSAGES
from stream.lab.demo.scripts.message_templates import EARLY, EARLY_FRAMES, MESSAGE, ByPool
from stream.lab.demo.scripts.message_templates_late import LATE, LATE_FRAMES
from stream.lab.demo.scripts.script import MakeStyle

STYLES = (MESSAGES.early, MESSAGES.late)
POOLS: tuple[Pool, ...] = ("feed", "gold", "held_out")


def written(make: MakeStyle, pool: Pool, n: int = 200, *, seed: int = 1) -> list[Example]:
    return list(texts(make(pool, seed=seed), n, prefix="x", seed=seed))


@pytest.mark.parametrize("make", STYLES)
@pytest.mark.parametrize("pool", POOLS)
def test_every_message_has_one_category_and_nothing_left_to_fill(
    make: MakeStyle, pool: Pool
) -> None:
    for example in written(make, pool):
        require_annotation(example, example.text, MESSAGES.task, where=example.id)
        assert not example.entities
        assert not {"{", "}", MESSAGE} & {*example.text, *example.text.split()}


@pytest.mark.parametrize("make", STYLES)
@pytest.mark.parametrize("pool", POOLS)
def test_no_category_is_rare(make: MakeStyle, pool: Pool) -> None:
    said = [category.label for one in written(make, pool) for category in one.categories]
    assert {*said} == {*MESSAGES.task.label_names}
    assert min(said.count(label) for label in {*said}) > 20


@pytest.mark.parametrize("make", STYLES)
def test_the_same_seed_writes_the_same_messages(make: MakeStyle) -> None:
    assert written(make, "feed", seed=3) == written(make, "feed", seed=3)


@pytest.mark.parametrize("style", [EARLY, LATE])
def test_no_sentence_both_teaches_and_judges_nor_stands_for_two_categories(
    style: Mapping[Pool, ByPool],
) -> None:
    groups = [{*sentences} for pool in style.values() for sentences in pool.values()]
    assert not [shared for one, other in combinations(groups, 2) for shared in one & other]


def test_every_frame_takes_the_message_once() -> None:
    assert {frame.count(MESSAGE) for frame in (*EARLY_FRAMES, *LATE_FRAMES)} == {1}


def test_the_drift_changes_how_messages_are_written() -> None:
    early, late = ({w for x in written(make, "feed") for w in x.text.split()} for make in STYLES)
    assert len(early & late) < 0.1 * len(late)


def test_most_messages_of_the_feed_differ() -> None:
    assert len({one.text for one in written(MESSAGES.early, "feed")}) > 150
