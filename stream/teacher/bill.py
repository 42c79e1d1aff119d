"""The bill: the ledger's rows added up, and held against asking the teacher each time. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from stream.teacher.spending import UNKNOWN, Spending
from stream.teacher.spending_by_teacher import TeacherSpending

By = Literal["day", "task", "purpose"]

_STREAM = "stream"
_NAMES = frozenset({"day", "task", "purpose"})
_AMOUNTS = tuple(field.name for field in fields(Spending) if field.name not in _NAMES)


@dataclass(frozen=True, slots=True)
class EachTime:
    """What it would have cost to ask about every record of a task, and what was spent on it.

    `records` are those of the stream so far. `usd_per_question` is what a question of the stream
    took on average, its retries included. `spent_usd` is all that was spent on the task, cold start
    and judging too, and what an older version spent, which nobody booked to a task.
    """

    task: str
    records: int
    usd_per_question: float
    usd: float
    spent_usd: float
    saved_usd: float


def added_up(rows: Iterable[Spending], by: By) -> list[dict[str, Any]]:
    """Add up the rows that have one name by `by`, in the order of the names.

    What an older version booked has the purpose `unknown`, and so the task.
    """
    found: dict[str, list[Spending]] = {}
    for row in rows:
        found.setdefault(getattr(row, by) or UNKNOWN, []).append(row)
    return [{by: name, **total(of_name)} for name, of_name in sorted(found.items())]


def by_teacher(rows: Iterable[TeacherSpending]) -> list[dict[str, Any]]:
    """Add up what each of several teachers was paid, in the order of their names."""
    amounts = ("calls", "tokens_in", "tokens_out", "usd")
    found: dict[str, list[TeacherSpending]] = {}
    for row in rows:
        found.setdefault(row.teacher, []).append(row)
    return [
        {"teacher": name, **{x: sum(getattr(row, x) for row in of_name) for x in amounts}}
        for name, of_name in sorted(found.items())
    ]


def total(rows: Sequence[Spending]) -> dict[str, float]:
    """Add up all rows: questions, calls, tokens, US dollars, see `Spending`."""
    return {name: sum(getattr(row, name) for row in rows) for name in _AMOUNTS}


def each_time(rows: Sequence[Spending], *, task: str, records: int) -> EachTime | None:
    """Hold what was spent on a task against asking each time; None where no price is known."""
    own = [row for row in rows if row.task in {task, ""}]
    price = _price(own)
    if price is None:
        return None
    spent, asking = total(own)["usd"], price * records
    return EachTime(task, records, price, asking, spent, asking - spent)


def bill_facts(
    rows: Sequence[Spending], by: By, against: EachTime | None, *, unknown: str
) -> dict[str, Any]:
    """Put the bill into the form that machines get; `unknown` says why there is no `against`."""
    return {
        "by": by,
        "rows": added_up(rows, by),
        "total": total(rows),
        "each_time": asdict(against) if against else None,
        "each_time_unknown": unknown or None,
    }


def _price(rows: Sequence[Spending]) -> float | None:
    """Price a question: as those of the stream took, else as all did, else as calls did."""
    for some, counted in (
        ([row for row in rows if row.purpose == _STREAM], "questions"),
        ([row for row in rows if row.purpose != UNKNOWN], "questions"),
        (rows, "calls"),
    ):
        amounts = total(some)
        if amounts[counted]:
            return amounts["usd"] / amounts[counted]
    return None
