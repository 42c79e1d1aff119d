"""The teacher's state file of 0.1.0 is read today: what was spent, and the answers it knows."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stream.teacher.ledger_and_cache import TeacherStore, totals_of


@pytest.fixture
def state(kept: Path, tmp_path: Path) -> Path:
    """A copy: SQLite writes beside what it reads."""
    return Path(shutil.copy(kept / "teacher.sqlite", tmp_path))


def test_what_was_spent_stands_and_answers_are_remembered(
    state: Path, read: Callable[[str], Any], plain: Callable[[Any, Any], Any]
) -> None:
    then, store = read("teacher.json"), TeacherStore(state)
    assert plain(totals_of(state), then["totals"]) == then["totals"]
    for day, usd in then["spent_usd"].items():
        assert store.spent_usd(day) == usd
    for key, answer in then["answers"].items():
        assert plain(store.cached(key), answer) == answer
    store.close()


def test_a_call_that_0_1_0_never_settled_can_be_settled_today(state: Path) -> None:
    store = TeacherStore(state)
    next_call = store.reserve(0.01, day="2024-01-01", budget_usd=1.0)
    store.settle(next_call - 1, tokens_in=10, tokens_out=1, usd=0.05)
    assert store.spent_usd("2024-01-01") == pytest.approx(0.06)
    store.close()
