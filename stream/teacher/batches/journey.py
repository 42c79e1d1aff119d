"""The way of one batch: uploaded, made, waited for. What is known of it is noted before each step.

Whether a batch was made is unknown when the answer to that got lost, or the process was killed.
Then it is looked for among the account's batches, by our name in its metadata or by its file, after
as long as an endpoint may take to list it; only when it is not there another one is made.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

import structlog

from schemas.errors import (
    GoneError,
    TeacherPermanentError,
    TeacherUnavailableError,
    UnbilledCallError,
)
from schemas.retry import patiently
from schemas.settings import TeacherSettings
from stream.teacher.batch_rows import Batch
from stream.teacher.batches.client import BatchClient, State
from stream.teacher.books import Books
from stream.teacher.retries import MAY_PASS, Clock, waits

T = TypeVar("T")

_log = structlog.get_logger()

_LISTED_WITHIN_S: Final = 60.0
"""So long after it was asked for, a batch that was made is among those listed."""
_ENDS_WITHIN_S: Final = 1800.0
"""A batch that is cancelled has so long to end."""


class Journey:
    """Sends batches and waits for them; `sleep` of the clock is all it does meanwhile."""

    def __init__(
        self,
        client: BatchClient,
        settings: TeacherSettings,
        books: Books,
        clock: Clock,
        *,
        on_try: Callable[[], None],
    ) -> None:
        self._client = client
        self._settings = settings
        self._books = books
        self._clock = clock
        self._on_try = on_try
        self._waits = waits(
            max_wait_s=settings.max_retry_wait_s,
            lot=random.Random(),  # noqa: S311 - jitter is no secret
        )

    async def uploaded(self, batch: Batch, lines: bytes) -> Batch:
        """Upload the requests, which costs nothing; `UnbilledCallError` where that fails."""
        try:
            file = await self.patiently(lambda: self._client.upload(batch.name, lines))
        except GoneError as error:
            raise UnbilledCallError(_no_batch_api(error)) from None
        except TeacherUnavailableError as error:
            raise UnbilledCallError(error) from None
        return await self.noted(replace(batch, input_file=file))

    async def stray_file(self, batch: Batch) -> str:
        """Find what a process uploaded that was killed before it noted that; "" for nothing."""
        try:
            return await self._client.find_file(batch.name)
        except (GoneError, TeacherUnavailableError) as error:
            _log.warning("batch_file_left", file=f"{batch.name}.jsonl", reason=str(error))
            return ""

    async def made(self, batch: Batch) -> Batch | None:
        """Have the batch made, or find it where that may be so already.

        None where that cannot be told. Raises `UnbilledCallError` where it was refused, and
        `TeacherUnavailableError` where the endpoint is away: then it may be made.
        """
        for _ in range(self._settings.max_attempts):
            if batch.tried_s:
                try:
                    found = await self._found(batch)
                except GoneError as error:
                    _log.error("batch_lost", batch=batch.name, reason=str(error))
                    return None
                if found is not None:
                    return await self._sent(batch, found)
            batch = await self.noted(replace(batch, tried_s=self._clock.now()))
            try:
                return await self._sent(
                    batch, await self._client.create(batch.name, batch.input_file)
                )
            except GoneError as error:
                raise UnbilledCallError(_no_batch_api(error)) from None
            except TeacherPermanentError as error:
                raise UnbilledCallError(error) from None
            except TeacherUnavailableError as error:
                _log.warning("batch_unanswered", batch=batch.name, reason=str(error))
                last = error
        raise TeacherUnavailableError(f"{last}; run the command again to go on")

    async def ended(self, batch: Batch) -> State | None:
        """Wait until it has ended, or is cancelled at our deadline; None where it is lost.

        An endpoint that does not answer is asked again, however late: a batch of which nothing is
        known may be answered, and billed; `TeacherPermanentError` where it
        refuses us: the batch goes on, and so can we.
        """
        told, cancelled = ("", -1), False
        while True:
            state = await self._looked(batch)
            self._on_try()
            if state is None or state.has_ended:
                return state
            if state.id and (state.status, state.done) != told:
                told = (state.status, state.done)
                _log.info("batch_waits", batch=batch.id, status=state.status, done=state.done)
            now = self._clock.now()
            if state.id and now >= batch.until_s + _ENDS_WITHIN_S:
                _log.error("batch_lost", batch=batch.id, reason="it does not end")
                return None
            if now >= batch.until_s and not cancelled:
                cancelled = await self._cancelled(batch)
            left_s = batch.until_s - now
            poll_s = self._settings.batch.poll_s
            await self._clock.sleep(min(poll_s, left_s) if left_s > 0 else poll_s)

    async def patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Make as many attempts as the settings say at what may pass."""
        most = self._settings.max_attempts
        return await patiently(
            attempt,
            retry=MAY_PASS,
            wait=self._waits,
            stop=lambda state: state.attempt_number >= most,
            sleep=self._clock.sleep,
        )

    async def noted(self, batch: Batch) -> Batch:
        """Note what is known of it; raises as the store."""
        await self._books.used(partial(self._books.store.note_batch, batch))
        return batch

    async def _found(self, batch: Batch) -> State | None:
        early_s = batch.tried_s + _LISTED_WITHIN_S - self._clock.now()
        if early_s > 0:
            await self._clock.sleep(early_s)
        return await self.patiently(lambda: self._client.find(batch.name, batch.input_file))

    async def _sent(self, batch: Batch, state: State) -> Batch:
        now, deadline_s = self._clock.now(), self._settings.batch.deadline_s
        sent = replace(batch, id=state.id, sent_s=now, until_s=now + deadline_s)
        _log.info("batch_sent", batch=sent.id, lines=sent.lines, file=sent.input_file)
        return await self.noted(sent)

    async def _looked(self, batch: Batch) -> State | None:
        try:
            return await self._client.state(batch.id)
        except GoneError as error:
            _log.error("batch_lost", batch=batch.id, reason=str(error))
            return None
        except TeacherPermanentError:
            raise
        except TeacherUnavailableError as error:
            _log.warning("batch_unanswered", batch=batch.id, reason=str(error))
            return State("", "")

    async def _cancelled(self, batch: Batch) -> bool:
        try:
            await self._client.cancel(batch.id)
        except (GoneError, TeacherUnavailableError) as error:
            _log.warning("batch_unanswered", batch=batch.id, reason=str(error))
            return False
        _log.warning("batch_given_up", batch=batch.id, reason="its deadline has passed")
        return True


def _no_batch_api(error: GoneError) -> TeacherPermanentError:
    message = f"the endpoint has no Batch API, it seems ({error}): set teacher.batch.purposes: []"
    return TeacherPermanentError(message, surely_us=True)
