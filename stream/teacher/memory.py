"""What a teacher was asked before: answers by text, prompt, model, and how it was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from schemas.files.task import Task, TaskExample
from schemas.question_keys import question_key
from schemas.types import UNSURE, AskedAs, TeacherAnswer, facts
from stream.teacher.books import Books
from stream.teacher.completions import Usage
from stream.teacher.kinds.kind import kind_of
from stream.teacher.kinds.said import Said
from stream.teacher.protocol import Answer, Unsure
from stream.teacher.similarity import SimilarExamples, digest_of
from stream.teacher.spending import Cause, Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """The store of `books`, asked by one task, prompt and model; see `OpenAITeacher`.

    What is shown for a text alone, out of `similar`, is part of the question about it.
    """

    books: Books
    task: Task
    purpose: Purpose
    model: str
    endpoint: str
    """Where the model is asked, without secrets."""
    now_ms: Callable[[], int]
    prompt_version: str
    apart: str
    similar: SimilarExamples | None
    teacher: str = ""
    """Which of several it is."""

    def chosen(self, text: str) -> Sequence[TaskExample]:
        """Choose the examples that are shown for this text alone."""
        return self.similar.chosen(text) if self.similar else ()

    def cause(
        self,
        text: str,
        asked: AskedAs = "",
        *,
        chosen: Sequence[TaskExample] = (),
        unsure: Unsure | None = None,
    ) -> Cause:
        """Say what a call about the text is made for, which is shown what was `chosen` for it.

        Where it is asked about doubts alone, what is told of these is part of the question.
        """
        key = self._key(text, asked, chosen, unsure, self.endpoint)
        return Cause(self.task.name, self.purpose, key, teacher=self.teacher)

    def _key(
        self,
        text: str,
        asked: AskedAs,
        chosen: Sequence[TaskExample],
        unsure: Unsure | None,
        endpoint: str,
    ) -> str:
        of_doubts = unsure.digest if unsure and asked in UNSURE else ""
        return question_key(
            text,
            prompt_version=self.prompt_version,
            model=self.model,
            endpoint=endpoint,
            apart=self.apart,
            asked=asked,
            chosen=digest_of(chosen) + of_doubts,
        )

    def cause_of_all(self, questions: tuple[str, ...]) -> Cause:
        """Say what a call about several texts is made for, given the keys of their questions."""
        return Cause(self.task.name, self.purpose, questions[0], questions, self.teacher)

    async def known(
        self, text: str, ways: Iterable[AskedAs], *, day: str, unsure: Unsure | None = None
    ) -> Answer | None:
        """Look for an answer that was given in one of these ways, the first of them first."""
        chosen = self.chosen(text)
        for asked in ways:
            cause = self.cause(text, asked, chosen=chosen, unsure=unsure)
            old_key = self._key(text, asked, chosen, unsure, "")
            if known := await self._found(cause, old_key, text, asked, day):
                return known
        return None

    async def remember(self, text: str, answer: Answer, unsure: Unsure | None = None) -> Answer:
        """Keep an answer, under the way in which it was given, and give it back."""
        cause = self.cause(text, answer.asked, chosen=self.chosen(text), unsure=unsure)
        told = TeacherAnswer(
            question=cause.question,
            prompt_version=self.prompt_version,
            asked_model=self.model,
            endpoint=self.endpoint,
            apart=self.apart,
            model=answer.model,
            facts=tuple(sorted(facts(answer))),
            answered_at_ms=self.now_ms(),
        )
        await self.books.remember(told)
        return answer

    def answer(self, said: Said, model: str, usage: Usage, *, asked: AskedAs = "") -> Answer:
        """Make an answer of what was said."""
        return Answer(
            said.entities,
            model,
            self.prompt_version,
            usage.tokens_in,
            usage.tokens_out,
            cached=False,
            categories=said.categories,
            asked=asked,
            teacher=self.teacher,
        )

    async def _found(
        self, cause: Cause, old_key: str, text: str, asked: AskedAs, day: str
    ) -> Answer | None:
        store, kind = self.books.store, kind_of(self.task.kind, self.task.choose)
        cached = await self.books.cached(cause.question, endpoint=self.endpoint, old_key=old_key)
        if cached is None:
            return None
        said = kind.ground_again(cached.spans, text=text, labels=self.task.label_names)
        if said is None:
            return None
        await self.books.kept(partial(store.count_cached, cause, day=day))
        found = self.answer(said, cached.model, Usage(0, 0), asked=asked)
        return replace(found, cached=True)
