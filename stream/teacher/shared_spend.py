"""What all who share the topic `teacher-spend` spent, and what the budget leaves. Pure.

The topic is one partition, so its records have one order that every reader sees. A holder (a
process that asks the teacher) writes what it has spent and holds reserved in an hour, for a task
and a purpose; only a holder itself ever changes what it wrote. Before a call it writes a higher
amount, a *raise*, and spends by it only once it has read its own record back and
`SpendView.refusal` finds, from what stands before that record, no limit passed. Otherwise it writes
the old amount again. What was raised and is not yet taken back counts for everybody else.

Why no limit can be passed, whoever is killed, stopped for an hour, or thrown out of a group: let
each holder's *hold* be what it believes it may spend. A hold is never above the newest record of
its holder, for it rises after that was read back and falls before less is written. The last raise
that was taken, at some place in the log, found the newest records of all others before that place,
and itself, within the limit; so the holds were within it there. A later raise finds the earlier one
in the same way, and all that is written besides only falls. No clock, no lease, no generation of a
consumer group is part of this: a rebalance changes nobody's hold. A holder that is killed lowers
nothing any more: what it had reserved stands as spent.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from schemas.settings import TeacherSettings
from schemas.types import TeacherSpend
from schemas.wire.keyed import JOINED
from stream.teacher.spending import UNKNOWN, Spending

OPENING: Final = "opening"
"""The purpose of the record by which a person opened the budget, and of what was spent before."""

Window = Literal["hour", "day", "task"]
Group = Literal["all", "stream", "apart"]

_NANO: Final = 1_000_000_000
_STREAM: Final = "stream"
_NO_GROUP: Final = frozenset({OPENING, JOINED, UNKNOWN})


@dataclass(frozen=True, slots=True)
class Amount:
    """Money, in 1e-9 US dollars, and tokens, in and out: whole numbers, so that sums are exact."""

    nano_usd: int = 0
    tokens: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.nano_usd + other.nano_usd, self.tokens + other.tokens)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.nano_usd - other.nano_usd, self.tokens - other.tokens)

    def within(self, other: Amount) -> bool:
        """Whether neither is more than the other's."""
        return self.nano_usd <= other.nano_usd and self.tokens <= other.tokens

    def at_most(self, other: Amount) -> Amount:
        """Take the smaller of each."""
        return Amount(min(self.nano_usd, other.nano_usd), min(self.tokens, other.tokens))


NOTHING: Final = Amount()


def nano(usd: float) -> int:
    """Count US dollars in 1e-9, rounded up: a call is never reckoned too cheap."""
    return math.ceil(usd * _NANO)


def dollars(nano_usd: int) -> float:
    """Count in US dollars again."""
    return nano_usd / _NANO


@dataclass(frozen=True, slots=True)
class Limit:
    """The most that a window may hold, for one group of purposes; `setting` is where it stands."""

    window: Window
    group: Group
    unit: Literal["USD", "tokens"]
    most: int
    setting: str


def limits_of(settings: TeacherSettings) -> tuple[Limit, ...]:
    """List the limits of the settings: of each the whole, the stream's part, and the part apart.

    The parts add up to the whole, rounding aside, which is down.
    """
    given = (
        ("hour", "USD", "budget_usd_per_hour"),
        ("day", "USD", "budget_usd_per_day"),
        ("task", "USD", "budget_usd_per_task"),
        ("hour", "tokens", "budget_tokens_per_hour"),
        ("day", "tokens", "budget_tokens_per_day"),
        ("task", "tokens", "budget_tokens_per_task"),
    )
    apart = settings.budget_share_apart
    found: list[Limit] = []
    for window, unit, name in given:
        if (value := getattr(settings, name)) is None:
            continue
        most = math.floor(value * _NANO) if unit == "USD" else value
        kept = math.floor(most * apart)
        parts: tuple[tuple[Group, int], ...] = (
            ("all", most),
            ("stream", most - kept),
            ("apart", kept),
        )
        found += [
            Limit(window, group, unit, part, f"teacher.{name}")  # type: ignore[arg-type] # of the table
            for group, part in parts
        ]
    return tuple(found)


class SpendView:
    """The topic as far as it was read: records in their order go in, sums come out."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str, str, str], TeacherSpend] = {}
        self._sums: defaultdict[tuple[Window, str, Group], Amount] = defaultdict(Amount)
        self.opened = False
        """Whether a person opened the budget: before that the topic says nothing."""

    @property
    def rows(self) -> Iterable[TeacherSpend]:
        """The records that stand."""
        return self._rows.values()

    def take(self, row: TeacherSpend) -> None:
        """Take note of a record; one that came late, behind a newer one, says nothing."""
        before = self.standing(row)
        if before is not None and before.sequence >= row.sequence:
            return
        for where in _places(row):
            self._sums[where] += _amount(row) - _amount(before)
        self._rows[_key(row)] = row
        self.opened = self.opened or row.purpose == OPENING

    def standing(self, row: TeacherSpend) -> TeacherSpend | None:
        """Give the newest record of the same hour, task, purpose and holder."""
        return self._rows.get(_key(row))

    def spent(self, window: Window, name: str, group: Group = "all") -> Amount:
        """Give what is spent or reserved in an hour, on a day, or for a task."""
        return self._sums[window, name, group]

    def refusal(self, row: TeacherSpend, limits: Iterable[Limit]) -> str | None:
        """Say which limit would be passed if this record stood too; None if none would."""
        before = self.standing(row)
        places = {place: self._sums[place] - _amount(before) for place in _places(row)}
        for limit in limits:
            for (window, name, group), others in places.items():
                if (window, group) != (limit.window, limit.group):
                    continue
                if _counted(others + _amount(row), limit) > limit.most:
                    return _words(limit, name, self._sums[window, name, group])
        return None


def view_of(rows: Iterable[TeacherSpend]) -> SpendView:
    """Take note of all records, in their order."""
    view = SpendView()
    for row in rows:
        view.take(row)
    return view


def spendings_of_others(rows: Iterable[TeacherSpend], *, ledger: str) -> list[Spending]:
    """Give what stands in no row of this ledger in the form of a ledger's rows."""
    return [
        Spending(
            row.hour[:10],
            row.task,
            UNKNOWN if row.purpose == OPENING else row.purpose,
            questions=row.questions,
            calls=row.calls,
            cached=row.cached,
            tokens_in=row.tokens_in,
            tokens_out=row.tokens_out,
            tokens_reasoning=row.tokens_reasoning,
            usd=dollars(row.nano_usd),
            saved_usd=dollars(row.saved_nano_usd),
        )
        for row in rows
        if row.purpose != JOINED
        and _says_something(row)
        # An opening is no ledger's, and where there is no ledger no row is its own.
        and not (ledger and row.ledger == ledger)
    ]


