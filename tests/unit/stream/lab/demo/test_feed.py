from __future__ import annotations

import random
from typing import Protocol

import pytest

from schemas.bio import validate_entities
from stream.lab.demo.feed import LABELS, Style, early_style, late_style, render, texts
from stream.lab.demo.names import Kind, Names, Pool
from stream.lab.demo.templates import FEED_EARLY, FEED_LATE, FILLERS, GOLD_EARLY, GOLD_LATE


class MakeStyle(Protocol):
    def __call__(self, pool: Pool, *, seed: int) -> Style: ...


STYLES = (early_style, late_style)


def written(style: Style, n: int = 200) -> list[str]:
    return [example.text for example in texts(style, n, prefix="x", seed=1)]


def test_slots_become_entities_at_their_exact_places() -> None:
    text, entities = render("Hi {person}, {number}!", {"person": "Ada", "number": "7"}.__getitem__)
    assert text == "Hi Ada, 7!"
    assert [(e.start, e.end, e.label, e.surface) for e in entities] == [(3, 6, "PERSON", "Ada")]


@pytest.mark.parametrize("make", STYLES)
def test_every_span_is_a_substring_of_its_text(make: MakeStyle) -> None:
    for example in texts(make("feed", seed=3), 300, prefix="x", seed=3):
        validate_entities(example.text, example.entities)


@pytest.mark.parametrize("make", STYLES)
def test_the_same_seed_writes_the_same_feed(make: MakeStyle) -> None:
    assert written(make("feed", seed=3)) == written(make("feed", seed=3))


def test_no_template_both_teaches_and_judges() -> None:
    assert not {*FEED_EARLY, *FEED_LATE} & {*GOLD_EARLY, *GOLD_LATE}


@pytest.mark.parametrize("make", STYLES)
@pytest.mark.parametrize("kind", LABELS)
def test_no_name_both_teaches_and_judges(make: MakeStyle, kind: Kind) -> None:
    judges: tuple[Pool, ...] = ("feed", "gold", "held_out")
    pools = [set(make(pool, seed=3).names.by_kind[kind]) for pool in judges]
    assert all(pools)
    assert not pools[0] & (pools[1] | pools[2])
    assert not pools[1] & pools[2]


def test_fillers_are_no_entities() -> None:
    style = Style(["{day} {job} {time} {number}"], Names({}))
    example = style.write("x", random.Random(1))
    assert not example.entities
    assert example.text.split()[0] in FILLERS["day"]


def test_most_texts_of_the_feed_differ() -> None:
    assert len(set(written(early_style("feed", seed=1)))) > 150
