"""The teacher behind any OpenAI-compatible chat-completions endpoint.

One `label` is: cache, then up to `max_attempts` times reserve, call, book, and at last
parse. What may pass is retried (timeouts, lost connections, 408, 409, 425, 5xx, bodies
that are no completion, or that tell such an error with status 200); an answer that is wrong is
not, since it was paid for and the temperature is 0. To be turned away (429, our own open circuit) is no attempt, nor, where a
request has an expiry, is a teacher that is away (503, no connection): they are waited out
until it expires. A redirect is never followed: it could lead inside the network.

`max_tokens` rather than `max_completion_tokens` is sent, because the open-source servers
know only that one, and without a limit a reservation bounds nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import math
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import urlsplit

import openai
from openai.types.chat import ChatCompletionMessageParam
from openai.types.shared_params import ResponseFormatJSONSchema

from schemas.errors import (
    ConfigError,
    InvalidAnswerError,
    RefusedError,
    SilverstreamError,
    TeacherAwayError,
    TeacherPermanentError,
    TeacherUnavailableError,
    TurnedAwayError,
    UnbilledCallError,
)
from schemas.files.task import Task, TaskExample
from schemas.retry import patiently
from schemas.settings import TeacherSettings
from schemas.types import text_digest
from stream.teacher.answers import ground_again, parse_answer
from stream.teacher.completions import Completion, Failure, Usage, read_completion
from stream.teacher.ledger_and_cache import CachedAnswer, TeacherStore
from stream.teacher.prompt import Message, build_messages, prompt_version, response_schema
from stream.teacher.protocol import Answer
from stream.teacher.retries import (
    MAY_PASS,
    Circuit,
    Clock,
    Patience,
    parse_retry_after,
    waits,
)

_RETRIED = frozenset({408, 409, 425, 429})
_ABOUT_THIS_TEXT = frozenset({400, 413, 422})
_SERVER_ERROR = 500
_PERHAPS_BILLED = frozenset({504, 524})
"""A gateway gave up waiting for the model, which may have answered all the same."""
_BYTES_PER_MESSAGE = 64
"""More than the markers around a message ever take, counted as tokens."""
_UNSENT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout"})
_CHECK_TEXT = "Hello."


class OpenAITeacher:
    """A `Teacher` for one task; use it from one event loop.

    `examples` go into the prompt after the task's own. `http_client` replaces the HTTP
    client of the `openai` package (tests, proxies). Raises `ConfigError` for a base
    URL that is not HTTP or points at a link-local address (cloud metadata).
    """

    def __init__(
        self,
        task: Task,
        settings: TeacherSettings,
        *,
        store: TeacherStore,
        examples: Sequence[TaskExample] = (),
        http_client: Any | None = None,
        clock: Clock | None = None,
        seed: int | None = None,
    ) -> None:
        self._task = task
        self._settings = settings
        self._store = store
        self._examples = tuple(examples)
        self._clock = clock or Clock()
        lot = random.Random(seed)  # noqa: S311 - jitter is no secret
        self._waits = waits(max_wait_s=settings.max_retry_wait_s, lot=lot)
        self._circuit = Circuit(clock=self._clock, max_cooldown_s=settings.max_retry_wait_s)
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._where = _checked_host(settings.base_url)
        self._client = _client(settings, http_client)
        self._format = _response_format(task)
        self.prompt_version = prompt_version(task, self._examples)
        self.tried_at_s = -math.inf
        """When a try last ended, however it did, on the clock's monotonic time."""

    async def label(self, text: str, *, expires_at_ms: int | None = None) -> Answer:
        """Ask for the entities of `text`; see `Teacher.label`."""
        key = self._cache_key(text)
        if known := self._from_cache(key, text):
            return known
        answer = await self._asked(text, expires_at_ms)
        spans = tuple((x.start, x.end, x.label) for x in answer.entities)
        self._store.remember(key, CachedAnswer(answer.model, spans))
        return answer

    async def check(self) -> None:
        """Ask once about a greeting, past the cache; a refusal is an answer too."""
        try:
            await self._attempt(_CHECK_TEXT)
        except RefusedError:
            return

    async def aclose(self) -> None:
        """Close the connections and the store."""
        await self._client.close()
        self._store.close()

    def _cache_key(self, text: str) -> str:
        parts = (text_digest(text), self.prompt_version, self._settings.model)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _from_cache(self, key: str, text: str) -> Answer | None:
        cached = self._store.cached(key)
        if cached is None:
            return None
        entities = ground_again(cached.spans, text=text, labels=self._task.label_names)
        if entities is None:
            return None
        return Answer(entities, cached.model, self.prompt_version, 0, 0, cached=True)

    async def _asked(self, text: str, expires_at_ms: int | None) -> Answer:
        """Try until there is an answer, or the attempts or the time are spent."""
        patience = Patience(self._settings, self._clock, expires_at_ms=expires_at_ms)
        return await patiently(
            lambda: self._tried(text),
            retry=MAY_PASS,
            wait=self._waits,
            stop=patience.spent,
            give_up=patience.give_up,
            sleep=self._clock.sleep,
        )

    async def _tried(self, text: str) -> Answer:
        try:
            return await self._attempt(text)
        finally:
            self.tried_at_s = self._clock.monotonic()

    async def _attempt(self, text: str) -> Answer:
        messages = build_messages(self._task, text, self._examples)
        async with self._slots:
            with self._circuit.call():
                completion, usage = await self._billed_call(messages)
        if completion.refusal is not None:
            raise RefusedError("the model refused")
        entities = parse_answer(
            completion.content,
            finish_reason=completion.finish_reason,
            text=text,
            labels=self._task.label_names,
        )
        model = completion.model or self._settings.model
        return Answer(
            entities, model, self.prompt_version, usage.tokens_in, usage.tokens_out, cached=False
        )

    async def _billed_call(self, messages: list[Message]) -> tuple[Completion, Usage]:
        """Reserve, call, book. Without a bill the reservation stands, as if all was used."""
        most = self._most_tokens(messages)
        call = self._store.reserve(
            self._price_usd(most), day=self._day(), budget_usd=self._settings.budget_usd_per_day
        )
        try:
            completion = await self._call(messages)
        except UnbilledCallError as error:
            self._store.release(call)
            raise error.cause from None
        if isinstance(completion, Failure):
            self._book_failure(call, completion)
            raise self._failed(completion)
        usage = completion.usage or most
        self._settle(call, usage)
        return completion, usage

    def _settle(self, call: int, usage: Usage) -> None:
        self._store.settle(
            call,
            tokens_in=usage.tokens_in,
            tokens_out=usage.tokens_out,
            usd=self._price_usd(usage),
        )

    def _book_failure(self, call: int, failure: Failure) -> None:
        if failure.usage is not None:
            self._settle(call, failure.usage)
        elif failure.status not in _PERHAPS_BILLED:
            self._store.release(call)

    def _failed(self, failure: Failure) -> SilverstreamError:
        """Judge an error in a body as the HTTP status that it names."""
        if failure.status is None:
            return TeacherUnavailableError("the response has no answer and says no reason")
        return self._judged(failure.status, failure.error.get("code"))

    async def _call(self, messages: list[Message]) -> Completion | Failure:
        try:
            # The phases have limits of their own, but a body that drips never meets them.
            async with asyncio.timeout(self._deadline_s):
                response = await self._client.chat.completions.with_raw_response.create(
                    model=self._settings.model,
                    messages=cast("list[ChatCompletionMessageParam]", messages),
                    response_format=self._format,
                    max_tokens=self._settings.max_output_tokens,
                    temperature=0,
                )
        except openai.APIStatusError as error:
            judged = self._status_error(error)
            if error.status_code in _PERHAPS_BILLED:
                raise judged from None
            raise UnbilledCallError(judged) from None
        except (TimeoutError, openai.APITimeoutError) as error:
            raise self._lost(error, "did not answer in time") from None
        except openai.APIConnectionError as error:
            raise self._lost(error, "broke the connection, or cannot be reached") from None
        return read_completion(response.content)

    @property
    def _deadline_s(self) -> float:
        return self._settings.connect_timeout_s + self._settings.read_timeout_s

    def _lost(self, error: Exception, what: str) -> SilverstreamError:
        message = f"the teacher {what} ({self._where})"
        if type(error.__cause__).__name__ in _UNSENT:
            return UnbilledCallError(TeacherAwayError(message))
        return TeacherUnavailableError(message)

    def _status_error(self, error: openai.APIStatusError) -> SilverstreamError:
        wish = parse_retry_after(error.response.headers.get("retry-after"), now=self._clock.now())
        return self._judged(error.status_code, error.code, wish_s=wish)

    def _judged(
        self, status: int, code: str | None, *, wish_s: float | None = None
    ) -> SilverstreamError:
        if status in _RETRIED or status >= _SERVER_ERROR:
            kind = _KINDS.get(status, TeacherUnavailableError)
            return kind(f"the teacher answered {status}", retry_after_s=wish_s)
        if code == "content_filter":
            return RefusedError("a content filter stopped the request")
        if status in _ABOUT_THIS_TEXT:
            return InvalidAnswerError(f"the teacher answered {status} to this request")
        return TeacherPermanentError(
            f"the teacher answered {status}: check teacher.base_url, teacher.api_key "
            f"and teacher.model ({self._where})"
        )

    def _most_tokens(self, messages: list[Message]) -> Usage:
        """No tokenizer makes more tokens than there are bytes."""
        told = sum(len(x["content"].encode()) + _BYTES_PER_MESSAGE for x in messages)
        return Usage(told + len(str(self._format).encode()), self._settings.max_output_tokens)

    def _price_usd(self, usage: Usage) -> float:
        per_million = (
            usage.tokens_in * self._settings.price_in_usd_per_million
            + usage.tokens_out * self._settings.price_out_usd_per_million
        )
        return per_million / 1e6

    def _day(self) -> str:
        return datetime.fromtimestamp(self._clock.now(), UTC).date().isoformat()


