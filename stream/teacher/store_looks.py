"""Looks into the teacher's state file, which another process may be writing: commands read so."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from stream.teacher.batch_rows import Batch, BatchSpending
from stream.teacher.ledger_and_cache import TeacherStore, Totals
from stream.teacher.retries import Outage
from stream.teacher.spending import Asked, Spending
from stream.teacher.spending_by_teacher import TeacherSpending

T = TypeVar("T")


def totals_of(path: Path) -> Totals:
    """Read the totals of the store at `path`, which another process may be writing."""
    with closing(TeacherStore(path)) as store:
        return store.totals()


def spent_on(path: Path, day: str) -> float | None:
    """Read what the store at `path` spent on `day`, in USD; None where there is no such store."""
    return _read(path, lambda store: store.spent_usd(day))


def endpoints_of(path: Path) -> list[str]:
    """Read which endpoints the store at `path` remembers; none where there is no store."""
    return _read(path, TeacherStore.endpoints) or []


def outages_of(path: Path) -> dict[str, Outage]:
    """Read which endpoints do not answer by the store at `path`; none where there is no store."""
    return _read(path, TeacherStore.outages) or {}


def spendings_of(path: Path) -> list[Spending]:
    """Read what the store at `path` spent on what; nothing where there is no such store."""
    return _read(path, TeacherStore.spendings) or []


def paid_to_teachers(path: Path) -> list[TeacherSpending]:
    """Read what the store at `path` paid to each of several; nothing where there is no store."""
    return _read(path, TeacherStore.paid_to) or []


def batches_of(path: Path) -> list[Batch]:
    """Read which batches wait by the store at `path`; none where there is no store."""
    return _read(path, TeacherStore.batches) or []


def batched_of(path: Path) -> list[BatchSpending]:
    """Read what lines of batches took by the store at `path`; nothing where there is no store."""
    return _read(path, TeacherStore.batched) or []


def name_of(path: Path) -> str:
    """Name the ledger of the store at `path`; "" where there is no such store."""
    return _read(path, TeacherStore.name) or ""


def asked_of(path: Path, question: str) -> Asked | None:
    """Read what a question took by the store at `path`; None where there is none, or no store."""
    return _read(path, lambda store: store.asked(question))


def _read(path: Path, look: Callable[[TeacherStore], T]) -> T | None:
    """Look into a store, which a question alone must not make."""
    if not path.exists():
        return None
    with closing(TeacherStore(path)) as store:
        return look(store)
