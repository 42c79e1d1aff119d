"""Questions that nobody waits for, asked in batches; each answer is read and paid for as any other.

A text is put, redacted and reserved as `OpenAITeacher` does it, at the batch's price, and its
answer is parsed, grounded, remembered and booked the same way. What a batch is and which lines are
open stands in the teacher's state file before anything is sent, so that whoever comes after a kill
goes on with the batch that was sent instead of paying for another.

The first text of a process is asked live: that shows in which form the endpoint takes requests,
which a batch would only tell hours later. Where the settings say all of the form, none is.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

import structlog
from filelock import FileLock, Timeout

from schemas.errors import (
    AnswerError,
    BudgetExhaustedError,
    ConfigError,
    ExpiredError,
    InvalidAnswerError,
    RedactionError,
    RefusedError,
    TeacherPermanentError,
    TeacherStateError,
    TeacherUnavailableError,
    UnbilledCallError,
)
from schemas.masking import masked_place
from schemas.settings import TeacherSettings
from schemas.types import WHOLE
from stream.teacher.batch_rows import Batch
from stream.teacher.batches.client import BatchClient
from stream.teacher.batches.files import line_name, request_line
from stream.teacher.batches.journey import Journey
from stream.teacher.batches.results import Outcome, Results
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.openai_teacher import OpenAITeacher
from stream.teacher.protocol import Answer
from stream.teacher.reserving import Reserved, Reserving, most_tokens
from stream.teacher.spending import Purpose

_log = structlog.get_logger()

_AT_ONCE: Final = 64
_FIRST_TRIES: Final = 3
"""So many texts are asked about live, until one is answered."""
_LOOK_S: Final = 1.0
"""So often, at most, it is looked which texts are late: that takes a look at each."""
_MOST_BYTES: Final = 64 * 2**20
"""Of a file of requests; providers take 100 MB and more."""


@dataclass(slots=True)
class Lot:
    """Texts and what became of them: a `Teacher` for these. `live` answers what nobody did."""

    live: OpenAITeacher
    asks_late: bool
    texts: list[str] = field(default_factory=list)
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    async def label(self, text: str, *, expires_at_ms: int | None = None) -> Answer:
        """Give the answer, or raise why there is none; see `Teacher.label`.

        `ExpiredError` where the batch had none and nobody is asked again.
        """
        outcome = self.outcomes.get(text)
        if isinstance(outcome, Answer):
            return outcome
        if outcome is not None:
            raise outcome
        if self.asks_late:
            return await self.live.label_alone(text, expires_at_ms=expires_at_ms)
        raise ExpiredError("the batch ended without an answer")

    async def check(self) -> None:
        """See `Teacher.check`."""
        await self.live.check()

    async def aclose(self) -> None:
        """Close nothing: the live teacher is somebody else's."""


def batch_lane(
    live: OpenAITeacher, settings: TeacherSettings, *, task: str, purpose: Purpose
) -> BatchLane | None:
    """Make the lane of a purpose; None where nothing goes there, and nothing waits there."""
    if not has_lane(live.books.store, settings, task=task, purpose=purpose):
        return None
    return BatchLane(live, settings, task=task, purpose=purpose)


def has_lane(
    store: TeacherStore, settings: TeacherSettings, *, task: str, purpose: Purpose
) -> bool:
    """Whether questions of a purpose go into batches, or some wait in one that was sent before.

    Those at another address than the settings' are told of: nobody can read them from here.
    """
    here = masked_place(settings.base_url)
    for one in store.batches():
        if (one.task, one.purpose) == (task, purpose) and one.endpoint != here:
            _log.warning(
                "batch_unread", batch=one.id or one.name, reason=f"it is at {one.endpoint}"
            )
    waits = any_waits(store, settings, task=task, purpose=purpose)
    return purpose in settings.batch.purposes or waits


def any_waits(
    store: TeacherStore, settings: TeacherSettings, *, task: str, purpose: Purpose
) -> bool:
    """Whether questions of a purpose wait in a batch that was sent before, and can be read."""
    of_us = (task, purpose, masked_place(settings.base_url))
    return any((one.task, one.purpose, one.endpoint) == of_us for one in store.batches())


