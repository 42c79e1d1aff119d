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
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeAlias, TypeVar

import structlog

from schemas.errors import (
    AnswerError,
    InvalidAnswerError,
    RefusedError,
    TeacherPermanentError,
)
from schemas.files.task import Task, TaskExample
from schemas.masking import masked_place
from schemas.retry import patiently
from schemas.settings import TeacherSettings
from schemas.types import UNSURE, WHOLE, AskedAs
from stream.teacher.answers import answer_members, sound_unicode
from stream.teacher.billed_calls import BilledCalls, calls_about_texts
from stream.teacher.books import Books
from stream.teacher.chat_client import ChatClient
from stream.teacher.completions import Completion, Usage
from stream.teacher.first_call import FirstCall
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.memory import Memory
from stream.teacher.one_text import OneText
from stream.teacher.outages import OutageNews
from stream.teacher.prompt import prompt_version
from stream.teacher.protocol import Answer, Unsure
from stream.teacher.question import Question
from stream.teacher.remarks import remarks_of
from stream.teacher.retries import (
    Circuit,
    Clock,
    Outage,
    Patience,
    waits,
)
from stream.teacher.several.company import Company
from stream.teacher.several.question import Part, Several
from stream.teacher.shared_answers import AnswerLog
from stream.teacher.shared_topic import SpendLog
from stream.teacher.similarity import SimilarExamples
from stream.teacher.spending import Cause, Purpose
from stream.teacher.text_questions import TextQuestion, TextQuestions
from stream.teacher.unsure.questions import UnsureQuestions

_log = structlog.get_logger()

T = TypeVar("T")
AnyQuestion: TypeAlias = TextQuestion | Several | Question

_CHECK_TEXT = "Hello."
_GATHERED: Final[frozenset[Purpose]] = frozenset({"stream", "bootstrap"})
"""Whose texts are asked about in company, where the settings say so, but for audits."""


