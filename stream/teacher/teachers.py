"""Several teachers as one: a record goes to the cheapest that is good enough for it.

Which one that is, `stream.teacher.comparison` says of the labels that the student proposes; without
evidence it is the first. Audits go to the first whatever is known, for they judge the student.
Where the one that is chosen is not reachable the next is asked, in the order of the settings, and
so on; where none is, they are tried in turn until the request expires. A refusal or an answer that
cannot be read is an answer: nobody else is asked.

Of the audits that the first answers a share, drawn by hash, is asked of all others too. What they
say goes along with the label, for rounds to compare; it is no answer to anybody.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, Protocol, TypeAlias

import structlog

from schemas.errors import (
    AnswerError,
    ExpiredError,
    InvalidAnswerError,
    RefusedError,
    TeacherUnavailableError,
)
from schemas.settings import TeacherSettings
from schemas.types import Opinion, Promotion, TeacherRequest, facts, text_digest
from stream.teacher.books import Books
from stream.teacher.comparison import NOTHING_COMPARED, Comparison, comparison_in
from stream.teacher.protocol import Answer, Unsure
from stream.teacher.retries import Clock, Outage

_log = structlog.get_logger(__name__)

_CALL: Final = (1000, 100)
"""Tokens in and out of the call by which prices are compared; the prompt is most of it."""
_FIRST_PAUSE_S: Final = 1.0
"""After all were tried in vain; it doubles each time."""

ALONE: Final = "alone"
How: TypeAlias = Unsure | Literal["alone"] | None
"""What is unsure, where a teacher asks about that; the whole text alone; or the whole text."""


class Reachable(Protocol):
    """A teacher that knows whether its endpoint takes calls now."""

    prompt_version: str
    tried_at_s: float

    @property
    def is_open(self) -> bool:
        """Whether a call now would be turned away without being made."""
        ...

    @property
    def refusal(self) -> str | None:
        """Why nobody is asked there, if that is so."""
        ...

    @property
    def outage(self) -> Outage | None:
        """Since when no call is let through there, if that is so."""
        ...

    @property
    def places(self) -> int:
        """How many calls may be under way there."""
        ...

    @property
    def books(self) -> Books:
        """What bounds the budget of all."""
        ...

    async def label(self, text: str, *, expires_at_ms: int | None = None) -> Answer:
        """See `stream.teacher.protocol.Teacher`."""
        ...

    async def label_alone(self, text: str, *, expires_at_ms: int | None = None) -> Answer:
        """See `stream.teacher.openai_teacher.OpenAITeacher`."""
        ...

    async def label_unsure(
        self, text: str, unsure: Unsure, *, expires_at_ms: int | None = None
    ) -> Answer:
        """See `stream.teacher.openai_teacher.OpenAITeacher`."""
        ...

    async def check(self) -> None:
        """See `stream.teacher.protocol.Teacher`."""
        ...

    async def aclose(self) -> None:
        """See `stream.teacher.protocol.Teacher`."""
        ...


@dataclass(frozen=True, slots=True)
class Member:
    """One of several: who answers, and who is asked beside for comparison, by the same books."""

    name: str
    settings: TeacherSettings
    teacher: Reachable
    beside: Reachable

    @property
    def call_usd(self) -> float:
        """What a common call costs."""
        tokens_in, tokens_out = _CALL
        return self.settings.price_usd(tokens_in, tokens_out + self.settings.reasoning_tokens)


class Teachers:
    """A `Teacher` of several, the first of whom is the best until another is proved as good.

    All keep the books of the first, which closing this closes.
    """

    def __init__(self, members: Sequence[Member], *, clock: Clock | None = None) -> None:
        self._members = tuple(members)
        self._common = members[0].settings
        self._clock = clock or Clock()
        self._known: Comparison = NOTHING_COMPARED
        self._models: dict[str, str] = {}

    @property
    def books(self) -> Books:
        """The books that all keep."""
        return self._members[0].teacher.books

    @property
    def prompt_version(self) -> str:
        """All are asked in the same words."""
        return self._members[0].teacher.prompt_version

    @property
    def tried_at_s(self) -> float:
        """When a try last ended, of whomever."""
        return max(one.teacher.tried_at_s for one in self._members)

    @property
    def refusal(self) -> str | None:
        """Why nobody is asked, where that is so of all."""
        found = [one.teacher.refusal for one in self._members]
        return None if None in found else found[0]

    @property
    def outage(self) -> Outage | None:
        """Since when nobody is asked, where that is so of all: the first one's."""
        found = [one.teacher.outage for one in self._members]
        return None if None in found else found[0]

    @property
    def places(self) -> int:
        """How many calls may be under way, of all."""
        return sum(one.teacher.places for one in self._members)

    def take(self, promotions: Iterable[Promotion]) -> None:
        """Take note of promotions, in their order: the newest that compares teachers counts."""
        for promotion in promotions:
            found = comparison_in(promotion.metrics)
            if found.models:
                self._known = found

    async def label(self, text: str, *, expires_at_ms: int | None = None) -> Answer:
        """Ask the first, or the next that is reachable; see `Teacher.label`."""
        return await self._asked(self._members, text, expires_at_ms)

    async def answer(
        self, request: TeacherRequest, unsure: Unsure | None = None
    ) -> tuple[Answer, tuple[Opinion, ...]]:
        """Ask whom the record should go to; with the answer come the opinions of the others.

        Who asks about what is `unsure` alone does so, where that is known. An audit is asked about
        whole and in a call of its own, as the others' opinions of it are.
        """
        order = self._members if request.audit else self._order(request)
        how: How = ALONE if request.audit else unsure
        answer = await self._asked(order, request.text, request.expires_at_ms, how)
        by_first = answer.teacher == self._members[0].name
        if not (request.audit and by_first and self._is_compared(request.text)):
            return answer, ()
        others = [one for one in self._members if one.name != answer.teacher]
        said = await asyncio.gather(*(self._opinion(one, request) for one in others))
        student = Opinion(
            "", request.student_version, tuple(sorted(facts(request))), request.confidence
        )
        return answer, (student, *(one for one in said if one is not None))

    async def check(self) -> None:
        """Ask each, the cheapest question; raises as the first that fails."""
        for one in self._members:
            await one.teacher.check()

    async def aclose(self) -> None:
        """Close all, the one last whose books they keep."""
        first = self._members[0].teacher
        others = [one.teacher for one in self._members[1:]]
        try:
            for one in (*(member.beside for member in self._members), *others):
                await one.aclose()
        finally:
            await first.aclose()

    def chosen(self, request: TeacherRequest) -> str:
        """Name whom a record that is no audit goes to, if all are reachable."""
        return self._order(request)[0].name

    def _order(self, request: TeacherRequest) -> list[Member]:
        first = self._members[0]
        proposed = {label for _, _, label in facts(request)}
        fit = [
            one
            for one in self._members
            if one is first
            or (
                self._is_known(one)
                and self._known.is_good_enough(
                    one.name, proposed, tolerated=self._common.tolerated_loss
                )
            )
        ]
        best = min(fit, key=lambda one: one.call_usd)
        return [best, *(one for one in self._members if one is not best)]

    def _is_known(self, member: Member) -> bool:
        """Whether what was counted is of the model that answers now, and of today's prompt."""
        model, prompt = self._known.models.get(member.name, ("", ""))
        now = self._models.get(member.name, model)
        return (now, member.teacher.prompt_version) == (model, prompt)

    def _is_compared(self, text: str) -> bool:
        digest = hashlib.sha256(f"compared:{text_digest(text)}".encode()).digest()
        return int.from_bytes(digest[:6], "big") / 2**48 < self._common.compared_share

    async def _asked(
        self,
        order: Sequence[Member],
        text: str,
        expires_at_ms: int | None,
        how: How = None,
    ) -> Answer:
        pause_s = _FIRST_PAUSE_S
        while True:
            answer, waits = await self._tried(order, text, expires_at_ms, how)
            if isinstance(answer, Answer):
                return answer
            if expires_at_ms is None or not waits:
                raise answer
            if self._clock.now() + pause_s >= expires_at_ms / 1000:
                raise ExpiredError("the request expires before the next try") from answer
            await self._clock.sleep(pause_s)
            pause_s = min(2 * pause_s, self._common.max_retry_wait_s)

    async def _tried(
        self,
        order: Sequence[Member],
        text: str,
        expires_at_ms: int | None,
        how: How,
    ) -> tuple[Answer | TeacherUnavailableError, bool]:
        """Ask one after the other; say, of an error, whether it helps to wait.

        It does where one was away, and does not where all have failed as often as they may.
        """
        error: TeacherUnavailableError | None = None
        waits = False
        for one in sorted(order, key=lambda one: one.teacher.is_open):
            try:
                until_ms = self._patience_ms(one, expires_at_ms)
                return await self._answer_of(one, text, until_ms, how), True
            except ExpiredError as late:
                if expires_at_ms is not None and self._clock.now() >= expires_at_ms / 1000:
                    raise
                error, waits = TeacherUnavailableError(f"{one.name} is away: {late}"), True
            except TeacherUnavailableError as fault:
                error = fault
            _log.warning("teacher_passed_over", teacher=one.name, reason=str(error))
        assert error is not None  # noqa: S101 - somebody was tried
        return error, waits

    async def _answer_of(self, member: Member, text: str, expires_at_ms: int, how: How) -> Answer:
        teacher = member.teacher
        if isinstance(how, Unsure) and member.settings.ask == "unsure":
            said = await teacher.label_unsure(text, how, expires_at_ms=expires_at_ms)
        elif how == ALONE:
            said = await teacher.label_alone(text, expires_at_ms=expires_at_ms)
        else:
            said = await teacher.label(text, expires_at_ms=expires_at_ms)
        self._note_model(member, said)
        return replace(said, teacher=member.name)

    async def _opinion(self, member: Member, request: TeacherRequest) -> Opinion | None:
        """Ask for comparison alone: where there is no answer at once there is none."""
        until_ms = self._patience_ms(member, request.expires_at_ms)
        try:
            said = await member.beside.label(request.text, expires_at_ms=until_ms)
        except (RefusedError, InvalidAnswerError):
            return Opinion(member.name, self._models.get(member.name, ""), (), refused=True)
        except (AnswerError, TeacherUnavailableError) as error:
            _log.info("teacher_uncompared", teacher=member.name, reason=str(error))
            return None
        self._note_model(member, said)
        return Opinion(member.name, said.model, tuple(sorted(facts(said))))

    def _note_model(self, member: Member, said: Answer) -> None:
        """Note which model answers now; what is remembered may be another one's."""
        if not said.cached:
            self._models[member.name] = said.model

    def _patience_ms(self, member: Member, expires_at_ms: int | None) -> int:
        """Wait for nobody much longer than for one try, for there are others."""
        soon_ms = int((self._clock.now() + member.settings.max_retry_wait_s) * 1000)
        return soon_ms if expires_at_ms is None else min(soon_ms, expires_at_ms)
