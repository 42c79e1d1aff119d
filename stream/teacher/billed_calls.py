"""Calls that are paid for: the most that one can cost is reserved, then it is made, then booked."""

from __future__ import annotations

from typing import Any

from schemas.errors import UnbilledCallError
from schemas.files.task import Task
from schemas.settings import TeacherSettings
from stream.teacher.books import Books
from stream.teacher.chat_client import ChatClient
from stream.teacher.completions import Completion, Failure, Usage
from stream.teacher.kinds.kind import kind_of
from stream.teacher.pacing import Pace, Turn
from stream.teacher.prompt import Message, response_schema
from stream.teacher.question import Split, Wanted
from stream.teacher.reserving import Reserved, Reserving, most_tokens
from stream.teacher.retries import Clock
from stream.teacher.spending import Cause

_BYTES_PER_COUNTED_TOKEN = 3
"""Endpoints count a prompt by its length, against their limits, before they know its tokens."""


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
        self.books = books
        self._reserving = Reserving(settings, books=books, clock=clock)
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
        most = most_tokens(messages, wanted)
        counted = most.tokens_in // _BYTES_PER_COUNTED_TOKEN + most.tokens_out
        async with self.pace.turn(tokens=counted) as turn:
            reserved = await self._reserving.reserve(most, cause, split)
            return await self._billed(messages, turn, most, reserved, text=text, wanted=wanted)

    async def _billed(
        self,
        messages: list[Message],
        turn: Turn,
        most: Usage,
        reserved: Reserved,
        *,
        text: str,
        wanted: Wanted,
    ) -> tuple[Completion, Usage]:
        try:
            completion = await self.client.complete(messages, text=text, wanted=wanted, turn=turn)
        except UnbilledCallError as error:
            await self._reserving.release(reserved)
            raise error.cause from None
        if isinstance(completion, Failure):
            await self._reserving.book_failure(reserved, completion)
            raise self.client.judged(completion, text)
        self.unmetered = completion.usage is None
        usage = completion.usage or most
        await self._reserving.book(reserved, usage, completion.content)
        return completion, usage

    @property
    def day(self) -> str:
        """The day that is booked on now, in UTC."""
        return self._reserving.day


def calls_about_texts(
    task: Task,
    settings: TeacherSettings,
    books: Books,
    *,
    clock: Clock | None = None,
    http_client: Any | None = None,
) -> BilledCalls:
    """Make the way to the endpoint that answers about texts; see `BilledCalls`."""
    return BilledCalls(
        settings,
        books=books,
        schema=response_schema(task),
        schema_name=kind_of(task.kind, task.choose).name,
        clock=clock or Clock(),
        http_client=http_client,
    )
