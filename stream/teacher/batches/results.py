"""What came of a batch: each line is read, grounded, remembered and booked as a live answer is.

An answer is remembered before its line is booked, so a kill between the two asks for nothing twice.
A line that is not open (of no batch of ours, or doubled) is passed over. What nobody worked on is
given back; a line without a word in a batch that was completed may be billed, and stands reserved.

A line whose text nobody has at hand is left for whoever has it (another file, a later take of
requests), for a day; then it is booked, and its answer dropped.
"""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from typing import IO, Final, TypeAlias

import structlog

from schemas.errors import (
    AnswerError,
    ExpiredError,
    GoneError,
    RefusedError,
    SilverstreamError,
    TeacherUnavailableError,
    UnbilledCallError,
)
from schemas.files.whole_files import written
from schemas.settings import TeacherSettings
from stream.teacher.batch_rows import Batch
from stream.teacher.batches.client import BatchClient, State
from stream.teacher.batches.files import NOT_DONE, Result, read_result
from stream.teacher.completions import MAX_BODY_BYTES, Completion, Failure, read_completion
from stream.teacher.openai_teacher import OpenAITeacher
from stream.teacher.protocol import Answer
from stream.teacher.reserving import Reserved, Reserving, most_tokens
from stream.teacher.several.question import Part

Outcome: TypeAlias = Answer | SilverstreamError

_log = structlog.get_logger()

_OK: Final = 200
_KEPT_S: Final = 86400.0
_BYTES_PER_TOKEN: Final = 16
_BYTES_PER_LINE: Final = 2**14
"""Of a result, beside what the model says."""
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})


