from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.errors import BudgetExhaustedError
from stream.teacher.capped_store import CappedStore
from stream.teacher.spending import Cause

CAUSE = Cause("people", "bootstrap", "question")


def reserved(store: CappedStore, usd: float, *, budget_usd: float = 10.0) -> int:
    return store.reserve(usd, cause=CAUSE, day="2026-01-01", budget_usd=budget_usd)


def opened(folder: Path, *, most_usd: float = 1.0) -> CappedStore:
    return CappedStore(folder / "t.sqlite", run_ledger=folder / "run.sqlite", most_usd=most_usd)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CappedStore]:
    made = opened(tmp_path)
    yield made
    made.close()


def test_a_call_is_booked_in_both_ledgers(store: CappedStore) -> None:
    call = reserved(store, 0.5)
    store.settle(call, tokens_in=10, tokens_out=2, usd=0.25)
    assert store.totals() == store.run_totals()
    assert store.run_totals().usd == pytest.approx(0.25)


def test_the_run_stops_at_its_limit_and_leaves_the_day_as_it_was(store: CappedStore) -> None:
    reserved(store, 0.75)
    with pytest.raises(BudgetExhaustedError, match="--max-usd"):
        reserved(store, 0.5)
    assert store.totals().usd == pytest.approx(0.75)


def test_a_spent_day_leaves_the_run_as_it_was(store: CappedStore) -> None:
    with pytest.raises(BudgetExhaustedError):
        reserved(store, 0.5, budget_usd=0.1)
    assert store.run_totals().usd == 0


def test_what_is_released_may_be_spent_again(store: CappedStore) -> None:
    store.release(reserved(store, 1.0))
    assert reserved(store, 1.0)


def test_a_resumed_run_goes_on_under_the_same_limit(tmp_path: Path) -> None:
    first = opened(tmp_path)
    reserved(first, 0.75)  # never settled: the process dies here
    first.close()
    again = opened(tmp_path)
    with pytest.raises(BudgetExhaustedError):
        reserved(again, 0.5)
    again.close()
    more = opened(tmp_path, most_usd=2.0)
    assert reserved(more, 0.5)
    more.close()
