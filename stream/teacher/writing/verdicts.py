"""Doubted labels, asked about one by one: right, wrong, another label, other words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from schemas.errors import InvalidAnswerError
from schemas.files.task import Task
from stream.teacher.prompt_parts import closed_object, known_label
from stream.teacher.question import FENCE_WORDS, Question
from stream.teacher.writing.planning import about

Ruling = Literal["right", "wrong", "other_label", "other_span"]

_WORDS = """\
You check labels that another annotator gave, and that may be wrong. """
_OF_ENTITIES = """\
"verdicts" has one entry for each item of "items" in the data. An item holds a "text", a "mention" \
in it ("occurrence" counts from 1 if its words stand there more than once) and the "label" that it \
was given. For each give its "item" number and a "verdict": "right" if exactly these words are a \
mention of exactly this type; "other_label" if the words are right and the type is another one \
below, named in "label"; "other_span" if the mention should have more or fewer words, copied from \
the text into "span", with the right type in "label"; "wrong" if it is no mention of any type \
below. Leave "label" and "span" empty where they say nothing.
"""
_OF_CATEGORIES = """\
"verdicts" has one entry for each item of "items" in the data. An item holds a "text" and the \
category, "label", that it was given. For each give its "item" number and a "verdict": "right" if \
the category fits the text as a whole; "other_label" if another category below fits better, named \
in "label"; "wrong" if neither fits. Leave "label" and "span" empty where they say nothing.
"""


@dataclass(frozen=True, slots=True)
class Doubted:
    """One fact that is asked about; for categories `mention` is empty and `occurrence` 0."""

    text: str
    label: str
    mention: str = ""
    occurrence: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of it. `label` is set for another label, `span` for other words."""

    ruling: Ruling
    label: str = ""
    span: str = ""


def verdicts_question(task: Task, doubted: Sequence[Doubted]) -> Question:
    """Ask about some doubted facts."""
    entry = {
        "item": {"type": "integer"},
        "verdict": {"type": "string", "enum": list(get_args(Ruling))},
        "label": {"type": "string"},
        "span": {"type": "string"},
    }
    what = _OF_ENTITIES if task.kind == "entities" else _OF_CATEGORIES
    return Question(
        "verdicts",
        f"{_WORDS}{FENCE_WORDS}{what}\n{about(task)}",
        {"items": [_item(number, one) for number, one in enumerate(doubted, start=1)]},
        {"verdicts": {"type": "array", "items": closed_object(entry)}},
    )


def read_verdicts(
    members: Mapping[str, Any], doubted: Sequence[Doubted], task: Task
) -> list[Verdict | None]:
    """Read one verdict for each doubted fact; None for those without a usable one.

    Raises `InvalidAnswerError` where there is no list of verdicts.
    """
    listed = members.get("verdicts")
    if not isinstance(listed, list):
        raise InvalidAnswerError("no list of verdicts")
    found: dict[int, Verdict | None] = {}
    for entry in listed:
        number = entry.get("item") if isinstance(entry, dict) else None
        if isinstance(number, int) and not isinstance(number, bool):
            # Two verdicts on one item: nobody knows which is meant.
            found[number] = None if number in found else _verdict(entry, task)
    return [found.get(number) for number in range(1, len(doubted) + 1)]


def _item(number: int, one: Doubted) -> dict[str, Any]:
    what = {"item": number, "text": one.text}
    if one.mention:
        what |= {"mention": one.mention, "occurrence": one.occurrence}
    return what | {"label": one.label}


def _verdict(entry: Mapping[str, Any], task: Task) -> Verdict | None:
    match entry.get("verdict"):
        case "right":
            return Verdict("right")
        case "wrong":
            return Verdict("wrong")
        case "other_label":
            label = _label(entry, task)
            return Verdict("other_label", label) if label else None
        case "other_span":
            told = entry.get("span")
            span = told.strip() if isinstance(told, str) else ""
            fits = task.kind == "entities" and span
            return Verdict("other_span", _label(entry, task), span) if fits else None
        case _:
            return None


def _label(entry: Mapping[str, Any], task: Task) -> str:
    try:
        return known_label(entry.get("label"), task.label_names, of="a verdict")
    except InvalidAnswerError:
        return ""
