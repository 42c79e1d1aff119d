from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from distill.labels.judges import read_gold
from schemas.errors import ConfigError
from schemas.files.corpus import Example, write_jsonl
from schemas.files.example_pool import NO_POOL, read_pool, with_all_examples
from schemas.files.few_shot import MAX_CHARS, draw_examples
from schemas.files.task import LabelSpec, Task, TaskExample
from schemas.likeness import in_judging_half
from schemas.settings import Settings
from schemas.types import Entity

TASK = Task("people", "en", (LabelSpec("PER"),))


def example(text: str) -> Example:
    name = text.split(maxsplit=1)[0]
    return Example(text, text, (Entity(0, len(name), "PER", name),))


GOLD = [example(f"{name} came") for name in ("Ada", "Bo", "Cem", "Dag", "Eva", "Fay", "Gil", "Ho")]


def settings_of(folder: Path, gold: list[Example], **examples: Any) -> Settings:
    write_jsonl(folder / "gold.jsonl", gold)
    values = {
        "teacher": {"examples": examples, "few_shot": 2},
        "distill": {"gold": folder / "gold.jsonl"},
    }
    return Settings.model_validate(values)


def test_fixed_examples_need_no_pool(tmp_path: Path) -> None:
    assert read_pool(settings_of(tmp_path, GOLD), TASK) == NO_POOL


def test_no_text_of_gold_both_judges_and_is_in_the_pool(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, GOLD, choose="similar")
    pool = read_pool(settings, TASK)
    judges = read_gold(settings.distill.gold, TASK, pool=pool)
    assert judges is not None
    judging, shown = {x.text for x in judges.examples}, {x.text for x in pool.examples}
    assert judging
    assert shown
    assert (judging & shown, judging | shown) == (set(), {x.text for x in GOLD})


def test_texts_that_differ_in_digits_and_case_are_on_one_side(tmp_path: Path) -> None:
    gold = [*GOLD, *(example(f"{one.text.upper()}  7") for one in GOLD)]
    gold += [example(f"{one.text} 12") for one in GOLD]
    pool = read_pool(settings_of(tmp_path, gold, choose="similar"), TASK)
    for one in GOLD:
        assert pool.holds(f"{one.text} 7") == pool.holds(f"{one.text.upper()} 12")


def test_a_file_of_its_own_judges_nobody_even_while_examples_are_fixed(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "shown.jsonl", GOLD[:2])
    settings = settings_of(tmp_path, GOLD, file=tmp_path / "shown.jsonl")
    judges = read_gold(settings.distill.gold, TASK, pool=read_pool(settings, TASK))
    assert judges is not None
    assert list(judges.examples) == GOLD[2:]


def test_long_texts_are_not_shown_and_go_on_judging(tmp_path: Path) -> None:
    long = [example(f"{name} {'x' * MAX_CHARS}") for name in ("Ada", "Bo", "Cem", "Dag")]
    pool = read_pool(settings_of(tmp_path, [*GOLD, *long], choose="similar"), TASK)
    assert not any(pool.holds(one.text) for one in long)


def test_nothing_to_choose_from_is_refused(tmp_path: Path) -> None:
    nowhere = Settings.model_validate({"teacher": {"examples": {"choose": "similar"}}})
    with pytest.raises(ConfigError, match=r"teacher\.examples\.file"):
        read_pool(nowhere, TASK)
    judging = [one for one in GOLD if in_judging_half(one.text)]
    settings = settings_of(tmp_path, judging, choose="similar")
    with pytest.raises(ConfigError, match="no text to choose"):
        read_pool(settings, TASK)


def test_what_a_call_takes_counts_own_examples_drawn_ones_and_as_many_of_the_pool(
    tmp_path: Path,
) -> None:
    own = replace(TASK, examples=(TaskExample("Bo came"),))
    settings = settings_of(tmp_path, GOLD, choose="similar", number=3)
    told = with_all_examples(own, settings)
    pool = [one.text for one in read_pool(settings, own).examples[:3]]
    drawn = [one.text for one in draw_examples(GOLD, 2)]
    assert [one.text for one in told.examples] == ["Bo came", *drawn, *pool]
    assert told.digest == own.digest
