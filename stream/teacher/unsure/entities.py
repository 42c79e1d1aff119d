"""Unsure entities: which places are mentions, and of which type; and what the student missed.

A place is a mention of one of the types exactly as it stands, or it is none: then the mention that
is there instead, if there is one, is listed with those that were missed, by its words. So all that
is said is grounded as in a whole answer, and so is what corrects the student where it was sure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from schemas.errors import InvalidAnswerError
from schemas.files.task import Task
from schemas.types import Annotated, Doubt, Entity
from stream.teacher.kinds.entities import Entities, occurrence
from stream.teacher.kinds.said import Said
from stream.teacher.mentions import mentions
from stream.teacher.occurrences import read_number
from stream.teacher.prompt_parts import closed_object, known_label, label_lines
from stream.teacher.unsure.marks import MARKS_WORDS, NONE

_WORDS: Final = f"""\
You help to mark named entities in texts. A text stands between <text CODE> and </text CODE>. \
{MARKS_WORDS} "sure" are mentions that the model is sure of, "unsure" places that it is not sure \
of, with the types that it thinks likely.

Answer with JSON: "id" is the first 8 characters of CODE; "places" has for each unsure place its \
number as "place", and as "label" the type of the mention that stands exactly there, any of those \
below, or "{NONE}" if no mention has exactly these bounds; "missed" lists every other mention of \
the types below that is not among the sure ones, also those whose bounds or type the marks have \
wrong, or is empty. Of each: "text", copied character by character; "label"; and "occurrence": 1 \
if this is the first place where these exact words stand in the text, 2 if it is the second, and \
so on. Mentions do not overlap: of nested ones give the longest."""

_WHOLE: Final = Entities()
_TOKENS_PER_ANSWER, _TOKENS_PER_PLACE = 25, 15


class UnsureEntities:
    """The seam of entities; see `stream.teacher.unsure.kind.UnsureKind`."""

    def system(self, task: Task) -> str:
        """Tell how places are answered, and the types."""
        return f"{_WORDS}\n\n{label_lines('Types', task)}"

    def answer_schema(self, labels: Sequence[str]) -> dict[str, Any]:
        """Ask for a type of each place, and for mentions as a whole answer has them."""
        place = {
            "place": {"type": "integer"},
            "label": {"type": "string", "enum": [*labels, NONE]},
        }
        missed = _WHOLE.answer_schema(labels)["entities"]
        return {"places": {"type": "array", "items": closed_object(place)}, "missed": missed}

    def marks(
        self,
        text: str,
        sure: Annotated,
        doubts: Sequence[Doubt],
        task: Task,  # noqa: ARG002
    ) -> dict[str, Any]:
        """List what is sure by its words, and what is unsure by number."""
        return {
            "sure": [
                {**_words(text, one.start, one.end), "label": one.label} for one in sure.entities
            ],
            "unsure": [
                {
                    "place": number,
                    **_words(text, doubt.start, doubt.end),
                    "likely": [one.label for one in doubt.choices if one.label] or [NONE],
                }
                for number, doubt in enumerate(doubts, start=1)
            ],
        }

    def read(
        self,
        members: Mapping[str, Any],
        *,
        text: str,
        labels: Sequence[str],
        sure: Annotated,
        doubts: Sequence[Doubt],
    ) -> Said:
        """Join what is answered with what is sure; where they overlap the answer counts."""
        found = _WHOLE.read({"entities": members.get("missed")}, text=text, labels=labels)
        taken = list(found.entities)
        for doubt, label in zip(doubts, _labels_of(members, len(doubts), labels), strict=True):
            if label is not None:
                surface = text[doubt.start : doubt.end]
                taken.append(Entity(doubt.start, doubt.end, label, surface))
        taken = sorted(set(taken))
        if any(one.end > after.start for one, after in pairwise(taken)):
            raise InvalidAnswerError("two mentions overlap")
        kept = [one for one in sure.entities if not _meets(one, taken)]
        return Said(tuple(sorted([*taken, *kept])))

    def members(self, text: str, said: Annotated, marks: Mapping[str, Any]) -> dict[str, Any]:
        """Write the answer that is joined to `said`, as far as marks and joining allow."""
        facts = {(x.start, x.end): x for x in said.entities}
        places, known = [], set()
        for one in marks["unsure"]:
            span = mentions(text, one["text"])[one.get("occurrence", 1) - 1]
            label = facts[span].label if span in facts else NONE
            known |= {span} if span in facts else set()
            places.append({"place": one["place"], "label": label})
        for one in marks["sure"]:
            span = mentions(text, one["text"])[one.get("occurrence", 1) - 1]
            if span in facts and facts[span].label == one["label"]:
                known.add(span)
        left = tuple(x for x in said.entities if (x.start, x.end) not in known)
        return {"places": places, "missed": _WHOLE.members(text, Said(left))["entities"]}

    def expected_tokens_out(self, doubts: Sequence[Doubt]) -> int:
        """Expect so much for each place."""
        return _TOKENS_PER_ANSWER + _TOKENS_PER_PLACE * len(doubts)


def _words(text: str, start: int, end: int) -> dict[str, Any]:
    """Say what stands there, and which occurrence it is where there are several."""
    surface = text[start:end]
    several = len(mentions(text, surface)) > 1
    return {"text": surface} | ({"occurrence": occurrence(text, start, end)} if several else {})


def _labels_of(
    members: Mapping[str, Any], n_places: int, labels: Sequence[str]
) -> list[str | None]:
    """Give the label of each place, None for none."""
    items = members.get("places")
    if not isinstance(items, list) or len(items) != n_places:
        raise InvalidAnswerError("the answer has not one label for each unsure place")
    found: dict[int, str | None] = {}
    for item in items:
        if not isinstance(item, dict):
            raise InvalidAnswerError("a place is no JSON object, or names a member twice")
        number, label = read_number(item.get("place")), item.get("label")
        is_none = isinstance(label, str) and label.strip().casefold() == NONE
        found[number or 0] = None if is_none else known_label(label, labels, of="a place")
    if set(found) != set(range(1, n_places + 1)):
        raise InvalidAnswerError("an unsure place is missing, doubled or misnumbered")
    return [found[number] for number in range(1, n_places + 1)]


def _meets(one: Entity, others: Iterable[Entity]) -> bool:
    return any(one.start < other.end and other.start < one.end for other in others)
