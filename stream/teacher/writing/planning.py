"""What texts could be about: the attributes in which they differ, and the names that they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from schemas.errors import InvalidAnswerError
from schemas.files.task import LabelSpec, Task
from stream.teacher.prompt_parts import label_lines
from stream.teacher.question import FENCE_WORDS, Question

_MAX_CHARS = 200
_STRINGS = {"type": "array", "items": {"type": "string"}}

_ATTRIBUTES = """\
You plan a collection of texts that is as varied as real ones are. """
_ATTRIBUTES_ANSWER = """\
give "count" different short phrases for each of these: "domains" (subjects and situations that \
such texts come from), "styles" (kinds of text, such as a headline or a complaint), "lengths" \
(such as "a few words" or "two sentences") and "registers" (how and by whom it is written: formal, \
slangy, hurried with typing errors). Cover what is rare, too. Write the phrases in the language of \
the texts.
"""
_NAMES = """\
You list names for texts that are to be written. """
_NAMES_ANSWER = """\
"names" lists "count" different mentions of the type "label", as they would stand in a text: no \
explanations, no numbering, none of those in "known". Where "rare" is true, list those that few \
people would think of: little known, foreign, ambiguous, abbreviated, oddly written.
"""
_SITUATIONS = """\
You list situations for texts that are to be written. """
_SITUATIONS_ANSWER = """\
"names" lists "count" different situations or subjects, a few words each, that a text of the \
category "label" could be about: none of those in "known". Where "rare" is true, list those that \
few people would think of, and those that lie near another category.
"""


@dataclass(frozen=True, slots=True)
class Attributes:
    """In what texts differ; each has one value at least."""

    domains: tuple[str, ...]
    styles: tuple[str, ...]
    lengths: tuple[str, ...]
    registers: tuple[str, ...]


ATTRIBUTES = tuple(field.name for field in fields(Attributes))


def attributes_question(task: Task, *, count: int) -> Question:
    """Ask in what the texts of the task differ, `count` values of each attribute."""
    return Question(
        "attributes",
        f"{_ATTRIBUTES}{FENCE_WORDS}{_ATTRIBUTES_ANSWER}\n{about(task)}",
        {"count": count},
        dict.fromkeys(ATTRIBUTES, _STRINGS),
        varied=True,
    )


def read_attributes(members: Mapping[str, Any]) -> Attributes:
    """Read the answer; `InvalidAnswerError` where an attribute has no value."""
    return Attributes(**{name: _phrases(members, name) for name in ATTRIBUTES})


def names_question(
    task: Task, label: LabelSpec, *, count: int, rare: bool, known: Sequence[str]
) -> Question:
    """Ask for mentions of an entity's label, or for situations of a category."""
    is_entity = task.kind == "entities"
    opening, answer = (_NAMES, _NAMES_ANSWER) if is_entity else (_SITUATIONS, _SITUATIONS_ANSWER)
    return Question(
        "names",
        f"{opening}{FENCE_WORDS}{answer}\n{about(task)}",
        {"label": label.name, "count": count, "rare": rare, "known": list(known)},
        {"names": _STRINGS},
        varied=True,
    )


def read_names(members: Mapping[str, Any]) -> tuple[str, ...]:
    """Read the answer; `InvalidAnswerError` where there is none."""
    return _phrases(members, "names")


def about(task: Task) -> str:
    """Tell what the task is about: its labels and guidelines."""
    heading = "Types" if task.kind == "entities" else "Categories"
    guidelines = task.guidelines.strip()
    told = label_lines(heading, task)
    return f"{told}\n\nGuidelines:\n{guidelines}" if guidelines else told


def _phrases(members: Mapping[str, Any], name: str) -> tuple[str, ...]:
    listed = members.get(name)
    phrases = [_phrase(one) for one in listed] if isinstance(listed, list) else []
    found = tuple(dict.fromkeys(phrase for phrase in phrases if phrase))
    if not found:
        raise InvalidAnswerError(f"no list of {name}")
    return found


def _phrase(value: Any) -> str:
    phrase = " ".join(value.split()) if isinstance(value, str) else ""
    return phrase if len(phrase) <= _MAX_CHARS else ""