class BatchLane:
    """Asks the endpoint of `live` in batches, for one purpose; both spend by the same books.

    It is used once. `on_try` is called each time that the endpoint is asked how a batch gets on.
    """

    def __init__(
        self,
        live: OpenAITeacher,
        settings: TeacherSettings,
        *,
        task: str,
        purpose: Purpose,
        on_try: Callable[[], None] = lambda: None,
    ) -> None:
        self._live = live
        self._settings = settings
        self._task, self._purpose = task, purpose
        self._endpoint = live.of_one.memory.endpoint
        self._books = live.books
        share = settings.batch.price_share
        self._reserving = Reserving(settings, books=live.books, clock=live.clock, price_share=share)
        self._client = BatchClient(settings, clock=live.clock)
        self._journey = Journey(self._client, settings, live.books, live.clock, on_try=on_try)
        self._results = Results(
            live, settings, self._reserving, self._client, patiently=self._journey.patiently
        )
        form = (settings.response_format, settings.limit_parameter, settings.temperature)
        self._form_is_known = "auto" not in (*form, settings.strict)

    async def lots(
        self, texts: Sequence[str], *, in_time: Callable[[str], bool] = lambda _text: True
    ) -> AsyncGenerator[Lot]:
        """Give lots that hold each of the texts once, each when its batch has ended.

        What was sent by an earlier process comes first; then, before each batch, what would not
        come `in_time`, to be asked live. Raises `ConfigError` where another process waits for
        batches of the task, `TeacherUnavailableError` where the endpoint cannot be reached, and
        `TeacherPermanentError` where it refuses us or the batch.
        """
        try:
            with self._held():
                left = deque(dict.fromkeys(texts))
                for batch in await self._open_batches():
                    lot = await self._resumed(batch, left)
                    done = set(lot.texts)
                    left = deque(text for text in left if text not in done)
                    yield lot
                now_s = self._live.clock.monotonic
                look_s = now_s()
                while left:
                    if now_s() >= look_s:  # each batch takes its time, a text that is refused none
                        late = {text for text in left if not in_time(text)}
                        if late:
                            yield self._live_lot(text for text in left if text in late)
                            left = deque(text for text in left if text not in late)
                        look_s = now_s() + _LOOK_S
                    if left:
                        yield await self._next(left)
        finally:
            await self._client.aclose()

    @contextmanager
    def _held(self) -> Iterator[None]:
        state = self._settings.state
        lock = FileLock(
            state.with_name(f"{state.name}.batches-{self._task}-{self._purpose}.lock"), timeout=0
        )
        try:
            lock.acquire()
        except Timeout:
            raise ConfigError(
                f"another process waits for batches of the task {self._task} ({state})"
            ) from None
        try:
            yield
        finally:
            lock.release()

    async def _open_batches(self) -> list[Batch]:
        """Give those of ours that an earlier process left."""
        of_us = (self._task, self._purpose, self._endpoint)
        found = await self._books.used(self._books.store.batches, writes=False)
        return [one for one in found if (one.task, one.purpose, one.endpoint) == of_us]

    async def _resumed(self, batch: Batch, texts: Iterable[str]) -> Lot:
        opened = await self._books.used(partial(self._books.store.open_lines, batch.name))
        names = {self._line(text): text for text in texts}
        lines = {name: names[name] for name in opened if name in names}
        _log.info("batch_resumed", batch=batch.id or batch.name, lines=len(opened))
        reserved = {name: Reserved(call) for name, call in opened.items()}
        forgot = len(opened) < batch.lines and not batch.tried_s
        if not batch.input_file or forgot:  # none was made: these are still to be asked about
            file = batch.input_file or await self._journey.stray_file(batch)
            await self._results.give_back(replace(batch, input_file=file), reserved)
            return self._lot()
        if opened and not lines and self._results.keeps(batch):
            return self._lot()  # whoever has its texts goes on with it
        lot = self._lot(lines.values())
        lot.outcomes.update(await self._ended(batch, reserved, lines))
        return lot

    async def _next(self, left: deque[str]) -> Lot:
        """Ask about some of the texts that are left, and take these off."""
        if self._purpose not in self._settings.batch.purposes:
            lot = self._live_lot(left)
            left.clear()
            return lot
        if not self._form_is_known:
            return await self._first(left)
        return await self._asked(left)

    async def _first(self, left: deque[str]) -> Lot:
        """Ask about one text live; those before it whose answers are known show nothing.

        Where nobody answers, that is no outcome: whether it is the text, other ones tell. What is
        known is given before that is raised.
        """
        lot, unanswered = self._lot(), 0
        while left:
            text = left.popleft()
            try:
                answer = await self._live.label_alone(text)
            except AnswerError as error:
                lot.texts.append(text)
                lot.outcomes[text] = error
                self._form_is_known = isinstance(error, RefusedError | InvalidAnswerError)
                return lot
            except TeacherUnavailableError as error:
                left.append(text)
                unanswered += 1
                us = isinstance(error, TeacherPermanentError | TeacherStateError)
                if not us and unanswered < min(_FIRST_TRIES, len(left)):
                    continue
                if not lot.texts:
                    raise
                return lot
            lot.texts.append(text)
            lot.outcomes[text] = answer
            if not answer.cached:
                self._form_is_known = True
                return lot
        return lot

    async def _asked(self, left: deque[str]) -> Lot:
        batch = Batch(uuid.uuid4().hex, self._task, self._purpose, self._endpoint)
        await self._noted(batch)
        lot, reserved, file = self._lot(), dict[str, Reserved](), bytearray()
        try:
            await self._fill(batch, left, lot, reserved, file)
        except BaseException:
            await self._results.give_back(batch, reserved)
            raise
        if not reserved:
            await self._results.give_back(batch, reserved)
            return lot
        lines = {self._line(text): text for text in lot.texts if text not in lot.outcomes}
        lot.outcomes.update(await self._ended(batch, reserved, lines, bytes(file)))
        return lot

    async def _fill(
        self,
        batch: Batch,
        left: deque[str],
        lot: Lot,
        reserved: dict[str, Reserved],
        file: bytearray,
    ) -> None:
        """Take texts into the batch while there are any, and place, and money."""
        while left and len(reserved) < self._settings.batch.max_requests:
            if len(file) >= _MOST_BYTES:
                return
            room = self._settings.batch.max_requests - len(reserved)
            some = [left.popleft() for _ in range(min(len(left), room, _AT_ONCE))]
            found = await asyncio.gather(
                *(self._reserved(batch, text, reserved) for text in some), return_exceptions=True
            )
            refused = dict[str, Outcome]()
            for text, one in zip(some, found, strict=True):
                if isinstance(one, BudgetExhaustedError):
                    refused[text] = one
                    continue
                if isinstance(one, BaseException) and not isinstance(one, RedactionError):
                    raise one
                lot.texts.append(text)
                if isinstance(one, bytes):
                    file += one
                else:
                    lot.outcomes[text] = one
            if refused and not reserved:  # nothing is left that a batch could give back
                lot.texts.extend(refused)
                lot.outcomes.update(refused)
                return
            if refused:
                left.extendleft(reversed(refused))
                return

    async def _reserved(
        self, batch: Batch, text: str, reserved: dict[str, Reserved]
    ) -> bytes | Answer:
        """Reserve and write a line; or give the answer that is known.

        Raises `RedactionError`, and `BudgetExhaustedError` and `TeacherStateError`.
        """
        memory, day = self._live.of_one.memory, self._reserving.day
        if known := await memory.known(text, WHOLE, day=day):
            return known
        name = self._line(text)
        put = await self._live.of_one.put(text)
        wanted = put.question.wanted(most_out=self._results.most_out)
        body = self._live.chat.body(put.question.messages, wanted)
        cause = replace(put.cause, batch=batch.name, line=name)
        most = most_tokens(put.question.messages, wanted)
        reserved[name] = await self._reserving.reserve(most, cause)
        return request_line(name, body, url=self._settings.batch.url)

    async def _ended(
        self,
        batch: Batch,
        reserved: dict[str, Reserved],
        lines: dict[str, str],
        file: bytes = b"",
    ) -> dict[str, Outcome]:
        """Have the batch made, wait for its end, and take what came of it.

        `file` are its requests, where they are not uploaded yet.
        """
        made: Batch | None = batch
        try:
            if file:
                batch = replace(batch, lines=len(reserved))
                batch = made = await self._journey.uploaded(batch, file)
            if not batch.id:
                made = await self._journey.made(batch)
        except UnbilledCallError as error:
            await self._results.give_back(batch, reserved)
            raise error.cause from None
        state = await self._journey.ended(made) if made else None
        outcomes = await self._results.taken(made or batch, state, reserved, lines)
        if state is not None and state.status == "failed":
            raise TeacherPermanentError(
                f"the provider refused the batch: {state.words or 'it does not say why'} "
                "(where it was too large: teacher.batch.max_requests)"
            )
        return outcomes

    def _line(self, text: str) -> str:
        memory = self._live.of_one.memory
        return line_name(memory.cause(text, chosen=memory.chosen(text)).question)

    def _lot(self, texts: Iterable[str] = ()) -> Lot:
        return Lot(self._live, self._settings.batch.when_late == "ask", list(texts))

    def _live_lot(self, texts: Iterable[str]) -> Lot:
        return Lot(self._live, asks_late=True, texts=list(texts))

    async def _noted(self, batch: Batch) -> None:
        await self._books.used(partial(self._books.store.note_batch, batch))
