"""Texts, several a call: what is asked of each, and what its writer meant to put into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from schemas.errors import InvalidAnswerError
from schemas.files.task import Task
from schemas.types import Fact, facts
from stream.teacher.kinds.kind import TeacherKind, kind_of
from stream.teacher.prompt_parts import closed_object
from stream.teacher.question import FENCE_WORDS, Question
from stream.teacher.writing.planning import about

_WORDS = """\
You write texts as they come in real life, each unlike the others. """
_ANSWER = """\
"texts" lists one text for each item of "texts" in the data, in their order. An item tells its \
"domain", "style", "length" and "register". Write in the language of the texts, never about the \
task itself, and never the same beginning twice. """
_OF_ENTITIES = """\
The text holds the mentions in "use", each exactly as written there and in a sentence that makes \
its type clear; others may stand beside them. Where "use" is empty, it holds no mention of any \
type at all. Where "trap" names a type, the text also holds words that a careless reader would \
take for a mention of that type, and that are none. With each text list all its mentions under \
"entities": "text" (copied character by character), "label", and "occurrence" (1 for the first \
place where these words stand).
"""
_OF_CATEGORIES = """\
The text is of the categories in "use", about the situations given there; where "use" is empty it \
is of no category. It never names a category. Where "trap" names a category, the text lies near \
that one, and is not of it. With each text say of which category it is.
"""


@dataclass(frozen=True, slots=True)
class Seed:
    """A mention of a label to put into a text; for categories a situation of it."""

    label: str
    name: str


@dataclass(frozen=True, slots=True)
class Draft:
    """What is asked of one text. `trap` is a label that it only seems to have, or empty."""

    domain: str
    style: str
    length: str
    register: str
    use: tuple[Seed, ...] = ()
    trap: str = ""

    @property
    def attributes(self) -> tuple[str, str, str, str]:
        """The values of its attributes, in the order of `ATTRIBUTES`."""
        return self.domain, self.style, self.length, self.register


@dataclass(frozen=True, slots=True)
class Written:
    """A text, and what its writer meant it to say; None where that cannot be read."""

    text: str
    meant: frozenset[Fact] | None


def texts_question(task: Task, drafts: Sequence[Draft], *, turn: int) -> Question:
    """Ask for one text for each draft; `turn` tells calls of the same drafts apart."""
    kind = kind_of(task.kind, task.choose)
    item = {"text": {"type": "string"}, **kind.answer_schema(task.label_names)}
    what = _OF_ENTITIES if task.kind == "entities" else _OF_CATEGORIES
    return Question(
        "texts",
        f"{_WORDS}{FENCE_WORDS}{_ANSWER}{what}\n{about(task)}",
        {"turn": turn, "texts": [asdict(draft) for draft in drafts]},
        {"texts": {"type": "array", "items": closed_object(item)}},
        varied=True,
    )


def read_texts(members: Mapping[str, Any], task: Task, *, most: int) -> list[Written]:
    """Read the first `most` texts; `InvalidAnswerError` where there is no list of texts.

    What was meant is grounded as an answer about the text is.
    """
    listed = members.get("texts")
    if not isinstance(listed, list):
        raise InvalidAnswerError("no list of texts")
    kind = kind_of(task.kind, task.choose)
    items = [item for item in listed if isinstance(item, dict)]
    told = [(item.get("text"), item) for item in items[:most]]
    return [
        Written(text.strip(), _meant(item, text.strip(), kind, task.label_names))
        for text, item in told
        if isinstance(text, str) and text.strip()
    ]


def _meant(
    item: Mapping[str, Any], text: str, kind: TeacherKind, labels: Sequence[str]
) -> frozenset[Fact] | None:
    try:
        return facts(kind.read(item, text=text, labels=labels))
    except InvalidAnswerError:
        return None
