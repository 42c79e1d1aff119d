"""What is asked about one text, in the form of `stream.teacher.question.Question`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from schemas.files.task import Task, TaskExample
from stream.teacher.answers import Reads, parse_answer
from stream.teacher.completions import Completion
from stream.teacher.kinds.kind import kind_of
from stream.teacher.kinds.said import Said
from stream.teacher.prompt import Message, build_messages, response_schema
from stream.teacher.question import Wanted
from stream.teacher.redaction.redactor import Redactor


@dataclass(frozen=True, eq=False)
class TextQuestion:
    """A question about `text`, which is as it is told: what is personal is taken out.

    `kind` reads its answer, in which `labels` may be; `tokens_out` is what that is expected to
    take.
    """

    name: str
    text: str
    messages: list[Message]
    schema: Mapping[str, Any]
    tokens_out: int
    kind: Reads
    labels: Sequence[str]
    least_out: ClassVar = 0
    split: ClassVar = None

    def wanted(self, *, most_out: int) -> Wanted:
        """Give the form of its answer, of so many tokens at most."""
        return Wanted(self.schema, self.name, most_out)

    def read(self, completion: Completion) -> Said:
        """Read the answer; raises as `stream.teacher.answers.parse_answer`."""
        return parse_answer(
            completion.content,
            finish_reason=completion.finish_reason,
            text=self.text,
            labels=self.labels,
            kind=self.kind,
        )

    def read_members(self, members: Mapping[str, Any]) -> Said:
        """Read an answer whose members these are; `InvalidAnswerError` for what is none."""
        return self.kind.read(members, text=self.text, labels=self.labels)


class TextQuestions:
    """Asks what the task asks; `examples` go into the prompt after the task's own."""

    def __init__(self, task: Task, examples: Sequence[TaskExample], redactor: Redactor) -> None:
        self._kind = kind_of(task.kind, task.choose)
        self.name: str = self._kind.name
        self._labels = task.label_names
        self._schema = response_schema(task)
        self._told, self._shown = redactor.task(task), redactor.examples(examples)

    def about(self, text: str, shown: Sequence[TaskExample] = ()) -> TextQuestion:
        """Ask about the text, which is as it is told, as are those `shown` for it alone."""
        return TextQuestion(
            name=self.name,
            text=text,
            messages=build_messages(self._told, text, (*self._shown, *shown)),
            schema=self._schema,
            tokens_out=self._kind.expected_tokens_out(text),
            kind=self._kind,
            labels=self._labels,
        )
