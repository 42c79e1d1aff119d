"""What a call can cost at most is reserved before it is made, and booked or given back after it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from schemas.settings import TeacherSettings
from stream.teacher.books import Books
from stream.teacher.capabilities import RequestForm
from stream.teacher.chat_client import MAY_BE_BILLED
from stream.teacher.completions import Failure, Usage
from stream.teacher.prompt import Message
from stream.teacher.question import Split, Wanted
from stream.teacher.retries import Clock
from stream.teacher.shared_budget import Claim
from stream.teacher.shared_spend import Amount, nano
from stream.teacher.spending import Cause, Taken

_BYTES_PER_MESSAGE = 64
"""More than the markers around a message ever take, counted as tokens."""
_DAY_CHARS, _HOUR_CHARS = 10, 13
"""Of a time in ISO 8601."""


@dataclass(frozen=True, slots=True)
class Reserved:
    """A call, reserved in the ledger, and with all who share the budget where there are any."""

    call: int
    claim: Claim | None = None
    split: Split | None = None


class Reserving:
    """Reserves by one set of books; tokens cost `price_share` of what the settings say."""

    def __init__(
        self, settings: TeacherSettings, *, books: Books, clock: Clock, price_share: float = 1.0
    ) -> None:
        self._settings = settings
        self._books = books
        self._clock = clock
        self._price_share = price_share

    @property
    def day(self) -> str:
        """The day that is booked on now, in UTC."""
        return self._hour[:_DAY_CHARS]

    async def reserve(self, most: Usage, cause: Cause, split: Split | None = None) -> Reserved:
        """Reserve with all who share the budget first: what the ledger has, they have too.

        Raises `BudgetExhaustedError` and `TeacherStateError`, as they and the store do.
        """
        usd, hour = self._price_usd(most), self._hour
        tokens = most.tokens_in + most.tokens_out
        claim = await self._books.claimed(cause, hour=hour, most=Amount(nano(usd), tokens))
        reserve = partial(
            self._books.store.reserve,
            usd,
            cause=cause,
            day=hour[:_DAY_CHARS],
            budget_usd=self._settings.budget_usd_per_day,
            parts=self._parts(split, most, None, calls=1),
        )
        try:
            return Reserved(await self._books.used(reserve), claim, split)
        except BaseException:
            self._books.released(claim)
            raise

    async def book(self, reserved: Reserved, usage: Usage, said: str | None) -> None:
        """Book what the call did take."""
        usd = self._price_usd(usage)
        settle = partial(
            self._books.store.settle,
            reserved.call,
            tokens_in=usage.tokens_in,
            tokens_out=usage.tokens_out,
            tokens_reasoning=usage.reasoning,
            usd=usd,
            parts=self._parts(reserved.split, usage, said),
        )
        await self._books.kept(settle)
        self._books.settled(reserved.claim, usage, usd)

    async def release(self, reserved: Reserved) -> None:
        """Give it all back: the call cost nothing."""
        await self._books.kept(partial(self._books.store.release, reserved.call))
        self._books.released(reserved.claim)

    async def book_failure(self, reserved: Reserved, failure: Failure) -> None:
        """Book what an error in a body says was used; what it may have cost stands reserved.

        A body with neither usage nor a reason, as one of no choices, used nothing: it is released.
        """
        if failure.usage is not None:
            await self.book(reserved, failure.usage, None)
        elif failure.status not in MAY_BE_BILLED:
            await self.release(reserved)

    @property
    def _hour(self) -> str:
        return datetime.fromtimestamp(self._clock.now(), UTC).isoformat()[:_HOUR_CHARS]

    def _parts(
        self, split: Split | None, usage: Usage, said: str | None, *, calls: int = 0
    ) -> list[Taken]:
        """Split what a call takes among its questions, if it has several."""
        return [
            Taken(
                self._price_usd(part),
                calls=calls,
                # What is reserved is money alone.
                tokens_in=0 if calls else part.tokens_in,
                tokens_out=0 if calls else part.tokens_out,
            )
            for part in (split(usage, said) if split else ())
        ]

    def _price_usd(self, usage: Usage) -> float:
        return self._settings.price_usd(usage.tokens_in, usage.tokens_out) * self._price_share


def most_tokens(messages: list[Message], wanted: Wanted) -> Usage:
    """Give what a call can take; no tokenizer makes more tokens than there are bytes."""
    told = sum(len(x["content"].encode()) + _BYTES_PER_MESSAGE for x in messages)
    form = RequestForm().arguments(
        schema=dict(wanted.schema), schema_name=wanted.name, max_tokens=wanted.most_out
    )
    return Usage(told + len(str(form["response_format"]).encode()), wanted.most_out)
