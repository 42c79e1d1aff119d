"""Calls that are paid for: the most that one can cost is reserved, then it is made, then booked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from schemas.errors import UnbilledCallError
from schemas.settings import TeacherSettings
from stream.teacher.books import Books
from stream.teacher.capabilities import RequestForm
from stream.teacher.chat_client import MAY_BE_BILLED, ChatClient
from stream.teacher.completions import Completion, Failure, Usage
from stream.teacher.pacing import Pace, Turn
from stream.teacher.prompt import Message
from stream.teacher.question import Wanted
from stream.teacher.retries import Clock
from stream.teacher.shared_budget import Claim
from stream.teacher.shared_spend import Amount, nano
from stream.teacher.spending import Cause, Taken

_BYTES_PER_MESSAGE = 64
"""More than the markers around a message ever take, counted as tokens."""
_BYTES_PER_COUNTED_TOKEN = 3
"""Endpoints count a prompt by its length, against their limits, before they know its tokens."""
_DAY_CHARS, _HOUR_CHARS = 10, 13
"""Of a time in ISO 8601."""

Split = Callable[[Usage, str | None], list[Usage]]
"""Splits what a call about several texts took among them, by what was said where that is known."""


@dataclass(frozen=True, slots=True)
class _Reserved:
    """A call, reserved in the ledger, and with all who share the budget where there are any."""

    call: int
    claim: Claim | None
    split: Split | None


class BilledCalls:
    """Asks for answers of one JSON schema, by one ledger; `http_client` as that of `ChatClient`."""

    def __init__(
        self,
        settings: TeacherSettings,
        *,
        books: Books,
        schema: dict[str, Any],
        schema_name: str,
        clock: Clock,
        http_client: Any | None = None,
    ) -> None:
        self._settings = settings
        self._books = books
        self._clock = clock
        self.client = ChatClient(
            settings, schema=schema, schema_name=schema_name, clock=clock, http_client=http_client
        )
        self.pace = Pace(
            most=settings.concurrency, max_wait_s=settings.max_retry_wait_s, clock=clock
        )
        self.unmetered = False
        """Whether the last answer told no usage."""

    async def complete(
        self,
        messages: list[Message],
        *,
        text: str,
        cause: Cause,
        wanted: Wanted | None = None,
        split: Split | None = None,
    ) -> tuple[Completion, Usage]:
        """Wait for its turn, reserve, call, book. Without a bill the reservation stands.

        `wanted` is the form of the answer, where it is another one than usual. `split` is there
        where the cause has several questions.

        Raises `BudgetExhaustedError` and `TeacherStateError`, as the store and those who share the
        budget do, `RedactionError` for what may not leave, and as `ChatClient.complete` and
        `Pace.turn`.
        """
        wanted = wanted or self.client.wanted
        most = _most_tokens(messages, wanted)
        counted = most.tokens_in // _BYTES_PER_COUNTED_TOKEN + most.tokens_out
        async with self.pace.turn(tokens=counted) as turn:
            return await self._billed(
                messages, turn, most, text=text, cause=cause, wanted=wanted, split=split
            )

    async def _billed(
        self,
        messages: list[Message],
        turn: Turn,
        most: Usage,
        *,
        text: str,
        cause: Cause,
        wanted: Wanted,
        split: Split | None,
    ) -> tuple[Completion, Usage]:
        reserved = await self._reserve(most, cause, split)
        try:
            completion = await self.client.complete(messages, text=text, wanted=wanted, turn=turn)
        except UnbilledCallError as error:
            await self._release(reserved)
            raise error.cause from None
        if isinstance(completion, Failure):
            await self._book_failure(reserved, completion)
            raise self.client.judged(completion, text)
        self.unmetered = completion.usage is None
        usage = completion.usage or most
        await self._book(reserved, usage, completion.content)
        return completion, usage

    @property
    def day(self) -> str:
        """The day that is booked on now, in UTC."""
        return self._hour[:_DAY_CHARS]

    @property
    def _hour(self) -> str:
        return datetime.fromtimestamp(self._clock.now(), UTC).isoformat()[:_HOUR_CHARS]

    async def _reserve(self, most: Usage, cause: Cause, split: Split | None) -> _Reserved:
        """Reserve with all who share the budget first: what the ledger has, they have too."""
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
            return _Reserved(await self._books.used(reserve), claim, split)
        except BaseException:
            self._books.released(claim)
            raise

    async def _book(self, reserved: _Reserved, usage: Usage, said: str | None) -> None:
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

    async def _release(self, reserved: _Reserved) -> None:
        await self._books.kept(partial(self._books.store.release, reserved.call))
        self._books.released(reserved.claim)

    async def _book_failure(self, reserved: _Reserved, failure: Failure) -> None:
        """Book what an error in a body says was used; what it may have cost stands reserved.

        A body with neither usage nor a reason, as one of no choices, used nothing: it is released.
        """
        if failure.usage is not None:
            await self._book(reserved, failure.usage, None)
        elif failure.status not in MAY_BE_BILLED:
            await self._release(reserved)

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
        return self._settings.price_usd(usage.tokens_in, usage.tokens_out)


def _most_tokens(messages: list[Message], wanted: Wanted) -> Usage:
    """No tokenizer makes more tokens than there are bytes."""
    told = sum(len(x["content"].encode()) + _BYTES_PER_MESSAGE for x in messages)
    form = RequestForm().arguments(
        schema=dict(wanted.schema), schema_name=wanted.name, max_tokens=wanted.most_out
    )
    return Usage(told + len(str(form["response_format"]).encode()), wanted.most_out)
