"""Unsure categories: which of the likely ones it is, or which of those in doubt apply.

The likely ones are described beside the text, and no others: with many categories these are most of
a prompt. Where exactly one is to be chosen and it is none of them, there is no answer: the text is
to be asked about whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from schemas.categories import Choose, of_labels
from schemas.errors import InvalidAnswerError
from schemas.files.task import Task
from schemas.types import Annotated, Doubt
from stream.teacher.kinds.categories import Categories
from stream.teacher.kinds.said import Said
from stream.teacher.unsure.marks import MARKS_WORDS, NONE

_WORDS: Final = f"""\
You sort texts into categories. A text stands between <text CODE> and </text CODE>. {MARKS_WORDS} \
Of the marks "choices" are the categories that """

_CHOOSE: Final[dict[Choose, str]] = {
    "one": f"""\
the model thinks likely; there are others.

Answer with JSON: "id" is the first 8 characters of CODE; "category" is the one choice that fits \
the text as a whole best, its name copied character by character, or "{NONE}" where another \
category might fit better than all of them.""",
    "any": """\
the model is unsure of.

Answer with JSON: "id" is the first 8 characters of CODE; "categories" lists those of the choices \
that apply to the text as a whole, by your own judgement, each once, the names copied character by \
character; where none applies the list is empty.""",
}
_TOKENS_PER_ANSWER: Final[dict[Choose, int]] = {"one": 25, "any": 40}


class UnsureCategories:
    """The seam of categories; see `stream.teacher.unsure.kind.UnsureKind`."""

    def __init__(self, choose: Choose) -> None:
        self._choose = choose
        self._whole = Categories(choose)

    def system(self, task: Task) -> str:
        """Tell what is to be chosen; which categories there are stands beside each text."""
        return f"{_WORDS}{_CHOOSE[self._choose]}\n\nLanguage of the texts: {task.language}."

    def answer_schema(self, labels: Sequence[str]) -> dict[str, Any]:  # noqa: ARG002 - the seam's
        """One name, or a list of names: which ones they are stands beside each text."""
        name = {"type": "string"}
        if self._choose == "one":
            return {"category": name}
        return {"categories": {"type": "array", "items": name}}

    def marks(
        self,
        text: str,  # noqa: ARG002 - the seam's
        sure: Annotated,  # noqa: ARG002 - the seam's
        doubts: Sequence[Doubt],
        task: Task,
    ) -> dict[str, Any]:
        """Describe the choices."""
        known = {label.name: label for label in task.labels}
        choices = []
        for name in (one.label for doubt in doubts for one in doubt.choices):
            told = {"name": name, "description": known[name].description}
            examples = list(known[name].examples)
            choices.append({k: v for k, v in (told | {"examples": examples}).items() if v})
        return {"choices": choices}

    def read(
        self,
        members: Mapping[str, Any],
        *,
        text: str,
        labels: Sequence[str],
        sure: Annotated,
        doubts: Sequence[Doubt],
    ) -> Said:
        """Take the choice; where any number may apply, what is sure and in no doubt stays."""
        if self._choose == "one" and _is_none(members.get("category")):
            raise InvalidAnswerError(f"it is {NONE}")
        said = self._whole.read(members, text=text, labels=labels)
        open_ = {one.label for doubt in doubts for one in doubt.choices}
        named = {one.label for one in said.categories}
        if not named <= open_:
            raise InvalidAnswerError("the answer names what is none of the choices")
        if self._choose == "one":
            return said
        return Said(categories=of_labels(named | {x.label for x in sure.categories} - open_))

    def members(self, text: str, said: Annotated, marks: Mapping[str, Any]) -> dict[str, Any]:
        """Write the answer that is joined to `said`, or that there is none."""
        open_ = {one["name"] for one in marks["choices"]}
        told = Said(categories=tuple(x for x in said.categories if x.label in open_))
        if self._choose == "one" and not told.categories:
            return {"category": NONE}
        return self._whole.members(text, told)

    def expected_tokens_out(self, doubts: Sequence[Doubt]) -> int:  # noqa: ARG002 - the seam's
        """Answers are short."""
        return _TOKENS_PER_ANSWER[self._choose]


def _is_none(name: Any) -> bool:
    return isinstance(name, str) and name.strip().casefold() == NONE
