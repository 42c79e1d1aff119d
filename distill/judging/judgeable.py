"""What a label can judge: no student that says a category which the label was not asked about.

Where one category is to be chosen, a label from before another one was added tells nothing of a
text for which a student says the added one: the old answer may stand only for want of the new.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from schemas.categories import Choose
from schemas.files.corpus import Example
from schemas.files.task import Task
from schemas.files.task_identity import Version
from schemas.types import Annotated, facts
from stream.student import Student


def is_judgeable(
    said: Annotated,
    unasked: Collection[str],
    *,
    choose: Choose | None,
    renamed: Mapping[str, str] = MappingProxyType({}),
) -> bool:
    """Whether a label that knows no `unasked` can judge what a student, or anyone, `said`."""
    return choose != "one" or not any(
        renamed.get(label, label) in unasked for _, _, label in facts(said)
    )


def judgeable(
    examples: Sequence[Example], students: Sequence[Student], *, task: Task
) -> Sequence[Example]:
    """Leave out the examples that cannot judge one of the students: then all are judged alike."""
    old = [example for example in examples if example.unasked]
    if task.choose != "one" or not old:
        return examples
    left_out = {
        example.id
        for student in students
        for example, tagging in zip(old, student.tag([one.text for one in old]), strict=True)
        if not is_judgeable(
            tagging, example.unasked, choose="one", renamed=renamed_of(student, task)
        )
    }
    return [example for example in examples if example.id not in left_out]


def renamed_of(student: Student, task: Task) -> Mapping[str, str]:
    """Map the names of the student's labels to today's, where they differ."""
    return task.versions.get(student.manifest.task_digest, Version()).renamed
