"""One call of a chat-completions endpoint: its form, its answer, and what its refusals mean.

Errors come out sorted by what happens next, those that cost nothing in an `UnbilledCallError`.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any, cast

import openai
from openai.types.chat import ChatCompletionMessageParam

from schemas.addresses import Resolve, guard_addresses
from schemas.errors import (
    ConfigError,
    InvalidAnswerError,
    RedactionError,
    RefusedError,
    SilverstreamError,
    TeacherAwayError,
    TeacherPermanentError,
    TeacherUnavailableError,
    TurnedAwayError,
    UnbilledCallError,
)
from schemas.settings import TeacherSettings
from schemas.wire.capped_bodies import UNCOMPRESSED, cap_bodies
from stream.teacher.capabilities import Capabilities, RequestForm, names_our_form
from stream.teacher.completions import MAX_BODY_BYTES, Completion, Failure, read_completion
from stream.teacher.endpoint import Endpoint, read_endpoint
from stream.teacher.pacing import Turn
from stream.teacher.prompt import Message
from stream.teacher.question import Wanted
from stream.teacher.redaction.redactor import Redactor
from stream.teacher.refusals import Refusal, about, never_fits, out_of_money, read_refusal
from stream.teacher.retries import Clock, read_wish

_RETRIED = frozenset({408, 409, 425, 429})
_CLIENT_ERROR = 400
_SERVER_ERROR = 500
MAY_BE_BILLED = frozenset({504, 524})
"""A gateway lost patience: the model behind it may have worked all the same."""
_UNCLEAR_IN_A_ROW = 3
"""So many requests that are refused without a reason, and none answered: it is not the text."""
_SURELY_US = frozenset({401, 402, 429})
_UNSENT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout"})


class ChatClient:
    """Asks one model for answers of a JSON schema; `http_client` replaces that of `openai`.

    `resolve` replaces the machine's resolver, which is asked where the endpoint's name leads when
    no `http_client` is given.
    Raises `ConfigError` for a base URL that cannot be one, see `read_endpoint`, and where redaction
    is on without its libraries. It is the one way to the teacher: what its `redactor` finds
    anything in is not sent.
    """

    def __init__(
        self,
        settings: TeacherSettings,
        *,
        schema: dict[str, Any],
        schema_name: str,
        clock: Clock,
        http_client: Any | None = None,
        resolve: Resolve | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._endpoint = read_endpoint(settings.base_url)
        self.redactor = Redactor(settings.redaction)
        self._client = open_client(
            settings, self._endpoint, http_client=http_client, resolve=resolve
        )
        most_out = settings.max_output_tokens + settings.reasoning_tokens  # thoughts included
        self.wanted = Wanted(schema, schema_name, most_out)
        """What is asked for where a call says nothing else."""
        self.capabilities = Capabilities(settings)
        """In which form the endpoint takes requests, as far as is known."""
        self._unclear = 0

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def complete(
        self,
        messages: list[Message],
        *,
        text: str,
        wanted: Wanted | None = None,
        turn: Turn | None = None,
    ) -> Completion | Failure:
        """Call in the form that is known, and in the next one where the endpoint refuses that.

        `text` is what the messages ask about: no error quotes it. An error in a body with status
        200 comes back as it is, for something may have been used: `judged` says what it means.
        The `turn` hears what the headers say.

        Raises `UnbilledCallError` with a `RedactionError` for messages that may not leave.
        """
        while True:
            form = self.capabilities.form
            try:
                body = await self._sent(messages, form, wanted or self.wanted, turn)
            except openai.APIStatusError as error:
                _tell(turn, error.response)
                refusal = self._read(error.status_code, error.response.content, text)
                if self.capabilities.step_down(form, refusal):
                    continue
                raise self._status_error(error, refusal) from None
            except ConfigError as error:
                raise _not_sent(error) from None
            except (TimeoutError, openai.APITimeoutError) as error:
                raise self._lost(error, "did not answer in time") from None
            except openai.APIConnectionError as error:
                raise self._lost(error, "broke the connection, or cannot be reached") from None
            said = read_completion(body)
            if isinstance(said, Failure):
                if not self.capabilities.step_down(form, self._refusal(said, text)):
                    return said
                if said.usage is None:
                    continue
                # It is to be booked first: the next form is another attempt.
                return replace(said, status=None)
            self._unclear = 0
            return said

    def body(self, messages: list[Message], wanted: Wanted) -> dict[str, Any]:
        """Give the request as it would be sent now, for a file of such requests.

        Raises `RedactionError` for messages that may not leave.
        """
        self.redactor.require_clean(messages)
        arguments = self.capabilities.form.arguments(
            schema=dict(wanted.schema), schema_name=wanted.name, max_tokens=wanted.most_out
        )
        return {"model": self._settings.model, "messages": messages, **arguments}

    def refused(self, status: int, body: bytes, text: str) -> SilverstreamError:
        """Say what an HTTP status other than 200 means; `UnbilledCallError` if it cost nothing."""
        return self._billed_or_not(self._read(status, body, text), wish_s=None)

    def judged(self, failure: Failure, text: str) -> SilverstreamError:
        """Say what an error in a body means: as much as the HTTP status that it names."""
        if failure.status is None:
            return TeacherUnavailableError("the response has no answer, and no reason that lasts")
        return self._judged(self._refusal(failure, text), wish_s=None)

    async def _sent(
        self, messages: list[Message], form: RequestForm, wanted: Wanted, turn: Turn | None
    ) -> bytes:
        self._require_clean(messages)
        if turn is not None:
            turn.sent = True
        if wanted.varied and self._settings.temperature == "auto":
            form = replace(form, temperature=None)
        arguments = form.arguments(
            schema=dict(wanted.schema), schema_name=wanted.name, max_tokens=wanted.most_out
        )
        # The phases have limits of their own, but a body that drips never meets them.
        async with asyncio.timeout(self._deadline_s):
            response = await self._client.chat.completions.with_raw_response.create(
                model=self._settings.model,
                messages=cast("list[ChatCompletionMessageParam]", messages),
                **arguments,
            )
        _tell(turn, response)
        return bytes(response.content)

    def _require_clean(self, messages: list[Message]) -> None:
        try:
            self.redactor.require_clean(messages)
        except RedactionError as error:
            raise UnbilledCallError(error) from None

    def _read(self, status: int, body: bytes, text: str) -> Refusal:
        key = self._settings.api_key
        secrets = [*self._endpoint.secrets, *([key.get_secret_value()] if key else [])]
        return read_refusal(status, body, secrets=secrets, text=text)

    def _refusal(self, failure: Failure, text: str) -> Refusal:
        body = json.dumps({"error": failure.error}).encode()
        return self._read(failure.status or _SERVER_ERROR, body, text)

    @property
    def _deadline_s(self) -> float:
        return self._settings.connect_timeout_s + self._settings.read_timeout_s

    def _lost(self, error: Exception, what: str) -> SilverstreamError:
        if isinstance(error.__cause__, TeacherUnavailableError):
            return error.__cause__  # of our own: the body is too large, say
        if isinstance(error.__cause__, ConfigError):
            return _not_sent(error.__cause__)
        message = f"the teacher {what} ({self._endpoint.host})"
        if type(error.__cause__).__name__ in _UNSENT:
            return UnbilledCallError(TeacherAwayError(message))
        return TeacherUnavailableError(message)

    def _status_error(self, error: openai.APIStatusError, refusal: Refusal) -> SilverstreamError:
        wish = read_wish(error.response.headers, now=self._clock.now())
        return self._billed_or_not(refusal, wish_s=wish)

    def _billed_or_not(self, refusal: Refusal, *, wish_s: float | None) -> SilverstreamError:
        judged = self._judged(refusal, wish_s=wish_s)
        return judged if refusal.status in MAY_BE_BILLED else UnbilledCallError(judged)

    def _judged(self, refusal: Refusal, *, wish_s: float | None) -> SilverstreamError:
        if never_fits(refusal):
            return self._of_the_text(refusal)
        status = refusal.status
        if (status in _RETRIED or status >= _SERVER_ERROR) and not out_of_money(refusal):
            kind = _KINDS.get(status, TeacherUnavailableError)
            return kind(f"the teacher answered {refusal}", retry_after_s=wish_s)
        return self._refused(refusal)

    @staticmethod
    def _of_the_text(refusal: Refusal) -> InvalidAnswerError:
        return InvalidAnswerError(f"the teacher answered {refusal} to this text")

    def _refused(self, refusal: Refusal) -> SilverstreamError:
        match about(refusal):
            case "filter":
                return RefusedError("a content filter stopped the request")
            case "text":
                return self._of_the_text(refusal)
            case "unclear" if not names_our_form(refusal):
                self._unclear += 1
                if self._unclear < _UNCLEAR_IN_A_ROW:
                    return InvalidAnswerError(f"the teacher answered {refusal} to this request")
        return TeacherPermanentError(
            f"the teacher refuses us, it answered {refusal}: check teacher.base_url, "
            f"teacher.api_key, teacher.model and the account ({self._endpoint.host})",
            surely_us=refusal.status in _SURELY_US or refusal.status < _CLIENT_ERROR,
        )


def _tell(turn: Turn | None, response: Any) -> None:
    if turn is not None:
        turn.heard(response.headers)


def _not_sent(error: ConfigError) -> UnbilledCallError:
    """Say what a guard found; version 3 of `openai` raises it as it is, version 2 as a cause."""
    return UnbilledCallError(TeacherPermanentError(str(error), surely_us=True))


_KINDS: dict[int, type[TeacherUnavailableError]] = {429: TurnedAwayError, 503: TeacherAwayError}


def open_client(
    settings: TeacherSettings,
    endpoint: Endpoint,
    *,
    http_client: Any | None = None,
    resolve: Resolve | None = None,
    most_bytes: int = MAX_BODY_BYTES,
) -> openai.AsyncOpenAI:
    """Make the client of an endpoint, none of whose answers is longer than `most_bytes`."""
    timeout = openai.Timeout(
        connect=settings.connect_timeout_s,
        read=settings.read_timeout_s,
        write=settings.read_timeout_s,
        pool=settings.connect_timeout_s,
    )
    # Local servers want no key, but the client insists on one; its fallback to
    # OPENAI_API_KEY would send that key to whatever server is configured here.
    key = settings.api_key.get_secret_value() if settings.api_key else "none"
    client = http_client
    if client is None:
        client = openai.DefaultAsyncHttpxClient(follow_redirects=False)
        guard_addresses(client, setting="teacher.base_url", resolve=resolve)
    cap_bodies(client, most_bytes=most_bytes, unavailable=TeacherUnavailableError)
    return openai.AsyncOpenAI(
        api_key=key,
        base_url=endpoint.base_url,
        default_query=dict(endpoint.query),
        default_headers=UNCOMPRESSED,
        timeout=timeout,
        max_retries=0,
        http_client=client,
    )
