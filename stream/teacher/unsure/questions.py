"""Questions about what a student is unsure of in one text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.files.task import Task, TaskExample
from schemas.types import Choice, Doubt, Entity
from stream.teacher.kinds.said import Said
from stream.teacher.prompt import schema_of, shot, with_guidelines
from stream.teacher.protocol import Unsure
from stream.teacher.redaction.masking import Masked
from stream.teacher.redaction.redactor import Redactor
from stream.teacher.text_questions import TextQuestion
from stream.teacher.unsure.kind import UnsureKind, unsure_kind
from stream.teacher.unsure.marks import NONE, marked


@dataclass(frozen=True, slots=True)
class _Joining:
    """Reads an answer about these doubts, and joins it with what is sure."""

    kind: UnsureKind
    sure: Said
    doubts: Sequence[Doubt]

    def read(self, members: Mapping[str, Any], *, text: str, labels: Sequence[str]) -> Said:
        return self.kind.read(members, text=text, labels=labels, sure=self.sure, doubts=self.doubts)


class UnsureQuestions:
    """Asks what the task asks about doubts; `examples` go into the prompt after the task's own."""

    def __init__(self, task: Task, examples: Sequence[TaskExample], redactor: Redactor) -> None:
        self._task = task
        self._told = redactor.task(task)
        self._kind = unsure_kind(task.kind, task.choose)
        self.name = f"unsure_{task.kind}"
        self._schema = schema_of(task, self._kind.answer_schema(task.label_names))
        shown = (*self._told.examples, *redactor.examples(examples))
        self._before = [
            {
                "role": "system",
                "content": with_guidelines(self._told, self._kind.system(self._told)),
            },
            *(turn for example in shown for turn in self._shot(example)),
        ]

    def about(
        self, masked: Masked, unsure: Unsure, shown: Sequence[TaskExample] = ()
    ) -> TextQuestion | None:
        """Ask about the doubts, as `TextQuestions.about` asks; None where they cannot be told.

        That is so where a placeholder hides two of the places, and where a label of the task reads
        as the way out.
        """
        hidden = _on_placeholders(masked, unsure)
        if hidden is None or any(x.casefold() == NONE for x in self._task.label_names):
            return None
        sure, doubts = hidden
        marks = self._kind.marks(masked.text, sure, doubts, self._told)
        told = {"role": "user", "content": marked(masked.text, marks)}
        return TextQuestion(
            name=self.name,
            text=masked.text,
            messages=[
                *self._before,
                *(turn for example in shown for turn in self._shot(example)),
                told,
            ],
            schema=self._schema,
            tokens_out=self._kind.expected_tokens_out(doubts),
            kind=_Joining(self._kind, sure, doubts),
            labels=self._task.label_names,
        )

    def _shot(self, example: TaskExample) -> list[dict[str, str]]:
        """Show an example as if the first thing that it says were in doubt, and the rest sure."""
        first = [
            *(Doubt(x.start, x.end, (Choice(x.label, 1.0),)) for x in example.entities),
            *(Doubt(0, 0, (Choice(x.label, 1.0),)) for x in example.categories),
        ][:1]
        sure = Said(example.entities[1:], example.categories[1:])
        marks = self._kind.marks(example.text, sure, first, self._told)
        members = self._kind.members(example.text, example, marks)
        told = marked(example.text, marks)
        return [*shot(example, told, members, form=self._task.answer_form)]


def _on_placeholders(masked: Masked, unsure: Unsure) -> tuple[Said, tuple[Doubt, ...]] | None:
    """Give what is sure and unsure as it stands in the text as it is told."""
    if not masked.pieces or not masked.original:
        return Said(unsure.sure.entities, unsure.sure.categories), unsure.doubts
    spans = [
        Entity(x.start, x.end, "", masked.original[x.start : x.end]) for x in unsure.doubts if x.end
    ]
    moved, sure = masked.masked(spans), masked.masked(unsure.sure.entities)
    if len(moved) != len(spans) or len(sure) != len(unsure.sure.entities):
        return None
    doubts = tuple(
        Doubt(span.start, span.end, doubt.choices)
        for span, doubt in zip(moved, unsure.doubts, strict=False)
    )
    return Said(sure, unsure.sure.categories), doubts if spans else unsure.doubts