def of_ledger(
    view: SpendView,
    ledger: str,
    spent: Iterable[Spending],
    *,
    now_ms: int,
    joining_in: str | None = None,
) -> Iterator[TeacherSpend]:
    """Give the records that bring into the topic what a ledger alone counts, and knows alone.

    It alone counts questions and cached answers. With `joining_in`, an hour, what it spent beyond
    all that the topic has of its holders is brought in too: an older version's, or by
    `budget_holds_for: machine`. Today's counts in that hour. The ledger must have been read before
    the topic was read to its end: nothing is counted twice then, for holders write there first.
    """
    holder = f"ledger-{ledger}"
    known: defaultdict[tuple[str, str, str], list[TeacherSpend]] = defaultdict(list)
    for row in view.rows:
        if row.ledger == ledger:
            known[row.hour[:10], row.task, row.purpose].append(row)
    for one in spent:
        rows = known[one.day, one.task, one.purpose]
        before = next((row for row in rows if row.holder == holder), None)
        new = _counts(one)
        if joining_in is not None:
            new |= _missing(one, [row for row in rows if row.holder != holder])
        own = TeacherSpend(
            before.hour if before else _hour_of(one.day, joining_in),
            one.task,
            one.purpose,
            holder,
            before.sequence if before else 0,
            ledger,
        )
        row = _higher(new, before or own)
        if row != (before or own):
            yield replace(row, sequence=max(now_ms, row.sequence + 1), written_at_ms=now_ms)


def _hour_of(day: str, hour: str | None) -> str:
    return hour if hour and hour.startswith(day) else f"{day}T00"


def _missing(one: Spending, known: list[TeacherSpend]) -> dict[str, int]:
    """Count what a ledger has and the topic has not; both round, so some nano-dollars are none."""
    booked = {
        "nano_usd": round(one.usd * _NANO),
        "tokens": one.tokens_in + one.tokens_out,
        "calls": one.calls,
        "tokens_in": one.tokens_in,
        "tokens_out": one.tokens_out,
        "tokens_reasoning": one.tokens_reasoning,
    }
    missing = {name: n - sum(getattr(row, name) for row in known) for name, n in booked.items()}
    slack = len(known) + one.calls + 1
    if missing["nano_usd"] <= slack:
        missing["nano_usd"] = 0
    return missing


def _counts(one: Spending) -> dict[str, int]:
    return {
        "questions": one.questions,
        "cached": one.cached,
        "saved_nano_usd": round(one.saved_usd * _NANO),
    }


def _higher(new: dict[str, int], before: TeacherSpend) -> TeacherSpend:
    return replace(before, **{name: max(n, getattr(before, name)) for name, n in new.items()})


def _says_something(row: TeacherSpend) -> bool:
    return bool(row.nano_usd or row.tokens or row.calls or row.questions or row.cached)


def _key(row: TeacherSpend) -> tuple[str, str, str, str]:
    return row.hour, row.task, row.purpose, row.holder


def _amount(row: TeacherSpend | None) -> Amount:
    return NOTHING if row is None else Amount(row.nano_usd, row.tokens)


def _places(row: TeacherSpend) -> Iterator[tuple[Window, str, Group]]:
    groups: list[Group] = ["all"]
    if row.purpose not in _NO_GROUP:
        groups.append("stream" if row.purpose == _STREAM else "apart")
    for group in groups:
        yield "hour", row.hour, group
        yield "day", row.hour[:10], group
        if row.task:
            yield "task", row.task, group


def _counted(amount: Amount, limit: Limit) -> int:
    return amount.nano_usd if limit.unit == "USD" else amount.tokens


def _words(limit: Limit, name: str, spent: Amount) -> str:
    most, counted = limit.most, _counted(spent, limit)
    told = (
        f"{dollars(counted):.4f} of {dollars(most):.4f} USD"
        if limit.unit == "USD"
        else f"{counted} of {most} tokens"
    )
    part = {"all": "", "stream": " for the stream", "apart": " kept apart"}[limit.group]
    where = f"in the hour {name}" if limit.window == "hour" else f"on {name}"
    return (
        f"{told}{part} are spent {where} by all together ({limit.setting}): too little is left for "
        "a call"
    )
