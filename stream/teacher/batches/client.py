"""The files and batches of an endpoint, as the `openai` client asks for them.

Nothing that comes back is trusted: names and states are checked, and a file is read as far as it
may be long.

Source: the OpenAI API reference, "Files" and "Batch".
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import IO, Any, Final, TypeVar, cast

import openai

from schemas.errors import ConfigError, GoneError, TeacherPermanentError, TeacherUnavailableError
from schemas.settings import TeacherSettings
from stream.teacher.chat_client import open_client
from stream.teacher.endpoint import read_endpoint
from stream.teacher.refusals import read_refusal
from stream.teacher.retries import Clock, read_wish

T = TypeVar("T")

NAMED_BY: Final = "silverstream_batch"
"""The metadata of a batch that hold its name."""
ENDED: Final = frozenset({"completed", "failed", "expired", "cancelled"})
_TRANSFER_S: Final = 600.0
_UNREADY: Final = frozenset({"notRunning", "pending", "running"})
"""Azure's words of a file that it looks through first."""
_LOOKS_EVERY_S: Final = 5.0
_MOST_LOOKS: Final = 60
_MOST_BYTES: Final = 2**30
"""Of one answer of the endpoint, a file of results included."""
_MOST_LISTED: Final = 1000
_NAME: Final = re.compile(r"[A-Za-z0-9_=:-][A-Za-z0-9_=:.-]{0,199}")
_MAX_WORDS_CHARS: Final = 300
_RETRIED: Final = frozenset({408, 409, 425, 429})
_SERVER_ERROR: Final = 500
_MOST_COUNTED: Final = 10**9
_NOT_FOUND: Final = frozenset({404, 405, 410, 501})


