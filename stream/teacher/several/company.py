"""Who waits to be asked about, gathered into calls: one call, and an answer or an error for each.

A group is closed when it is full (by number, by what its answers are expected to take, by
characters) or when it has waited for a moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias

from schemas.errors import AnswerError
from schemas.settings import TeacherSettings
from stream.teacher.prompt_parts import answer_code
from stream.teacher.several.question import Part, Several
from stream.teacher.text_questions import TextQuestion

_GATHER_S = 0.1
"""How long the first of a group waits for others; an answer takes longer than this."""
_MOST_CHARS = 16_000
"""Of the texts of one call together, and of the examples that are not shown for all of them: a few
thousand tokens, which any context has room for."""
_ROOM_FOR_ANSWERS = 1.5
"""So many times what is expected must fit into the limit of an answer's tokens."""

_Future: TypeAlias = "asyncio.Future[Part | None]"


@dataclass(eq=False)
class _Group:
    expires_at_ms: int | None = None
    waiting: dict[str, tuple[TextQuestion, _Future]] = field(default_factory=dict)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def asked(self) -> list[TextQuestion]:
        return [one for one, _ in self.waiting.values()]

    def add(self, one: TextQuestion, key: str, expires_at_ms: int | None) -> None:
        self.waiting[key] = (one, asyncio.get_running_loop().create_future())
        told = [x for x in (self.expires_at_ms, expires_at_ms) if x is not None]
        self.expires_at_ms = min(told, default=None)

    def settle(self, outcomes: Sequence[Part | BaseException | None]) -> None:
        for (_, future), outcome in zip(self.waiting.values(), outcomes, strict=True):
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)


class Company:
    """Gathers up to `texts_per_call` texts a call; use it from one event loop.

    `ask` makes a call, with its retries, until its requests expire (Unix time in ms).
    """

    def __init__(
        self,
        ask: Callable[[Several, int | None], Awaitable[list[Part | AnswerError]]],
        settings: TeacherSettings,
    ) -> None:
        self._ask = ask
        self._most = settings.texts_per_call
        self._most_out = settings.max_output_tokens
        self._open: _Group | None = None
        self._under_way: set[asyncio.Task[None]] = set()

    async def answer(
        self, one: TextQuestion, key: str, *, expires_at_ms: int | None
    ) -> Part | None:
        """Ask the question of this key beside others; None where there were no others.

        Raises what its part, or the whole call, ended with. A question that waits already is not
        asked twice.
        """
        group = self._open
        if group is None or not _takes(group, one, key, most_out=self._most_out):
            group = self._opened()
        if key not in group.waiting:
            group.add(one, key, expires_at_ms)
        waiting = group.waiting[key][1]
        if len(group.waiting) >= self._most:
            self._close(group)
        # Whoever stops waiting must not take the answer from another who asked the same.
        return await asyncio.shield(waiting)

    async def aclose(self) -> None:
        """End the calls under way."""
        for task in self._under_way:
            task.cancel()
        if self._under_way:
            await asyncio.wait(self._under_way)

    def _opened(self) -> _Group:
        """Open a group in the place of the one there is."""
        if self._open is not None:
            self._close(self._open)
        group = self._open = _Group()
        task = asyncio.create_task(self._asked(group))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return group

    def _close(self, group: _Group) -> None:
        group.closed.set()
        if self._open is group:
            self._open = None

    async def _asked(self, group: _Group) -> None:
        try:
            group.settle(await self._outcomes(group))
        except asyncio.CancelledError:
            for _, future in group.waiting.values():
                future.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was, it is raised where awaited
            group.settle([error] * len(group.waiting))

    async def _outcomes(self, group: _Group) -> Sequence[Part | AnswerError | None]:
        with suppress(TimeoutError):
            async with asyncio.timeout(_GATHER_S):
                await group.closed.wait()
        self._close(group)
        if len(group.waiting) == 1:
            return [None]
        return await self._ask(
            Several(tuple(group.waiting), tuple(group.asked)), group.expires_at_ms
        )


def _takes(group: _Group, one: TextQuestion, key: str, *, most_out: int) -> bool:
    """Whether it waits there, or can be asked about beside the others and told from them."""
    if key in group.waiting:
        return True
    all_of_them = [*group.asked, one]
    return (
        answer_code(one.text) not in {answer_code(other.text) for other in group.asked}
        and sum(len(x.text) for x in all_of_them) + _chosen_chars(all_of_them) <= _MOST_CHARS
        and _ROOM_FOR_ANSWERS * sum(x.tokens_out for x in all_of_them) <= most_out
    )


def _chosen_chars(questions: Sequence[TextQuestion]) -> int:
    """Count what is told beside the texts, each example once, and is not the same for all."""
    told = [{turn["content"] for turn in one.messages[1:-1]} for one in questions]
    chosen = set[str]().union(*told) - told[0].intersection(*told)
    return sum(len(one) for one in chosen)
