"""What one run may spend, whatever the day's budget is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.errors import BudgetExhaustedError
from stream.teacher.purse import Purse, PursedStore
from stream.teacher.spending import Cause

DAY = "2026-01-02"
CAUSE = Cause("people", "prompt", "question")


@pytest.fixture
def purse() -> Purse:
    return Purse(max_usd=1.0, max_calls=3)


@pytest.fixture
def store(tmp_path: Path, purse: Purse) -> Iterator[PursedStore]:
    opened = PursedStore(tmp_path / "teacher.sqlite", purse)
    yield opened
    opened.close()


def test_what_a_call_did_cost_counts_in_purse_and_ledger(store: PursedStore, purse: Purse) -> None:
    call = store.reserve(0.5, cause=CAUSE, day=DAY, budget_usd=9)
    store.settle(call, tokens_in=1, tokens_out=1, usd=0.2)

    assert purse.calls == 1
    assert purse.usd == pytest.approx(0.2)
    assert store.spent_usd(DAY) == pytest.approx(0.2)


def test_a_call_that_cost_nothing_is_given_back(store: PursedStore, purse: Purse) -> None:
    store.release(store.reserve(0.5, cause=CAUSE, day=DAY, budget_usd=9))

    assert (purse.calls, purse.usd, store.spent_usd(DAY)) == (0, 0, 0)


def test_nothing_is_reserved_beyond_the_purse(store: PursedStore) -> None:
    store.reserve(0.7, cause=CAUSE, day=DAY, budget_usd=9)

    with pytest.raises(BudgetExhaustedError, match=r"0\.7000 of the 1\.0000 USD of this run"):
        store.reserve(0.4, cause=CAUSE, day=DAY, budget_usd=9)
    assert store.spent_usd(DAY) == pytest.approx(0.7)


def test_what_the_day_does_not_grant_is_not_taken_from_the_purse(
    store: PursedStore, purse: Purse
) -> None:
    with pytest.raises(BudgetExhaustedError, match=DAY):
        store.reserve(0.5, cause=CAUSE, day=DAY, budget_usd=0.4)
    assert (purse.calls, purse.usd) == (0, 0)


def test_calls_are_bounded_too(store: PursedStore) -> None:
    for _ in range(3):
        store.reserve(0, cause=CAUSE, day=DAY, budget_usd=9)
    with pytest.raises(BudgetExhaustedError, match="the 3 calls of this run are made"):
        store.reserve(0, cause=CAUSE, day=DAY, budget_usd=9)


def test_what_is_kept_back_is_free_later(store: PursedStore, purse: Purse) -> None:
    purse.keep_back(usd=0.8, calls=0)
    with pytest.raises(BudgetExhaustedError):
        store.reserve(0.5, cause=CAUSE, day=DAY, budget_usd=9)
    purse.keep_back(usd=0, calls=0)
    assert store.reserve(0.5, cause=CAUSE, day=DAY, budget_usd=9)
    purse.keep_back(usd=0, calls=2)
    with pytest.raises(BudgetExhaustedError):
        store.reserve(0, cause=CAUSE, day=DAY, budget_usd=9)


def test_stores_share_a_purse(store: PursedStore, purse: Purse, tmp_path: Path) -> None:
    other = PursedStore(tmp_path / "teacher.sqlite", purse)
    other.reserve(0.7, cause=CAUSE, day=DAY, budget_usd=9)
    other.close()

    with pytest.raises(BudgetExhaustedError, match="of this run"):
        store.reserve(0.7, cause=CAUSE, day=DAY, budget_usd=9)