@dataclass(frozen=True, slots=True)
class State:
    """What an endpoint says of a batch; "" or 0 for what it does not say."""

    id: str
    status: str
    output_file: str = ""
    error_file: str = ""
    done: int = 0
    words: str = ""
    """Why it failed."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status in ENDED


class BatchClient:
    """Asks one endpoint. Every call raises the same.

    `TeacherUnavailableError` for what may pass, `TeacherPermanentError` for what a person must
    mend, `GoneError` where there is no such thing.
    """

    def __init__(self, settings: TeacherSettings, *, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._endpoint = read_endpoint(settings.base_url)
        self._client = open_client(settings, self._endpoint, most_bytes=_MOST_BYTES)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def upload(self, name: str, lines: bytes) -> str:
        """Upload the requests, and wait until they can be used; give the file's name there."""
        what = "the file of requests"
        file = await self._asked(
            what,
            lambda: self._client.files.create(file=(f"{name}.jsonl", lines), purpose="batch"),
            within_s=_TRANSFER_S,
        )
        uploaded = _required(file.id, "the uploaded file")
        for _ in range(_MOST_LOOKS):
            if getattr(file, "status", None) not in _UNREADY:
                break
            await self._clock.sleep(_LOOKS_EVERY_S)
            file = await self._asked(what, lambda: self._client.files.retrieve(uploaded))
        return uploaded

    async def find_file(self, name: str) -> str:
        """Look for a file that was uploaded under this name; "" where there is none."""

        async def look() -> str:
            seen = 0
            async for one in self._client.files.list(purpose="batch", limit=100):
                if one.filename == f"{name}.jsonl":
                    return _text(one.id)
                if (seen := seen + 1) >= _MOST_LISTED:
                    break
            return ""

        return await self._asked("the list of files", look)

    async def create(self, name: str, input_file: str) -> State:
        """Have a batch made of the file; whether it was, is unknown if this may pass."""
        batch = self._settings.batch
        return await self._state(
            "a batch",
            lambda: self._client.batches.create(
                input_file_id=input_file,
                endpoint=cast("Any", batch.url),
                completion_window=cast("Any", batch.completion_window),
                metadata={NAMED_BY: name},
            ),
        )

    async def find(self, name: str, input_file: str) -> State | None:
        """Look for the batch of this name, or of this file, among those of the account."""

        async def look() -> State | None:
            seen = 0
            async for one in self._client.batches.list(limit=100):
                told = one.metadata if isinstance(one.metadata, dict) else {}
                if told.get(NAMED_BY) == name or one.input_file_id == input_file:
                    return _state(one)
                if (seen := seen + 1) >= _MOST_LISTED:
                    break
            return None

        return await self._asked("the list of batches", look)

    async def state(self, batch: str) -> State:
        """Ask how a batch gets on."""
        return await self._state("a batch", lambda: self._client.batches.retrieve(batch))

    async def cancel(self, batch: str) -> State:
        """Have it ended; what it has answered stays."""
        return await self._state("a batch", lambda: self._client.batches.cancel(batch))

    async def download(self, file: str, into: IO[bytes], *, most_bytes: int) -> None:
        """Write a file of results into another one; longer ones are cut off."""

        async def read() -> None:
            left = most_bytes
            opened = self._client.files.with_streaming_response.content(file)
            async with opened as response:
                async for chunk in response.iter_bytes():
                    into.write(chunk[:left])
                    left -= len(chunk)
                    if left <= 0:
                        return

        await self._asked("a file of results", read, within_s=_TRANSFER_S)

    async def delete(self, file: str) -> None:
        """Have a file forgotten."""
        await self._asked("a file", lambda: self._client.files.delete(file))

    async def _state(self, what: str, call: Callable[[], Awaitable[Any]]) -> State:
        return _state(await self._asked(what, call))

    async def _asked(
        self, what: str, call: Callable[[], Awaitable[T]], *, within_s: float | None = None
    ) -> T:
        within_s = within_s or self._settings.connect_timeout_s + self._settings.read_timeout_s
        host = self._endpoint.host
        try:
            async with asyncio.timeout(within_s):
                return await call()
        except openai.APIStatusError as error:
            raise self._refused(what, error) from None
        except ConfigError as error:
            raise TeacherPermanentError(str(error), surely_us=True) from None
        except (TimeoutError, openai.APITimeoutError):
            raise TeacherUnavailableError(f"{what}: no answer in time ({host})") from None
        except openai.APIConnectionError as error:
            if isinstance(error.__cause__, ConfigError):
                raise TeacherPermanentError(str(error.__cause__), surely_us=True) from None
            raise TeacherUnavailableError(f"{what}: {host} cannot be reached") from None
        except (openai.OpenAIError, ValueError, TypeError, AttributeError):
            raise TeacherUnavailableError(f"{what}: the answer of {host} is none") from None

    def _refused(self, what: str, error: openai.APIStatusError) -> Exception:
        key = self._settings.api_key
        secrets = [*self._endpoint.secrets, *([key.get_secret_value()] if key else [])]
        status = error.status_code
        refusal = read_refusal(status, error.response.content, secrets=secrets, text="")
        words = f"{what}: {self._endpoint.host} answered {refusal}"
        if status in _NOT_FOUND:
            return GoneError(words)
        if status in _RETRIED or status >= _SERVER_ERROR:
            wish_s = read_wish(error.response.headers, now=self._clock.now())
            return TeacherUnavailableError(words, retry_after_s=wish_s)
        return TeacherPermanentError(words, surely_us=True)


def _state(batch: Any) -> State:
    counts = getattr(batch, "request_counts", None)
    listed = getattr(getattr(batch, "errors", None), "data", None)
    errors = listed if isinstance(listed, list) else []
    words = [f"{_words(one.code)} {_words(one.message)}".strip() for one in errors[:3]]
    return State(
        _required(getattr(batch, "id", None), "the batch"),
        _text(getattr(batch, "status", None)),
        _text(getattr(batch, "output_file_id", None)),
        _text(getattr(batch, "error_file_id", None)),
        _count(getattr(counts, "completed", 0)) + _count(getattr(counts, "failed", 0)),
        "; ".join(filter(None, words)),
    )


def _required(value: Any, of: str) -> str:
    if not (name := _text(value)):
        raise TeacherUnavailableError(f"{of} got no name that can be used")
    return name


def _text(value: Any) -> str:
    """Keep a name that may stand in an address."""
    return value if isinstance(value, str) and _NAME.fullmatch(value) else ""


def _words(value: Any) -> str:
    """Keep what may stand in messages and logs."""
    said = value if isinstance(value, str) else ""
    return "".join(x for x in said[:_MAX_WORDS_CHARS] if x.isprintable())


def _count(value: Any) -> int:
    usable = isinstance(value, int) and not isinstance(value, bool)
    return value if usable and 0 <= value < _MOST_COUNTED else 0
