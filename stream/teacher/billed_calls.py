"""Calls that are paid for: the most that one can cost is reserved, then it is made, then booked."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

from schemas.errors import UnbilledCallError
from schemas.settings import TeacherSettings
from stream.teacher.books import Books
from stream.teacher.capabilities import RequestForm
from stream.teacher.chat_client import MAY_BE_BILLED, ChatClient
from stream.teacher.completions import Completion, Failure, Usage
from stream.teacher.prompt import Message
from stream.teacher.question import Wanted
from stream.teacher.retries import Clock
from stream.teacher.spending import Cause

_BYTES_PER_MESSAGE = 64
"""More than the markers around a message ever take, counted as tokens."""


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
        self.unmetered = False
        """Whether the last answer told no usage."""

    async def complete(
        self, messages: list[Message], *, text: str, cause: Cause, wanted: Wanted | None = None
    ) -> tuple[Completion, Usage]:
        """Reserve, call, book. Without a bill the reservation stands, as if all was used.

        `wanted` is the form of the answer, where it is another one than usual.

        Raises `BudgetExhaustedError`, as the store does, and as `ChatClient.complete`.
        """
        wanted = wanted or self.client.wanted
        most = _most_tokens(messages, wanted)
        reserve = partial(
            self._books.store.reserve,
            self._settings.price_usd(most.tokens_in, most.tokens_out),
            cause=cause,
            day=self.day,
            budget_usd=self._settings.budget_usd_per_day,
        )
        call = await self._books.used(reserve)
        try:
            completion = await self.client.complete(messages, text=text, wanted=wanted)
        except UnbilledCallError as error:
            await self._books.kept(partial(self._books.store.release, call))
            raise error.cause from None
        if isinstance(completion, Failure):
            await self._book_failure(call, completion)
            raise self.client.judged(completion, text)
        self.unmetered = completion.usage is None
        usage = completion.usage or most
        await self._book(call, usage)
        return completion, usage

    @property
    def day(self) -> str:
        """The day that is booked on now, in UTC."""
        return datetime.fromtimestamp(self._clock.now(), UTC).date().isoformat()

    async def _book(self, call: int, usage: Usage) -> None:
        settle = partial(
            self._books.store.settle,
            call,
            tokens_in=usage.tokens_in,
            tokens_out=usage.tokens_out,
            tokens_reasoning=usage.reasoning,
            usd=self._settings.price_usd(usage.tokens_in, usage.tokens_out),
        )
        await self._books.kept(settle)

    async def _book_failure(self, call: int, failure: Failure) -> None:
        """Book what an error in a body says was used; what it may have cost stands reserved.

        A body with neither usage nor a reason, as one of no choices, used nothing: it is released.
        """
        if failure.usage is not None:
            await self._book(call, failure.usage)
        elif failure.status not in MAY_BE_BILLED:
            await self._books.kept(partial(self._books.store.release, call))


def _most_tokens(messages: list[Message], wanted: Wanted) -> Usage:
    """No tokenizer makes more tokens than there are bytes."""
    told = sum(len(x["content"].encode()) + _BYTES_PER_MESSAGE for x in messages)
    form = RequestForm().arguments(
        schema=dict(wanted.schema), schema_name=wanted.name, max_tokens=wanted.most_out
    )
    return Usage(told + len(str(form["response_format"]).encode()), wanted.most_out)
