"""Asking the teacher for a round: its answers judge, and are learnt once a challenger has won.

Prompt, grounding, retries, cache and the ledger of money are those of the stream. An answer is
written to the labels topic before it judges; one that was paid for before a crash comes out of the
cache, and a text that has a label is not asked about again.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import structlog

from distill.judging.questions import Ask, Truth
from distill.labels.bootstrap import Deliver, label_writer
from schemas.alignment import aligned
from schemas.errors import (
    AnswerError,
    BudgetExhaustedError,
    TeacherUnavailableError,
)
from schemas.files.task import Task
from schemas.masking import masked_place
from schemas.settings import Settings
from schemas.types import SilverLabel, facts, text_digest
from schemas.wire.labels import cold_label
from stream.kafka.answer_log import answer_log_of
from stream.kafka.spend_log import spend_log_of
from stream.teacher.factory import make_teacher
from stream.teacher.prompt import prompt_version
from stream.teacher.protocol import Teacher
from stream.teacher.spending import Purpose

_log = structlog.get_logger(__name__)

OpenExaminer = Callable[[Settings, Task, Mapping[str, str]], AbstractContextManager[Ask]]
"""Opens what asks a round's questions; by text the producers that are known, for the labels."""


@contextmanager
def open_examiner(settings: Settings, task: Task, producers: Mapping[str, str]) -> Iterator[Ask]:
    """Open the teacher and the labels topic; raises `ConfigError`, `BrokerUnavailableError`."""
    writer = label_writer(settings)
    with _open(settings, task, writer, purpose="judging", producers=producers) as ask:
        yield ask


@contextmanager
def open_second(
    settings: Settings,
    task: Task,
    producers: Mapping[str, str],  # noqa: ARG001 - of labels, which these are not
) -> Iterator[Ask]:
    """Open who gives second opinions, which become no labels; raises `ConfigError`.

    That is another model or endpoint, where `distill.doubt` names one, or the second of several
    teachers; else the teacher, told the same with labels and examples in another order: what it
    says only in one order, it guessed.
    """
    second = asked_second(settings, task)
    with _open(
        second.settings, second.task, _unwritten(), purpose="second opinions", apart=second.apart
    ) as ask:
        yield ask


@dataclass(frozen=True, slots=True)
class Second:
    """Who is asked for second opinions, and what; answers are cached under the name `apart`."""

    settings: Settings
    task: Task
    apart: str = ""


def asked_second(settings: Settings, task: Task) -> Second:
    """Give who is asked for second opinions, and what; see `open_second`.

    Another endpoint gets no key but its own. What one teacher said is no answer of the other, even
    where model and prompt have one name: the answers are cached apart.
    """
    doubt, teacher = settings.distill.doubt, settings.teacher
    base_url, model = doubt.base_url or teacher.base_url, doubt.model or teacher.model
    if (base_url, model) == (teacher.base_url, teacher.model):
        if len(settings.teachers) > 1:
            name = settings.teachers[1].name
            alone = settings.only_teacher(settings.teacher_named(name))
            return Second(alone, task, apart=settings.apart(name))
        turned = replace(task, labels=task.labels[::-1], examples=task.examples[::-1])
        return Second(settings, turned)
    changes: dict[str, Any] = {"base_url": base_url, "model": model}
    if base_url != teacher.base_url or doubt.api_key:
        changes["api_key"] = doubt.api_key
    for name in ("price_in_usd_per_million", "price_out_usd_per_million"):
        if (price := getattr(doubt, name)) is not None:
            changes[name] = price
    other = teacher.model_copy(update=changes)
    return Second(settings.only_teacher(other), task, apart=masked_place(base_url))


def asker_of(settings: Settings, task: Task) -> str:
    """Name who gives second opinions and by which prompt: others' opinions are other opinions."""
    second = asked_second(settings, task)
    teacher, version = (
        second.settings.teacher,
        prompt_version(second.task, n_similar=settings.teacher.examples.n_similar),
    )
    # An address may hold a secret: the name is a digest.
    told = (teacher.base_url, teacher.model, version, str(teacher.few_shot), task.digest)
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


@asynccontextmanager
async def _unwritten() -> AsyncIterator[Deliver]:
    async def deliver(_label: SilverLabel) -> None:
        return

    yield deliver


@contextmanager
def _open(
    settings: Settings,
    task: Task,
    writer: AbstractAsyncContextManager[Deliver],
    *,
    purpose: Purpose,
    apart: str = "",
    producers: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Ask]:
    # One loop for all batches: connections live in it.
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        try:
            examiner = runner.run(
                _opened(settings, task, writer, stack, purpose=purpose, apart=apart)
            )
            examiner.producers = producers
            yield lambda texts: runner.run(examiner.ask(texts))
        finally:
            runner.run(stack.aclose())


async def _opened(
    settings: Settings,
    task: Task,
    writer: AbstractAsyncContextManager[Deliver],
    stack: AsyncExitStack,
    *,
    purpose: Purpose,
    apart: str,
) -> Examiner:
    deliver = await stack.enter_async_context(writer)
    teacher, _ = make_teacher(
        task,
        settings,
        purpose=purpose,
        apart=apart,
        spend_log=spend_log_of(settings),
        answer_log=answer_log_of(settings),
    )
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
    producers: Mapping[str, str] = field(default_factory=dict)
    """By text who sent it, for the label."""
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
                producer=self.producers.get(text, ""),
            )
            await self.deliver(label)
            # Fitted to words, as labels are before anything is learnt or judged by them.
            found[text] = facts(replace(label, entities=aligned(text, label.entities)))
