"""Asking many questions side by side, until there are no more, or no money, or no teacher."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import structlog

from schemas.errors import AnswerError, BudgetExhaustedError, TeacherUnavailableError
from stream.teacher.protocol import Teacher
from stream.teacher.question import Question

Job = TypeVar("Job")
T = TypeVar("T")

_log = structlog.get_logger(__name__)


class Writer(Teacher, Protocol):
    """A teacher that answers other questions too, see `OpenAITeacher.ask`."""

    async def ask(self, question: Question) -> dict[str, Any]:
        """Give the members of the answer; raises as `Teacher.label`."""
        ...


@dataclass(slots=True)
class SideBySide:
    """Works on jobs, `concurrency` at a time; remembers why it stopped early."""

    concurrency: int
    out_of_money: bool = False
    trouble: TeacherUnavailableError | None = None

    async def do(self, jobs: Iterable[Job], work: Callable[[Job], Awaitable[None]]) -> None:
        """Work on all jobs; none is begun after the money is spent or the teacher is away.

        What is under way is finished, so that its answers are kept. Then `TeacherUnavailableError`
        is raised where that was the reason.
        """
        queue = iter(jobs)

        async def worker() -> None:
            for job in queue:
                if self.out_of_money or self.trouble is not None:
                    return
                await self._one(work(job))

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self.concurrency):
                    group.create_task(worker())
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        if self.trouble is not None:
            raise TeacherUnavailableError(
                f"{self.trouble}; what was answered is kept: pass --resume to go on"
            )

    async def _one(self, work: Awaitable[None]) -> None:
        try:
            await work
        except BudgetExhaustedError as error:
            _log.warning("run_out_of_money", reason=str(error))
            self.out_of_money = True
        except TeacherUnavailableError as error:
            self.trouble = error


async def answer_or_reason(
    writer: Writer, question: Question, read: Callable[[dict[str, Any]], T]
) -> tuple[T | None, str]:
    """Ask and read; give (what was read, "") or, where the answer is no use, (None, the reason).

    Raises `BudgetExhaustedError` and `TeacherUnavailableError`: then nothing was answered.
    """
    try:
        return read(await writer.ask(question)), ""
    except BudgetExhaustedError:
        raise
    except AnswerError as error:
        _log.warning("answer_refused", question=question.name, code=error.code, reason=str(error))
        return None, error.code
