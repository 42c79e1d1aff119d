from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.errors import BudgetExhaustedError
from stream.teacher.capped_store import CappedStore

DAY = {"day": "2026-01-01", "budget_usd": 10.0}


def opened(folder: Path, *, most_usd: float = 1.0) -> CappedStore:
    return CappedStore(folder / "t.sqlite", run_ledger=folder / "run.sqlite", most_usd=most_usd)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CappedStore]:
    made = opened(tmp_path)
    yield made
    made.close()


def test_a_call_is_booked_in_both_ledgers(store: CappedStore) -> None:
    call = store.reserve(0.5, **DAY)
    store.settle(call, tokens_in=10, tokens_out=2, usd=0.25)
    assert store.totals() == store.run_totals()
    assert store.run_totals().usd == pytest.approx(0.25)


def test_the_run_stops_at_its_limit_and_leaves_the_day_as_it_was(store: CappedStore) -> None:
    store.reserve(0.75, **DAY)
    with pytest.raises(BudgetExhaustedError, match="--max-usd"):
        store.reserve(0.5, **DAY)
    assert store.totals().usd == pytest.approx(0.75)


def test_a_spent_day_leaves_the_run_as_it_was(store: CappedStore) -> None:
    with pytest.raises(BudgetExhaustedError):
        store.reserve(0.5, day="2026-01-01", budget_usd=0.1)
    assert store.run_totals().usd == 0


def test_what_is_released_may_be_spent_again(store: CappedStore) -> None:
    store.release(store.reserve(1.0, **DAY))
    assert store.reserve(1.0, **DAY)


def test_a_resumed_run_goes_on_under_the_same_limit(tmp_path: Path) -> None:
    first = opened(tmp_path)
    first.reserve(0.75, **DAY)  # never settled: the process dies here
    first.close()
    again = opened(tmp_path)
    with pytest.raises(BudgetExhaustedError):
        again.reserve(0.5, **DAY)
    again.close()
    more = opened(tmp_path, most_usd=2.0)
    assert more.reserve(0.5, **DAY)
    more.close()
