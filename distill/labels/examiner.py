"""Asking the teacher for a round: its answers judge, and are learnt once a challenger has won.

Prompt, grounding, retries, cache and the ledger of money are those of the stream. An answer is
written to the labels topic before it judges; one that was paid for before a crash comes out of the
cache, and a text that has a label is not asked about again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass, field, replace

import structlog

from distill.judging.questions import Ask, Truth
from distill.labels.bootstrap import Deliver, label_writer
from schemas.errors import (
    AnswerError,
    BudgetExhaustedError,
    TeacherUnavailableError,
)
from schemas.files.task import Task
from schemas.settings import Settings
from schemas.types import SilverLabel, facts, text_digest
from schemas.wire.labels import cold_label
from stream.teacher.factory import make_teacher
from stream.teacher.protocol import Teacher

_log = structlog.get_logger(__name__)

OpenExaminer = Callable[[Settings, Task], AbstractContextManager[Ask]]
"""Opens what asks a round's questions."""


@contextmanager
def open_examiner(settings: Settings, task: Task) -> Iterator[Ask]:
    """Open the teacher and the labels topic; raises `ConfigError`, `BrokerUnavailableError`."""
    with _open(settings, task, label_writer(settings)) as ask:
        yield ask


@contextmanager
def open_second(settings: Settings, task: Task) -> Iterator[Ask]:
    """Open who gives second opinions, which become no labels; raises `ConfigError`.

    That is another model or endpoint, where `distill.doubt` names one; else the teacher, told the
    same with labels and examples in another order: what it says only in one order, it guessed.
    """
    with _open(*asked_second(settings, task), _unwritten()) as ask:
        yield ask


def asked_second(settings: Settings, task: Task) -> tuple[Settings, Task]:
    """Give who is asked for second opinions, and what; see `open_second`."""
    doubt = settings.distill.doubt
    other = {k: v for k, v in (("base_url", doubt.base_url), ("model", doubt.model)) if v}
    if not other:
        turned = replace(task, labels=task.labels[::-1], examples=task.examples[::-1])
        return settings, turned
    teacher = settings.teacher.model_copy(update=other)
    return settings.model_copy(update={"teacher": teacher}), task


@asynccontextmanager
async def _unwritten() -> AsyncIterator[Deliver]:
    async def deliver(_label: SilverLabel) -> None:
        return

    yield deliver


@contextmanager
def _open(
    settings: Settings, task: Task, writer: AbstractAsyncContextManager[Deliver]
) -> Iterator[Ask]:
    # One loop for all batches: connections live in it.
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        try:
            examiner = runner.run(_opened(settings, task, writer, stack))
            yield lambda texts: runner.run(examiner.ask(texts))
        finally:
            runner.run(stack.aclose())


async def _opened(
    settings: Settings,
    task: Task,
    writer: AbstractAsyncContextManager[Deliver],
    stack: AsyncExitStack,
) -> Examiner:
    deliver = await stack.enter_async_context(writer)
    teacher, _ = make_teacher(task, settings)
    stack.push_async_callback(teacher.aclose)
    return Examiner(task, teacher, deliver, concurrency=settings.teacher.concurrency)


@dataclass(slots=True)
class Examiner:
    """Asks about texts, `concurrency` at a time, and writes each answer as a label."""

    task: Task
    teacher: Teacher
    deliver: Deliver
    concurrency: int
    now_s: Callable[[], float] = time.time
    _over: bool = field(default=False, init=False)

    async def ask(self, texts: Sequence[str]) -> dict[str, Truth | None]:
        """Ask about every text; those that are missing from the result were not asked about.

        That is so where the money is spent or the teacher is away; None is a refused answer.
        """
        found: dict[str, Truth | None] = {}
        queue = iter(texts)

        async def worker() -> None:
            for text in queue:
                if self._over:
                    return
                await self._ask(text, found)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self.concurrency):
                    group.create_task(worker())
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None  # they all say the same: Kafka is away
        return found

    async def _ask(self, text: str, found: dict[str, Truth | None]) -> None:
        try:
            answer = await self.teacher.label(text)
        except (BudgetExhaustedError, TeacherUnavailableError) as error:
            self._over = True
            _log.warning("judging_cut_short", code=error.code, reason=str(error))
        except AnswerError as error:
            found[text] = None
            _log.warning(
                "answer_refused", text=text_digest(text)[:8], code=error.code, reason=str(error)
            )
        else:
            label = cold_label(
                text,
                answer,
                task=self.task,
                source="judging",
                now_ms=int(self.now_s() * 1000),
                answer=answer,
            )
            await self.deliver(label)
            found[text] = facts(answer)
