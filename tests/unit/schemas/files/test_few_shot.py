from __future__ import annotations

from pathlib import Path

import pytest

from schemas.categories import of_labels
from schemas.errors import ConfigError
from schemas.files.corpus import Example, write_jsonl
from schemas.files.few_shot import (
    MAX_CHARS,
    draw_examples,
    teacher_examples,
)
from schemas.files.task import LabelSpec, Task
from schemas.types import Entity


def example(text: str) -> Example:
    name = text.split(maxsplit=1)[0]
    return Example(text, text, (Entity(0, len(name), "PER", name),))


TASK = Task("people", "en", (LabelSpec("PER"),))
GOLD = [example(f"Ada {i}") for i in range(20)]


def test_the_same_records_are_drawn_whatever_their_order() -> None:
    assert draw_examples(GOLD, 5) == draw_examples(GOLD[::-1], 5)
    assert draw_examples(GOLD, 3) == draw_examples(GOLD, 5)[:3]


def test_only_short_records_with_entities_are_drawn() -> None:
    useless = [Example("rain", "rain", ()), example("x" * (MAX_CHARS + 1))]
    assert draw_examples([*useless, GOLD[0]], 5) == [GOLD[0]]


def test_the_teacher_is_shown_what_was_drawn(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "gold.jsonl", GOLD)
    shown = teacher_examples(tmp_path / "gold.jsonl", 4, TASK)
    assert [one.text for one in shown] == [one.text for one in draw_examples(GOLD, 4)]
    assert shown[0].entities == GOLD[0].entities


def test_no_examples_need_no_gold() -> None:
    assert teacher_examples(None, 0, TASK) == ()


def test_examples_without_gold_are_a_mistake_in_the_settings() -> None:
    with pytest.raises(ConfigError, match=r"distill\.gold"):
        teacher_examples(None, 3, TASK)


def of_moods(number: int, *moods: str) -> Example:
    return Example(f"{number}", f"text {number}", (), categories=of_labels(moods))


def test_of_categories_each_takes_its_turn_however_rare_it_is() -> None:
    gold = [*(of_moods(i, "glad") for i in range(30)), of_moods(99, "sad"), of_moods(98)]
    drawn = draw_examples(gold, 4, choose="one")
    assert [one.categories for one in drawn] == [
        of_labels([name]) for name in ("glad", "sad", "glad", "glad")
    ]
    assert draw_examples(gold[::-1], 4, choose="one") == drawn
    assert draw_examples(gold, 2, choose="one") == drawn[:2]


def test_where_there_may_be_no_category_a_record_of_none_is_shown_too() -> None:
    gold = [of_moods(1, "glad", "sad"), of_moods(2), of_moods(3, "glad")]
    drawn = draw_examples(gold, 9, choose="any")
    assert drawn[0].categories == ()
    assert sorted(one.id for one in drawn) == ["1", "2", "3"]


def test_gold_of_categories_teaches_no_entities(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "gold.jsonl", [of_moods(1, "PER")])
    task = Task("people", "en", (LabelSpec("PER"),))
    with pytest.raises(ConfigError, match="text 1: it has categories, but the task asks for ent"):
        teacher_examples(tmp_path / "gold.jsonl", 1, task)