_KINDS: dict[int, type[TeacherUnavailableError]] = {429: TurnedAwayError, 503: TeacherAwayError}


def _client(settings: TeacherSettings, http_client: Any | None) -> openai.AsyncOpenAI:
    timeout = openai.Timeout(
        connect=settings.connect_timeout_s,
        read=settings.read_timeout_s,
        write=settings.read_timeout_s,
        pool=settings.connect_timeout_s,
    )
    # Local servers want no key, but the client insists on one; its fallback to
    # OPENAI_API_KEY would send that key to whatever server is configured here.
    key = settings.api_key.get_secret_value() if settings.api_key else "none"
    return openai.AsyncOpenAI(
        api_key=key,
        base_url=settings.base_url,
        timeout=timeout,
        max_retries=0,
        http_client=http_client or openai.DefaultAsyncHttpxClient(follow_redirects=False),
    )


def _checked_host(url: str) -> str:
    """Return the host that messages may name: a URL can hold a password."""
    host = _host(url)
    try:
        is_link_local = ipaddress.ip_address(host).is_link_local
    except ValueError:
        return host
    if is_link_local:
        raise ConfigError(f"teacher.base_url must not be a link-local address ({host})")
    return host


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ConfigError("teacher.base_url is no URL") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError("teacher.base_url must begin with http:// or https:// and a host")
    return parts.hostname


def _response_format(task: Task) -> ResponseFormatJSONSchema:
    schema = response_schema(task)
    return {
        "type": "json_schema",
        "json_schema": {"name": "entities", "schema": schema, "strict": True},
    }
