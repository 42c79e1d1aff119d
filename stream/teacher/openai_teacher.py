"""The teacher behind any OpenAI-compatible chat-completions endpoint.

One `label` is: cache, then up to `max_attempts` times reserve, call, book, and at last
parse. What may pass is retried (timeouts, lost connections, 408, 409, 425, 5xx, bodies
that are no completion, or that tell such an error with status 200); an answer that is wrong is
not, since it was paid for and the temperature is 0. To be turned away (429, our own open circuit)
is no attempt, nor, where a request has an expiry, is a teacher that is away (503, no connection):
they are waited out until it expires. So is an endpoint that refuses us and not the text.

Where a refusal may be either's, a greeting is asked: if that is answered, it was the text, and
nobody waits for it; if not, the greeting is tried again in the texts' place. A redirect is never
followed: it could lead inside the network.

The form of requests is what the server takes, see `stream.teacher.capabilities`.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import structlog

from schemas.errors import (
    InvalidAnswerError,
    RefusedError,
    TeacherPermanentError,
    TeacherUnavailableError,
)
from schemas.files.task import Task, TaskExample
from schemas.masking import masked_place
from schemas.retry import patiently
from schemas.settings import DEFAULT_MODEL, TeacherSettings
from schemas.types import facts
from stream.teacher.answers import answer_members, parse_answer, sound_unicode
from stream.teacher.billed_calls import BilledCalls
from stream.teacher.books import Books
from stream.teacher.completions import Completion, Usage
from stream.teacher.kinds.kind import kind_of
from stream.teacher.kinds.said import Said
from stream.teacher.ledger_and_cache import CachedAnswer, TeacherStore
from stream.teacher.prompt import build_messages, prompt_version, response_schema
from stream.teacher.protocol import Answer
from stream.teacher.question import Question
from stream.teacher.question_keys import question_key
from stream.teacher.retries import (
    Circuit,
    Clock,
    Outage,
    Patience,
    waits,
)
from stream.teacher.shared_topic import SpendLog
from stream.teacher.similarity import SimilarExamples, digest_of
from stream.teacher.spending import Cause, Purpose

_log = structlog.get_logger()

T = TypeVar("T")

_CHECK_TEXT = "Hello."
_QUESTION_TOKENS_OUT = 2048
"""What the answer to a question of many texts, names or verdicts may take at least."""


class OpenAITeacher:
    """A `Teacher` for one task; use it from one event loop.

    `purpose` is what the ledger books its calls for. `examples` go into the prompt after the task's
    own, and after them those that `similar` chooses for the text. `http_client` replaces the HTTP
    client of the `openai` package (tests, proxies); `spend_log` is that of `Books`. `books` are
    another teacher's, who closes them; then `store` is theirs and there is no need of a log. Raises
    `ConfigError` for a base URL that is not HTTP or points at a link-local address (cloud
    metadata).
    """

    def __init__(
        self,
        task: Task,
        settings: TeacherSettings,
        *,
        store: TeacherStore,
        purpose: Purpose,
        examples: Sequence[TaskExample] = (),
        similar: SimilarExamples | None = None,
        http_client: Any | None = None,
        clock: Clock | None = None,
        seed: int | None = None,
        apart: str = "",
        spend_log: SpendLog | None = None,
        books: Books | None = None,
    ) -> None:
        self._task = task
        self._apart = apart
        self._kind = kind_of(task.kind, task.choose)
        self._settings = settings
        self._owns_books = books is None
        self._books = books or Books(store, settings, spend_log=spend_log)
        self._purpose: Purpose = purpose
        self._examples = tuple(examples)
        self._similar = similar
        self._clock = clock or Clock()
        lot = random.Random(seed)  # noqa: S311 - jitter is no secret
        self._waits = waits(max_wait_s=settings.max_retry_wait_s, lot=lot)
        self._circuit = Circuit(clock=self._clock, max_cooldown_s=settings.max_retry_wait_s)
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._calls = BilledCalls(
            settings,
            books=self._books,
            schema=response_schema(task),
            schema_name=self._kind.name,
            clock=self._clock,
            http_client=http_client,
        )
        redactor = self._calls.client.redactor
        self._told_task, self._shown = redactor.task(task), redactor.examples(self._examples)
        self._first_call = asyncio.Lock()
        self._first_ended = False
        self._refusal: TeacherUnavailableError | None = None
        n_similar = similar.number if similar else 0
        self.prompt_version = prompt_version(task, self._examples, n_similar=n_similar)
        self._outage: Outage | None = None
        self._place = masked_place(settings.base_url)
        self.tried_at_s = -math.inf
        """When a try last ended, however it did, on the clock's monotonic time."""

    async def label(self, text: str, *, expires_at_ms: int | None = None) -> Answer:
        """Ask what the task asks of `text`; see `Teacher.label`."""
        return await self._asked(text, expires_at_ms)

    async def label_anew(self, text: str) -> Answer:
        """Ask as `label` does, past the cache, and remember nothing."""
        return await self._patiently(lambda: self._attempt(text))

    async def ask(self, question: Question) -> dict[str, Any]:
        """Ask a question that is not about one text; give the members of its answer.

        Paid for, retried and bounded as `label` is, and raises as it; nothing is remembered.
        """
        return await self._patiently(lambda: self._replied(question))

    async def check(self) -> None:
        """Ask once about a greeting, past the cache; a refusal is an answer too."""
        try:
            await self._attempt(_CHECK_TEXT)
        except RefusedError:
            return

    @property
    def books(self) -> Books:
        """The store, and what bounds its budget: for another teacher who asks beside this one."""
        return self._books

    @property
    def chosen_from(self) -> str:
        """Name what examples are chosen from for each text; "" where none are."""
        return self._similar.pool_digest if self._similar else ""

    @property
    def refusal(self) -> str | None:
        """Why nobody is asked: the endpoint refuses us, in its words, or the ledger is shut."""
        why = self._refusal or self._books.shut
        return None if why is None else str(why)

    @property
    def is_open(self) -> bool:
        """Whether the circuit is open: a call now would be turned away without being made."""
        return self._circuit.turns_away

    @property
    def outage(self) -> Outage | None:
        """Since when the endpoint has not answered, and why; None while it does."""
        return self._circuit.outage

    @property
    def places(self) -> int:
        """How many calls may be in flight, as the endpoint bears them."""
        return self._calls.pace.places

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a person should know of the endpoint, as far as it was found out."""
        return tuple(self._remarks())

    async def aclose(self) -> None:
        """Close the connections, and the store if it is ours; nothing can be asked after that."""
        try:
            await self._calls.client.aclose()
        finally:
            if self._owns_books:
                await self._books.aclose()

    def _remarks(self) -> Iterator[str]:
        for name, value in self._calls.client.capabilities.steps_taken.items():
            yield f"it did not take our {name}: now {_said(value)} (fix it with teacher.{name})"
        if self._calls.unmetered:
            yield "its answers tell no usage: each is booked as the most it could cost"
        if self._settings.prices_are_another_models:
            yield (
                f"the ledger reckons {self._settings.model} at the prices of {DEFAULT_MODEL}: "
                "set teacher.price_in_usd_per_million and price_out_usd_per_million"
            )

    def _chosen(self, text: str) -> Sequence[TaskExample]:
        return self._similar.chosen(text) if self._similar else ()

    def _cause(self, text: str, chosen: Sequence[TaskExample] = ()) -> Cause:
        version, model = self.prompt_version, self._settings.model
        key = question_key(
            text,
            prompt_version=version,
            model=model,
            apart=self._apart,
            chosen=digest_of(chosen),
        )
        return Cause(self._task.name, self._purpose, key)

    async def _from_cache(self, cause: Cause, text: str) -> Answer | None:
        store = self._books.store
        cached = await self._books.used(partial(store.cached, cause.question), writes=False)
        if cached is None:
            return None
        labels = self._task.label_names
        said = self._kind.ground_again(cached.spans, text=text, labels=labels)
        if said is None:
            return None
        await self._books.kept(partial(store.count_cached, cause, day=self._calls.day))
        return self._answer(said, cached.model, Usage(0, 0), cached=True)

    async def _remember(self, cause: Cause, answer: Answer) -> None:
        told = CachedAnswer(answer.model, tuple(sorted(facts(answer))))
        await self._books.kept(partial(self._books.store.remember, cause.question, told))

    async def _asked(self, text: str, expires_at_ms: int | None) -> Answer:
        """Try until there is an answer, or the attempts or the time are spent."""
        return await self._patiently(lambda: self._tried(text), expires_at_ms)

    async def _patiently(
        self, attempt: Callable[[], Awaitable[T]], expires_at_ms: int | None = None
    ) -> T:
        patience = Patience(self._settings, self._clock, expires_at_ms=expires_at_ms)
        return await patiently(
            attempt,
            retry=patience.may_pass,
            wait=self._waits,
            stop=patience.spent,
            give_up=patience.give_up,
            sleep=self._clock.sleep,
        )

    async def _tried(self, text: str) -> Answer:
        cause = self._cause(text, self._chosen(text))
        try:
            if known := await self._from_cache(cause, text):
                return known
            answer = await self._attempt(text)
        finally:
            self.tried_at_s = self._clock.monotonic()
        await self._remember(cause, answer)
        return answer

    async def _replied(self, question: Question) -> dict[str, Any]:
        cause = self._cause(question.text)
        question = await asyncio.to_thread(self._calls.client.redactor.question, question)
        completion, _ = await self._completed(question.text, cause, question)
        members = answer_members(
            completion.content, finish_reason=completion.finish_reason, text=question.text
        )
        return sound_unicode(members)

    async def _completed(
        self,
        text: str,
        cause: Cause,
        question: Question | None = None,
        *,
        shown: Sequence[TaskExample] = (),
    ) -> tuple[Completion, Usage]:
        async with self._slots, self._alone_at_first():
            try:
                with self._circuit.call():
                    completion, usage = await self._weighed_call(text, cause, question, shown=shown)
            finally:
                self._tell_refusal()
                await self._tell_outage()
        if completion.refusal is not None:
            raise RefusedError("the model refused")
        return completion, usage

    async def _attempt(self, text: str) -> Answer:
        redactor, chosen = self._calls.client.redactor, self._chosen(text)
        masked = await asyncio.to_thread(redactor.masked, text)
        shown = await asyncio.to_thread(redactor.examples, chosen)
        completion, usage = await self._completed(
            masked.text, self._cause(text, chosen), shown=shown
        )
        said = parse_answer(
            completion.content,
            finish_reason=completion.finish_reason,
            text=masked.text,
            labels=self._task.label_names,
            kind=self._kind,
        )
        said = replace(said, entities=masked.restored(said.entities))
        model = completion.model or self._settings.model
        answer = self._answer(said, model, usage, cached=False)
        return replace(answer, fingerprint=completion.fingerprint or "")

    def _answer(self, said: Said, model: str, usage: Usage, *, cached: bool) -> Answer:
        return Answer(
            said.entities,
            model,
            self.prompt_version,
            usage.tokens_in,
            usage.tokens_out,
            cached,
            categories=said.categories,
        )

    @asynccontextmanager
    async def _alone_at_first(self) -> AsyncIterator[None]:
        """Let the first call find out what the endpoint takes, before others run beside it."""
        async with self._first_call:
            is_first = not self._first_ended
            if is_first:
                try:
                    yield
                finally:
                    self._first_ended = True
        if not is_first:
            yield

    def _tell_refusal(self) -> None:
        """Log that the endpoint refuses us, or does not any more; once, not for each request."""
        told, self._refusal = self._refusal, self._circuit.refusal
        if self._refusal is not None and told is None:
            _log.error("teacher_refuses_us", words=str(self._refusal))
        elif self._refusal is None and told is not None:
            _log.info("teacher_answers_again")

    async def _tell_outage(self) -> None:
        """Log an outage and its end, once, and note it for `status`; refusals are told apart."""
        told, self._outage = self._outage, self._circuit.outage
        if self._outage == told:
            return
        if self._outage is None and told is not None and not told.refuses:
            _log.info("teacher_circuit_closed")
        elif self._outage is not None and told is None and not self._outage.refuses:
            _log.error("teacher_circuit_opened", words=self._outage.why)
        note = partial(self._books.store.note_outage, self._place, self._outage)
        await self._books.kept(note)

    async def _weighed_call(
        self,
        text: str,
        cause: Cause,
        question: Question | None,
        *,
        shown: Sequence[TaskExample],
    ) -> tuple[Completion, Usage]:
        """Call; whether a refusal is the text's, as a firewall's page may be, a greeting tells.

        Where it is known that we are refused, or the circuit is open, the greeting goes first: a
        text that can never be answered would hold up all others.
        """
        known = self._circuit.refusal
        probes = self._circuit.is_open and (known is None or not known.surely_us)
        greets_first = text != _CHECK_TEXT and probes
        if greets_first:
            await self._greet()
            self._circuit.answered()
        try:
            return await self._billed_call(text, cause, question, shown=shown)
        except TeacherPermanentError as error:
            if error.surely_us or text == _CHECK_TEXT:
                raise
            if not greets_first:
                await self._greet(instead_of=error)
            message = f"a greeting is answered, but to this text: {error}"
            raise InvalidAnswerError(message) from None

    async def _greet(self, *, instead_of: TeacherPermanentError | None = None) -> None:
        """Ask about a greeting: return when it is answered; `TeacherPermanentError` tells why not.

        What is said of its text is about us, for there is nothing wrong with that. A refusal that
        made us ask is raised `instead_of` the greeting's: it says more.
        """
        try:
            await self._billed_call(_CHECK_TEXT, self._cause(_CHECK_TEXT))
        except RefusedError:
            return
        except (InvalidAnswerError, TeacherPermanentError) as error:
            if instead_of is not None:
                raise instead_of from None
            raise TeacherPermanentError(str(error)) from None

    async def _billed_call(
        self,
        text: str,
        cause: Cause,
        question: Question | None = None,
        *,
        shown: Sequence[TaskExample] = (),
    ) -> tuple[Completion, Usage]:
        """Ask about a text that is redacted, as what is `shown` for it is.

        `cause` books it under the original's digest.
        """
        if question is not None:
            wanted = question.wanted(most_out=self._most_question_out)
            return await self._calls.complete(
                question.messages, text=text, cause=cause, wanted=wanted
            )
        messages = build_messages(self._told_task, text, (*self._shown, *shown))
        return await self._calls.complete(messages, text=text, cause=cause)

    @property
    def _most_question_out(self) -> int:
        most = max(self._settings.max_output_tokens, _QUESTION_TOKENS_OUT)
        return most + self._settings.reasoning_tokens


def _said(value: Any) -> str:
    return "none is sent" if value is None else "off" if value is False else str(value)