class OpenAITeacher:
    """A `Teacher` for one task; use it from one event loop.

    `purpose` is what the ledger books its calls for. `examples` go into the prompt after the task's
    own, and after them those that `similar` chooses for the text. `http_client` replaces the HTTP
    client of the `openai` package (tests, proxies); both logs are those of `Books`. `books` are
    another teacher's, who closes them; then `store` is theirs and there is no need of logs. Raises
    `ConfigError` for a base URL that is not HTTP or points at a link-local address (cloud
    metadata). `name` is that of one of several teachers. `calls` are another's too, by its books:
    what was found out about the endpoint holds for both.
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
        name: str = "",
        answer_log: AnswerLog | None = None,
        calls: BilledCalls | None = None,
    ) -> None:
        self._task = task
        self._settings = settings
        self._owns_books = books is None
        self._books = books or Books(store, settings, spend_log=spend_log, answer_log=answer_log)
        self._examples = tuple(examples)
        self._clock = clock or Clock()
        lot = random.Random(seed)  # noqa: S311 - jitter is no secret
        self._waits = waits(max_wait_s=settings.max_retry_wait_s, lot=lot)
        self._circuit = Circuit(clock=self._clock, max_cooldown_s=settings.max_retry_wait_s)
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._owns_calls = calls is None
        self._calls = calls or calls_about_texts(
            task, settings, self._books, clock=self._clock, http_client=http_client
        )
        redactor = self._calls.client.redactor
        self._questions = TextQuestions(task, self._examples, redactor)
        self._doubts = UnsureQuestions(task, self._examples, redactor)
        gathers = settings.texts_per_call > 1 and purpose in _GATHERED
        names = [self._questions.name, self._doubts.name] if gathers else []
        self._companies = {name: Company(self._company_asked, settings) for name in names}
        self._first_call = FirstCall()
        self._news = OutageNews(self._circuit, self._books, masked_place(settings.base_url))
        n_similar = similar.number if similar else 0
        self.prompt_version = prompt_version(task, self._examples, n_similar=n_similar)
        self._memory = Memory(
            books=self._books,
            task=task,
            purpose=purpose,
            model=settings.model,
            endpoint=masked_place(settings.base_url),
            now_ms=lambda: int(self._clock.now() * 1000),
            prompt_version=self.prompt_version,
            apart=apart,
            similar=similar,
            teacher=name,
        )
        self.of_one = OneText(self._questions, self._memory, redactor, settings.model)
        """What is asked about one text, for another way to the same endpoint."""
        self.tried_at_s = -math.inf
        """When a try last ended, however it did, on the clock's monotonic time."""

    async def label(self, text: str, *, expires_at_ms: int | None = None) -> Answer:
        """Ask what the task asks of `text`; see `Teacher.label`."""
        ask = self._label if self._companies else self._asked
        return await ask(text, expires_at_ms)

    async def label_alone(self, text: str, *, expires_at_ms: int | None = None) -> Answer:
        """Ask as `label` does, but in a call of its own: so whatever judges is asked about."""
        return await self._asked(text, expires_at_ms)

    async def label_unsure(
        self, text: str, unsure: Unsure, *, expires_at_ms: int | None = None
    ) -> Answer:
        """Ask as `label` does, but about what a student is unsure of alone, where that can be told.

        The answer is joined with what is sure, and says how it was `asked`. Without a usable one
        the whole text is asked about.
        """
        return await self._label(text, expires_at_ms, unsure)

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
    def chat(self) -> ChatClient:
        """How requests are put, and what answers to them mean."""
        return self._calls.client

    @property
    def clock(self) -> Clock:
        """The time it goes by."""
        return self._clock

    @property
    def chosen_from(self) -> str:
        """Name what examples are chosen from for each text; "" where none are."""
        return self._memory.similar.pool_digest if self._memory.similar else ""

    @property
    def refusal(self) -> str | None:
        """Why nobody is asked: the endpoint refuses us, in its words, or the ledger is shut."""
        why = self._news.refusal or self._books.shut
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
        return tuple(remarks_of(self._calls, self._settings))

    async def aclose(self) -> None:
        """Close the connections, and the store if it is ours; nothing can be asked after that."""
        try:
            for company in self._companies.values():
                await company.aclose()
            if self._owns_calls:
                await self._calls.client.aclose()
        finally:
            if self._owns_books:
                await self._books.aclose()

    async def _label(
        self, text: str, expires_at_ms: int | None, unsure: Unsure | None = None
    ) -> Answer:
        try:
            if answer := await self._first_asked(text, unsure, expires_at_ms):
                return answer
        except AnswerError as error:
            _log.warning("asked_again", code=error.code, reason=str(error))
        return await self._asked(text, expires_at_ms)

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
        try:
            if known := await self._known(text, WHOLE):
                return known
            answer = await self._attempt(text)
        finally:
            self.tried_at_s = self._clock.monotonic()
        return await self._memory.remember(text, answer)

    async def _known(
        self, text: str, ways: Sequence[AskedAs], unsure: Unsure | None = None
    ) -> Answer | None:
        return await self._memory.known(text, ways, day=self._calls.day, unsure=unsure)

    async def _first_asked(
        self, text: str, unsure: Unsure | None, expires_at_ms: int | None
    ) -> Answer | None:
        """Ask about doubts alone, or in company, or both; None where neither can be."""
        ways = WHOLE if unsure is None else (*WHOLE, *UNSURE)
        if known := await self._patiently(lambda: self._known(text, ways, unsure), expires_at_ms):
            return known
        chosen = self._memory.chosen(text)
        masked, shown = await self.of_one.redacted(text, chosen)
        of_doubts = unsure and self._doubts.about(masked, unsure, shown)
        question = of_doubts or self._questions.about(masked.text, shown)
        asked = UNSURE if of_doubts else WHOLE
        if company := self._companies.get(question.name):
            key = self._memory.cause(text, asked[1], chosen=chosen, unsure=unsure).question
            part = await company.answer(question, key, expires_at_ms=expires_at_ms)
            if part is not None:
                answer = self.of_one.answered(masked, part, asked[1])
                return await self._memory.remember(text, answer, unsure)
        if of_doubts is None:
            return None
        cause = self._memory.cause(text, asked[0], chosen=chosen, unsure=unsure)
        took = await self._patiently(lambda: self._completed(question, cause), expires_at_ms)
        answer = self.of_one.answered(masked, Part(question.read(took[0]), *took), asked[0])
        return await self._memory.remember(text, answer, unsure)

    async def _company_asked(
        self, several: Several, expires_at_ms: int | None
    ) -> list[Part | AnswerError]:
        cause = self._memory.cause_of_all(several.keys)
        completion, usage = await self._patiently(
            lambda: self._completed(several, cause), expires_at_ms
        )
        return several.read(completion, usage)

    async def _replied(self, question: Question) -> dict[str, Any]:
        cause = self._memory.cause(question.text)
        question = await asyncio.to_thread(self._calls.client.redactor.question, question)
        completion, _ = await self._completed(question, cause)
        members = answer_members(
            completion.content, finish_reason=completion.finish_reason, text=question.text
        )
        return sound_unicode(members)

    async def _completed(self, asked: AnyQuestion, cause: Cause) -> tuple[Completion, Usage]:
        async with self._slots, self._first_call.alone():
            try:
                with self._circuit.call():
                    completion, usage = await self._weighed_call(asked, cause)
            finally:
                self.tried_at_s = self._clock.monotonic()
                await self._news.tell()
        if completion.refusal is not None:
            raise RefusedError("the model refused")
        return completion, usage

    async def _attempt(self, text: str) -> Answer:
        put = await self.of_one.put(text)
        took = await self._completed(put.question, put.cause)
        return self.of_one.answered(put.masked, Part(put.question.read(took[0]), *took))

    async def _weighed_call(self, asked: AnyQuestion, cause: Cause) -> tuple[Completion, Usage]:
        """Call; whether a refusal is the text's, as a firewall's page may be, a greeting tells.

        Where it is known that we are refused, or the circuit is open, the greeting goes first: a
        text that can never be answered would hold up all others.
        """
        known = self._circuit.refusal
        probes = self._circuit.is_open and (known is None or not known.surely_us)
        greets_first = asked.text != _CHECK_TEXT and probes
        if greets_first:
            await self._greet()
            self._circuit.answered()
        try:
            return await self._billed_call(asked, cause)
        except TeacherPermanentError as error:
            if error.surely_us or asked.text == _CHECK_TEXT:
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
            greeting = self._questions.about(_CHECK_TEXT)
            await self._billed_call(greeting, self._memory.cause(_CHECK_TEXT))
        except RefusedError:
            return
        except (InvalidAnswerError, TeacherPermanentError) as error:
            if instead_of is not None:
                raise instead_of from None
            raise TeacherPermanentError(str(error)) from None

    async def _billed_call(self, asked: AnyQuestion, cause: Cause) -> tuple[Completion, Usage]:
        """Ask what is redacted; `cause` books it under the original's digest."""
        most_out = max(self._settings.max_output_tokens, asked.least_out)
        return await self._calls.complete(
            asked.messages,
            text=asked.text,
            cause=cause,
            wanted=asked.wanted(most_out=most_out + self._settings.reasoning_tokens),
            split=asked.split,
        )
