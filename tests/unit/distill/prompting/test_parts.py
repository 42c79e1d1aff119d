"""Gold in three parts by hash."""

from __future__ import annotations

from distill.prompting.parts import part_of, parts_of
from schemas.files.corpus import Example
from schemas.types import text_digest

GOLD = [Example(str(n), f"text {n}", ()) for n in range(300)]


def test_each_text_is_in_one_part_and_a_third_in_each() -> None:
    parts = parts_of(GOLD)
    sizes = [len(parts.tune), len(parts.keep), len(parts.report)]

    assert sum(sizes) == len(GOLD)
    assert min(sizes) > 75


def test_the_part_of_a_text_depends_on_nothing_but_the_text() -> None:
    few = parts_of([*GOLD[10::-1], GOLD[3]])

    assert {x.text for x in few.tune} == {x.text for x in GOLD[:11] if part_of(x.text) == "tune"}
    assert len(few.tune) + len(few.keep) + len(few.report) == 11


def test_texts_that_are_shown_are_in_no_part() -> None:
    shown = frozenset({text_digest("text 1")})

    parts = parts_of(GOLD, shown=shown)

    assert "text 1" not in {x.text for x in (*parts.tune, *parts.keep, *parts.report)}
