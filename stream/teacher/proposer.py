"""Asking the teacher's endpoint how its prompt could be better.

Reserved, booked and retried as labels are; what was said is remembered, so that a search that was
cut short goes the same way again for nothing.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from schemas.errors import InvalidAnswerError, RefusedError
from schemas.files.task import Task
from schemas.retry import patiently
from schemas.settings import TeacherSettings
from stream.teacher.billed_calls import BilledCalls
from stream.teacher.books import Books
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.prompt import Message
from stream.teacher.prompt_edits import (
    Edit,
    Mistake,
    mistakes_json,
    proposal_messages,
    proposal_schema,
    read_proposal,
)
from stream.teacher.retries import Clock, Patience, waits
from stream.teacher.shared_topic import SpendLog
from stream.teacher.spending import Cause

_MIN_OUTPUT_TOKENS: Final = 2048
"""Guidelines are longer than answers about a text."""
_SCHEMA_NAME = "edits"


class Proposer:
    """Asks for edits of a prompt; `task` names the labels. Use it from one event loop.

    `http_client` replaces the HTTP client of the `openai` package, `spend_log` is that of `Books`.
    `books` are another's, who closes them, and `store` is theirs. Raises `ConfigError` as
    `ChatClient`.
    """

    def __init__(
        self,
        task: Task,
        settings: TeacherSettings,
        *,
        store: TeacherStore,
        http_client: Any | None = None,
        clock: Clock | None = None,
        seed: int | None = None,
        spend_log: SpendLog | None = None,
        books: Books | None = None,
    ) -> None:
        most_out = max(settings.max_output_tokens, _MIN_OUTPUT_TOKENS)
        self._settings = settings.model_copy(update={"max_output_tokens": most_out})
        self._owns_books = books is None
        self._books = books or Books(store, settings, spend_log=spend_log)
        self._clock = clock or Clock()
        lot = random.Random(seed)  # noqa: S311 - jitter is no secret
        self._waits = waits(max_wait_s=settings.max_retry_wait_s, lot=lot)
        self._schema = proposal_schema(task)
        self._calls = BilledCalls(
            self._settings,
            books=self._books,
            schema=self._schema,
            schema_name=_SCHEMA_NAME,
            clock=self._clock,
            http_client=http_client,
        )

    async def propose(self, task: Task, mistakes: Sequence[Mistake]) -> tuple[list[Edit], int]:
        """Ask for edits of the words of `task`; give those that can be used, and how many cannot.

        Raises `BudgetExhaustedError`, and `TeacherUnavailableError` when the retries are spent.
        """
        redactor = self._calls.client.redactor
        told, shown = redactor.task(task), redactor.mistakes(mistakes)
        messages = proposal_messages(told, shown)
        key = self._key(messages)
        store, cause = self._books.store, Cause(task.name, "prompt", key)
        said = await self._books.used(partial(store.proposed, key), writes=False)
        if said is None:
            said = await self._asked(messages, mistakes_json(shown), cause)
            await self._books.kept(partial(store.remember_proposed, key, said))
        else:
            await self._books.kept(partial(store.count_cached, cause, day=self._calls.day))
        edits, unusable = read_proposal(said, task, shown)
        # What is shown to others later is redacted then: here it is the text itself that counts.
        originals = {after.example: one.example for one, after in zip(mistakes, shown, strict=True)}
        shown_again = [x and originals[x] for x in (edit.example for edit in edits)]
        return [
            replace(edit, example=example) for edit, example in zip(edits, shown_again, strict=True)
        ], unusable

    async def aclose(self) -> None:
        """Close the connections, and the store if it is ours."""
        try:
            await self._calls.client.aclose()
        finally:
            if self._owns_books:
                await self._books.aclose()

    def _key(self, messages: list[Message]) -> str:
        told = json.dumps([self._settings.model, self._schema, messages], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()

    async def _asked(self, messages: list[Message], text: str, cause: Cause) -> str:
        """Try until something is said; "" for what is no answer: asked again it would be none."""
        patience = Patience(self._settings, self._clock, expires_at_ms=None)
        try:
            completion, _ = await patiently(
                lambda: self._calls.complete(messages, text=text, cause=cause),
                retry=patience.may_pass,
                wait=self._waits,
                stop=patience.spent,
                give_up=patience.give_up,
                sleep=self._clock.sleep,
            )
        except (InvalidAnswerError, RefusedError):
            return ""
        # Half a character, as of an emoji cut in two, cannot be kept.
        return (completion.content or "").encode(errors="replace").decode()
