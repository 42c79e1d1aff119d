"""What is asked about one text as a whole, and what the answer to it means."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from schemas.files.task import TaskExample
from schemas.types import AskedAs
from stream.teacher.memory import Memory
from stream.teacher.protocol import Answer
from stream.teacher.redaction.masking import Masked
from stream.teacher.redaction.redactor import Redactor
from stream.teacher.several.question import Part
from stream.teacher.spending import Cause
from stream.teacher.text_questions import TextQuestion, TextQuestions


@dataclass(frozen=True, slots=True)
class Put:
    """A question about a text: `masked` leads back to it, `cause` books it."""

    question: TextQuestion
    masked: Masked
    cause: Cause


@dataclass(frozen=True, slots=True)
class OneText:
    """Puts questions and reads their answers, whichever way they travel; `model` is asked."""

    questions: TextQuestions
    memory: Memory
    redactor: Redactor
    model: str

    async def put(self, text: str) -> Put:
        """Put the question about a text; `RedactionError` where it cannot be redacted."""
        chosen = self.memory.chosen(text)
        masked, shown = await self.redacted(text, chosen)
        question = self.questions.about(masked.text, shown)
        return Put(question, masked, self.memory.cause(text, chosen=chosen))

    async def redacted(
        self, text: str, chosen: Sequence[TaskExample]
    ) -> tuple[Masked, Sequence[TaskExample]]:
        """Take out what is personal, of the text and of the examples chosen for it."""
        masked = await asyncio.to_thread(self.redactor.masked, text)
        return masked, await asyncio.to_thread(self.redactor.examples, chosen)

    def answered(self, masked: Masked, part: Part, asked: AskedAs = "") -> Answer:
        """Give the answer about the original text."""
        said = replace(part.said, entities=masked.restored(part.said.entities))
        model = part.completion.model or self.model
        answer = self.memory.answer(said, model, part.usage, asked=asked)
        return replace(answer, fingerprint=part.completion.fingerprint or "")
