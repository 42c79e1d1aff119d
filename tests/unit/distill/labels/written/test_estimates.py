from __future__ import annotations

from dataclasses import replace

import pytest

from distill.labels.written.estimates import Tokens, estimate, names_wanted
from schemas.files.task import LabelSpec, Task
from schemas.settings import Settings

TASK = Task("t", "en", (LabelSpec("PER"), LabelSpec("LOC")))


def test_the_passes_grow_with_the_texts_and_add_up() -> None:
    few, many = estimate(TASK, 100), estimate(TASK, 1000)
    assert set(few.passes) == {"planning", "writing", "labelling", "doubting"}
    assert many.passes["labelling"].tokens_out == 10 * few.passes["labelling"].tokens_out
    assert many.total.tokens_in == sum(x.tokens_in for x in many.passes.values())


def test_a_longer_task_file_costs_more_in_each_pass() -> None:
    longer = replace(TASK, guidelines="Leave out titles. " * 50)
    short, long = estimate(TASK, 100).passes, estimate(longer, 100).passes
    assert all(long[name].tokens_in > short[name].tokens_in for name in short)


def test_tokens_are_priced_by_the_settings() -> None:
    prices = {"price_in_usd_per_million": 1.0, "price_out_usd_per_million": 4.0}
    settings = Settings.model_validate({"teacher": prices})
    assert Tokens(1_000_000, 500_000).usd(settings) == pytest.approx(3.0)


def test_more_texts_want_more_names_up_to_a_limit() -> None:
    assert [names_wanted(TASK, n) for n in (10, 200, 10**6)] == [40, 100, 400]
