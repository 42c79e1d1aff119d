"""The teacher behind the search: the client, cache and ledger of the stream, paid from a purse.

Each set of words is another teacher, which is told other things; all of a run keep one set of books
and share what was found out about the endpoint. Cached answers make that cheap to go through again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from schemas.alignment import aligned
from schemas.errors import AnswerError, BudgetExhaustedError
from schemas.files.corpus import Example
from schemas.files.example_pool import with_all_examples
from schemas.files.few_shot import teacher_examples
from schemas.files.prompt_words import PromptWords, worded
from schemas.files.task import Task, TaskExample
from schemas.settings import Settings
from schemas.types import Fact, facts
from stream.kafka.spend_log import spend_log_of
from stream.teacher.billed_calls import BilledCalls, calls_about_texts
from stream.teacher.books import Books
from stream.teacher.factory import similar_examples
from stream.teacher.kinds.kind import kind_of
from stream.teacher.openai_teacher import OpenAITeacher
from stream.teacher.prompt import build_messages
from stream.teacher.prompt_edits import Edit, Mistake
from stream.teacher.proposer import Proposer
from stream.teacher.purse import Purse, PursedStore
from stream.teacher.shared_topic import SpendLog
from stream.teacher.similarity import SimilarExamples

_CHARS_PER_TOKEN = 4


@dataclass(slots=True)
class AskedTeacher:
    """`distill.prompting.search.Asking` over HTTP; made by `open_asking`."""

    task: Task
    settings: Settings
    few_shot: tuple[TaskExample, ...]
    similar: SimilarExamples | None
    runner: asyncio.Runner
    calls: BilledCalls
    proposer: Proposer
    refused: Counter[str] = field(default_factory=Counter)
    """Texts without an answer, by reason; each time that one was asked about."""
    n_unusable: int = 0
    """Proposals that could not be used."""
    on_asked: Callable[[], None] = lambda: None
    """Told whenever something was asked."""

    def answers(self, words: PromptWords, examples: Sequence[Example]) -> Sequence[frozenset[Fact]]:
        """Label the texts by these words, side by side, their spans fitted to words.

        A text without an answer has no facts: such a prompt is worth less. Raises
        `BudgetExhaustedError` and `TeacherUnavailableError`; what was answered is remembered.
        """
        found = self.runner.run(self._answers(words, examples))
        self.on_asked()
        return found

    def proposals(self, words: PromptWords, mistakes: Sequence[Mistake]) -> Sequence[Edit]:
        """Ask for edits; raises as `answers`."""
        found = self.runner.run(self._proposals(words, mistakes))
        self.on_asked()
        return found

    async def _answers(
        self, words: PromptWords, examples: Sequence[Example]
    ) -> list[frozenset[Fact]]:
        teacher = OpenAITeacher(
            worded(self.task, words),
            self.settings.teacher,
            store=self.calls.books.store,
            purpose="prompt",
            examples=self.few_shot,
            similar=self.similar,
            books=self.calls.books,
            calls=self.calls,
        )
        try:
            said = await asyncio.gather(
                *(self._answer(teacher, one.text) for one in examples), return_exceptions=True
            )
        finally:
            await teacher.aclose()
        found: list[frozenset[Fact]] = []
        for one in said:
            if isinstance(one, BaseException):
                raise one
            found.append(one)
        return found

    async def _answer(self, teacher: OpenAITeacher, text: str) -> frozenset[Fact]:
        try:
            answer = await teacher.label(text)
        except BudgetExhaustedError:
            raise
        except AnswerError as error:
            self.refused[error.code] += 1
            return frozenset()
        return facts(replace(answer, entities=aligned(text, answer.entities)))

    async def _proposals(self, words: PromptWords, mistakes: Sequence[Mistake]) -> list[Edit]:
        edits, unusable = await self.proposer.propose(worded(self.task, words), mistakes)
        self.n_unusable += unusable
        return edits

    async def aclose(self) -> None:
        """Close the connections, and the books last."""
        try:
            await self.proposer.aclose()
            await self.calls.client.aclose()
        finally:
            await self.calls.books.aclose()


@contextmanager
def open_asking(
    settings: Settings,
    task: Task,
    purse: Purse,
    *,
    on_asked: Callable[[], None],
    spend_log: SpendLog | None = None,
) -> Iterator[AskedTeacher]:
    """Open the teacher of the settings; raises `ConfigError` for one that must not be called.

    `spend_log` is in place of the settings' own.
    """
    few_shot = teacher_examples(settings.distill.gold, settings.teacher.few_shot, task)
    similar = similar_examples(settings, task, shown=few_shot)
    # One loop for all: that is what the parts between the calls need not know.
    with asyncio.Runner() as runner:
        books = Books(
            PursedStore(settings.teacher.state, purse),
            settings.teacher,
            spend_log=spend_log or spend_log_of(settings),
        )
        asking = AskedTeacher(
            task,
            settings,
            few_shot,
            similar,
            runner,
            calls_about_texts(task, settings.teacher, books),
            Proposer(task, settings.teacher, store=books.store, books=books),
            on_asked=on_asked,
        )
        try:
            yield asking
        finally:
            runner.run(asking.aclose())


def expected_usd(settings: Settings, task: Task, texts: Sequence[str]) -> float:
    """Say what must be left so that all the texts can surely be asked about, in US dollars.

    That is twice the estimate at four characters a token, for prompts grow, and what as many calls
    as run side by side reserve.
    """
    if not texts:
        return 0.0
    teacher, kind = settings.teacher, kind_of(task.kind, task.choose)
    told = with_all_examples(task, settings)
    sizes = [_chars(told, text) for text in texts]
    usd = sum(
        teacher.price_usd(n // _CHARS_PER_TOKEN, kind.expected_tokens_out(text))
        for n, text in zip(sizes, texts, strict=True)
    )
    most_out = teacher.max_output_tokens + teacher.reasoning_tokens
    return 2 * usd + teacher.concurrency * teacher.price_usd(2 * max(sizes), most_out)


def _chars(task: Task, text: str) -> int:
    return sum(len(message["content"]) for message in build_messages(task, text))
