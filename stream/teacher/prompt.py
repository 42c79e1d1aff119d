"""What the teacher is told, as pure functions of the task and the text.

What differs by kind says `stream.teacher.kinds`, and how the text is kept apart from our words
`stream.teacher.prompt_parts`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from schemas.files.task import AnswerForm, Task, TaskExample
from stream.teacher.kinds.kind import ENTITIES, TeacherKind, kind_of
from stream.teacher.kinds.said import Annotation, said_by
from stream.teacher.prompt_parts import answer_json, closed_object, fenced

Message = dict[str, str]

_NOTES = """\
Before these members the JSON has "notes": in at most 40 words, what in the text speaks for and \
against what you answer, by the guidelines. What counts is what follows the notes."""


def build_messages(
    task: Task, text: str, examples: Sequence[TaskExample] = ()
) -> list[dict[str, str]]:
    """Build the chat that asks what the task asks of `text`.

    The task's own examples and then `examples` go before it as answered turns. What is the same
    for every text comes first, so that providers can cache it: examples that are chosen for
    `text` are the last of `examples`.
    """
    kind = kind_of(task.kind, task.choose)
    shown = (*task.examples, *examples)
    shots = [turn for example in shown for turn in _shot(example, kind, form=task.answer_form)]
    system = with_guidelines(task, kind.system(task))
    return [_message("system", system), *shots, _message("user", fenced(text))]


def render_answer(text: str, annotation: Annotation, *, kind: TeacherKind = ENTITIES) -> str:
    """Write the answer that `stream.teacher.answers.parse_answer` reads back as `annotation`."""
    return answer_json(text, kind.members(text, said_by(annotation)))


def response_schema(task: Task) -> dict[str, Any]:
    """Build the answer's JSON schema, within what OpenAI's strict mode supports."""
    return schema_of(task, kind_of(task.kind, task.choose).answer_schema(task.label_names))


def schema_of(task: Task, members: Mapping[str, Any]) -> dict[str, Any]:
    """Build the schema of an answer with these members."""
    # Before what counts: a model that writes left to right has thought then.
    notes = {"notes": {"type": "string"}} if task.answer_form == "notes" else {}
    return closed_object({"id": {"type": "string"}, **notes, **members})


def prompt_version(task: Task, examples: Sequence[TaskExample] = (), *, n_similar: int = 0) -> str:
    """12 hexadecimal digits that change with anything the teacher is told but the text.

    Of `n_similar` examples that are chosen for each text their number counts, not what they say.
    """
    told: list[Any] = [build_messages(task, "", examples), response_schema(task)]
    if n_similar:
        told.append({"similar": n_similar})
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]


def with_guidelines(task: Task, told: str) -> str:
    """Put what the task says of all texts after what is told of the answer."""
    guidelines = task.guidelines.strip()
    if task.answer_form == "notes":
        told = f"{told}\n\n{_NOTES}"
    return f"{told}\n\nGuidelines:\n{guidelines}" if guidelines else told


def _shot(example: TaskExample, kind: TeacherKind, *, form: AnswerForm) -> tuple[Message, Message]:
    return shot(example, fenced(example.text), kind.members(example.text, example), form=form)


def shot(
    example: TaskExample, told: str, members: Mapping[str, Any], *, form: AnswerForm
) -> tuple[Message, Message]:
    """Show an example as a turn that is answered with these members."""
    notes = {"notes": _notes(example)} if form == "notes" else {}
    answer = answer_json(example.text, {**notes, **members})
    return _message("user", told), _message("assistant", answer)


def _notes(example: TaskExample) -> str:
    """Write notes for an answer that nobody thought about: what it says, in words."""
    spans = [f"{x.surface} is {x.label}" for x in example.entities]
    return "; ".join([*spans, *(x.label for x in example.categories)]) or "nothing applies"


def _message(role: str, content: str) -> Message:
    return {"role": role, "content": content}
