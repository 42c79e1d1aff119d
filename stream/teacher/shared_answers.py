"""Answers that many machines share: a copy of the topic `teacher-answers`, followed.

The copy stands in the state file, so a restart goes on where the last process ended, and what is
in memory is a page of records. Whoever is asked about a text looks there first. The topic is an
economy, and no more: while it is away answers are asked for, paid for and kept here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol, TypeVar

import structlog

from schemas.errors import ConfigError, TeacherStateError
from schemas.types import TeacherAnswer
from stream.teacher.answer_rows import CachedAnswer
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.retries import Clock

T = TypeVar("T")

_log = structlog.get_logger()

_MOST_BEHIND_S = 29 * 24 * 3600.0
"""The topic tells for 30 days what was forgotten."""
_CATCH_UP_S = 60.0
_AGAIN_S = 30.0


class Page(Protocol):
    """What comes next on the topic."""

    @property
    def rows(self) -> Sequence[tuple[str, TeacherAnswer | None]]:
        """Answers by question, in order; None for one that is forgotten."""

    @property
    def read_up_to(self) -> Mapping[int, int]:
        """The next offset of each partition."""

    @property
    def caught_up(self) -> bool:
        """Whether all is read that was there when the log was opened."""


class AnswerLog(Protocol):
    """The topic. Whatever passes by itself is `TeacherStateError`."""

    @property
    def topic(self) -> str:
        """Its name, unlike that of any other topic of any other brokers."""

    async def open(self, read_up_to: Mapping[int, int]) -> None:
        """Connect, and read on from these offsets; what is not named, from its beginning."""

    async def read(self) -> Page:
        """Give what comes next; a page without rows where nothing came for a moment."""

    async def append(self, answer: TeacherAnswer) -> None:
        """Write an answer; return when it cannot be lost any more."""

    async def aclose(self) -> None:
        """Let go of everything, whatever state it is in; `open` may follow."""


class Use(Protocol):
    """Runs a function of the store where it may wait, see `Books.used`."""

    async def __call__(self, use: Callable[[], T], /) -> T:
        """Run it."""


class SharedAnswers:
    """Follows the topic from the first question on, and tells it what was answered here."""

    def __init__(self, log: AnswerLog, store: TeacherStore, use: Use, *, clock: Clock) -> None:
        self._log = log
        self._store = store
        self._use = use
        self._clock = clock
        self._following: asyncio.Task[None] | None = None
        self._caught_up = asyncio.Event()
        self._open = asyncio.Event()
        self._is_away = False

    async def joined(self) -> None:
        """Wait for the copy to be up to date the first time; at most a minute."""
        if self._following is None:
            self._following = asyncio.create_task(self._follow())
        if not self._caught_up.is_set():
            try:
                async with asyncio.timeout(_CATCH_UP_S):
                    await self._caught_up.wait()
            except TimeoutError:
                self._caught_up.set()

    async def tell(self, answer: TeacherAnswer) -> None:
        """Write an answer to the topic; one that cannot be written is shared by nobody."""
        if not self._open.is_set():
            return
        try:
            await self._log.append(answer)
        except TeacherStateError as error:
            _log.warning("teacher_answer_unshared", error=str(error))

    async def aclose(self) -> None:
        """Follow no more."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        await self._log.aclose()

    async def _follow(self) -> None:
        while True:
            try:
                await self._read_on()
            except (TeacherStateError, ConfigError) as error:
                if not self._is_away:
                    _log.warning("teacher_answers_away", error=str(error))
                self._is_away = True
            self._open.clear()
            self._caught_up.set()
            await self._log.aclose()
            await self._clock.sleep(_AGAIN_S)

    async def _read_on(self) -> None:
        topic, now = self._log.topic, self._clock.now
        look = partial(self._store.shared_read_up_to, topic, now_s=now(), at_most_s=_MOST_BEHIND_S)
        await self._log.open(await self._use(look))
        self._open.set()
        self._is_away = False
        while True:
            page = await self._log.read()
            if page.rows:
                rows = [(key, _as_cached(answer)) for key, answer in page.rows]
                take = partial(
                    self._store.take_shared,
                    topic,
                    rows,
                    read_up_to=page.read_up_to,
                    now_s=now(),
                )
                await self._use(take)
            if page.caught_up:
                self._caught_up.set()


def _as_cached(answer: TeacherAnswer | None) -> CachedAnswer | None:
    return None if answer is None else CachedAnswer(answer.model, answer.facts)