class Results:
    """Takes what batches answered; `live` says how questions are put and answers read."""

    def __init__(
        self,
        live: OpenAITeacher,
        settings: TeacherSettings,
        reserving: Reserving,
        client: BatchClient,
        *,
        patiently: Callable[[Callable[[], Awaitable[None]]], Awaitable[None]],
    ) -> None:
        self._live = live
        self._settings = settings
        self._reserving = reserving
        self._client = client
        self._patiently = patiently
        self._books = live.books

    @property
    def most_out(self) -> int:
        """How many tokens an answer may have, thoughts included."""
        return self._settings.max_output_tokens + self._settings.reasoning_tokens

    async def taken(
        self,
        batch: Batch,
        state: State | None,
        reserved: dict[str, Reserved],
        texts: Mapping[str, str],
    ) -> dict[str, Outcome]:
        """Take the results of a batch that has ended, None where it is lost, and end it.

        `texts` are those of its lines, by name, as far as they are known; `reserved` holds every
        open line, and is used up. A text that the outcomes lack got no answer.
        """
        outcomes = await self._dropped(batch, reserved, texts)
        answered = state is not None and state.status != "failed"
        kept = self._kept(batch, reserved, texts) if answered else 0
        files = [name for name in (state.output_file, state.error_file) if name] if state else []
        for file in files:
            with tempfile.TemporaryFile(dir=self._settings.state.parent) as read:
                await self._download(file, read, lines=batch.lines)
                await self._read(read, batch, reserved, texts, outcomes)
        if state is not None and state.status != "completed":
            await self._release(reserved)
        _log.info(
            "batch_ended",
            batch=batch.id or batch.name,
            status=state.status if state else "lost",
            answered=len(outcomes),
            unanswered=len(reserved),
            words=state.words if state else "",
        )
        if kept:
            return outcomes
        await self._forgotten([batch.input_file, *files])
        await self._books.used(partial(self._books.store.close_batch, batch.name))
        return outcomes

    async def _dropped(
        self, batch: Batch, reserved: dict[str, Reserved], texts: Mapping[str, str]
    ) -> dict[str, Outcome]:
        """Take out lines that `forget` has closed meanwhile: no answer of theirs is kept."""
        still = await self._books.used(partial(self._books.store.open_lines, batch.name))
        gone = reserved.keys() - still.keys()
        for name in gone:
            del reserved[name]
        why = "the text was forgotten while it waited in a batch"
        return {texts[name]: ExpiredError(why) for name in gone & texts.keys()}

    async def give_back(self, batch: Batch, reserved: dict[str, Reserved]) -> None:
        """End a batch that was never made; none of it costs anything."""
        await self._release(reserved)
        await self._forgotten([batch.input_file])
        await self._books.used(partial(self._books.store.close_batch, batch.name))

    def keeps(self, batch: Batch) -> bool:
        """Whether what is unknown of the batch is left for others."""
        return self._live.clock.now() < (batch.until_s or batch.tried_s) + _KEPT_S

    def _kept(self, batch: Batch, reserved: dict[str, Reserved], texts: Mapping[str, str]) -> int:
        """Take out, and count, lines whose texts may still come."""
        if not self.keeps(batch):
            return 0
        unknown = [name for name in reserved if name not in texts]
        for name in unknown:
            del reserved[name]
        return len(unknown)

    async def _release(self, reserved: dict[str, Reserved]) -> None:
        for one in reserved.values():
            await self._reserving.release(one)

    async def _download(self, file: str, into: IO[bytes], *, lines: int) -> None:
        most_bytes = max(lines, 1) * (self.most_out * _BYTES_PER_TOKEN + _BYTES_PER_LINE)

        async def download() -> None:
            into.seek(0)
            into.truncate()
            await self._client.download(file, into, most_bytes=most_bytes)

        try:
            with written(self._settings.state.parent, only=_FULL):
                await self._patiently(download)
                into.flush()
        except GoneError as error:
            _log.error("batch_file_gone", file=file, reason=str(error))
            into.truncate(0)
        into.seek(0)

    async def _read(
        self,
        file: IO[bytes],
        batch: Batch,
        reserved: dict[str, Reserved],
        texts: Mapping[str, str],
        outcomes: dict[str, Outcome],
    ) -> None:
        strange = 0
        for line in _lines(file):
            result = read_result(line)
            one = reserved.pop(result.name, None) if result else None
            if result is None or one is None:
                strange += 1
                continue
            text = texts.get(result.name)
            outcome = await self._settled(one, text, result)
            if outcome is not None and text is not None:
                outcomes[text] = outcome
        if strange:
            _log.warning("batch_lines_strange", batch=batch.id, lines=strange)

    async def _settled(self, one: Reserved, text: str | None, result: Result) -> Outcome | None:
        """Read a line and book it; None where the text may be asked about again."""
        if result.status is None and (result.code or result.words):
            await self._reserving.release(one)
            if result.code not in NOT_DONE:
                _log.warning("batch_line_failed", code=result.code, words=result.words)
            return None
        try:
            if result.status not in (None, _OK):
                raise self._live.chat.refused(result.status, result.body, text or "")
            completion = read_completion(result.body)
            if isinstance(completion, Failure):
                await self._reserving.book_failure(one, completion)
                raise self._live.chat.judged(completion, text or "")
            return await self._booked(one, text, completion)
        except UnbilledCallError as error:
            await self._reserving.release(one)
            return _lasting(error.cause)
        except (AnswerError, TeacherUnavailableError) as error:
            return _lasting(error)

    async def _booked(self, one: Reserved, text: str | None, completion: Completion) -> Answer:
        """Remember the answer, book what it took, and give it; raises why it is none."""
        usage = completion.usage
        put = None if text is None else await self._live.of_one.put(text)
        if usage is None and put is not None:
            wanted = put.question.wanted(most_out=self.most_out)
            usage = most_tokens(put.question.messages, wanted)
        try:
            if completion.refusal is not None:
                raise RefusedError("the model refused")
            if text is None or put is None or usage is None:
                raise RefusedError("nobody asks about this text any more")
            part = Part(put.question.read(completion), completion, usage)
            answer = self._live.of_one.answered(put.masked, part)
            return await self._live.of_one.memory.remember(text, answer)
        finally:
            if usage is not None:
                await self._reserving.book(one, usage, completion.content)

    async def _forgotten(self, files: list[str]) -> None:
        """Have the provider forget what it keeps of the texts; it may keep it all the same."""
        for file in filter(None, files):
            try:
                await self._client.delete(file)
            except (GoneError, TeacherUnavailableError) as error:
                _log.warning("batch_file_left", file=file, reason=str(error))


def _lasting(error: SilverstreamError) -> Outcome | None:
    """Give what asking again would not change; the rest is as if nobody had answered."""
    if not isinstance(error, TeacherUnavailableError):
        return error
    _log.warning("batch_line_failed", code=error.code, words=str(error))
    return None


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Give the lines of a file, those that are too long in pieces, which are no results."""
    while line := file.readline(MAX_BODY_BYTES):
        yield line
