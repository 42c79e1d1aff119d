"""What a task could say of itself: descriptions, edge cases and negatives, out of a few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.errors import InvalidAnswerError
from schemas.files.kind import Kind
from schemas.files.task import LabelSpec
from stream.teacher.prompt_parts import closed_object
from stream.teacher.question import FENCE_WORDS, Question

MAX_LABELS = 12
MAX_RULES = 6
_MAX_EXAMPLES = 4
_MAX_CHARS = 300
_STRINGS = {"type": "array", "items": {"type": "string"}}

_WORDS = """\
You help a person to say what they look for in texts, so that annotators agree. """
_ANSWER = f"""\
"labels" has an entry for each label of "labels" in the data, in their order, with its "name" as \
it stands there; where that list is empty, name up to six labels that "looking_for" asks for. \
"description" says in one or two sentences what the label means and where it ends; a description \
that the person gave is kept in its sense. "edge_cases" lists up to {MAX_RULES} cases on which two \
annotators would differ, each as a rule that decides it, in one sentence. "negatives" lists up to \
{MAX_RULES} things that lie near and are not meant, each in one sentence. """
_OF_ENTITIES = """\
Labels are types of mentions in a text: a name is in capitals, without spaces. "examples" lists \
two to four mentions, as they would stand in a text, in the language of the texts. Edge cases say \
which words belong to a mention (articles, titles, units), too.
"""
_OF_CATEGORIES = """\
Labels are categories of a text as a whole: a name is a word or two, in lower case. "examples" \
lists two short texts of the category, in the language of the texts. Edge cases say which of two \
categories that lie near each other is meant, too.
"""


@dataclass(frozen=True, slots=True)
class Sought:
    """What a person said so far: in a sentence, as labels, as texts. Labels may be missing."""

    kind: Kind
    language: str
    looking_for: str = ""
    labels: tuple[LabelSpec, ...] = ()
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Suggestions:
    """What is suggested: labels with their descriptions, rules for edge cases, negatives."""

    labels: tuple[LabelSpec, ...] = ()
    edge_cases: tuple[str, ...] = field(default=())
    negatives: tuple[str, ...] = field(default=())


def suggestions_question(sought: Sought) -> Question:
    """Ask for descriptions, edge cases and negatives."""
    entry = {"name": {"type": "string"}, "description": {"type": "string"}, "examples": _STRINGS}
    what = _OF_ENTITIES if sought.kind == "entities" else _OF_CATEGORIES
    return Question(
        "suggestions",
        f"{_WORDS}{FENCE_WORDS}{_ANSWER}{what}",
        {
            "looking_for": sought.looking_for,
            "language": sought.language,
            "labels": [
                {"name": x.name, "description": x.description, "examples": list(x.examples)}
                for x in sought.labels
            ],
            "texts": list(sought.texts),
        },
        {
            "labels": {"type": "array", "items": closed_object(entry)},
            "edge_cases": _STRINGS,
            "negatives": _STRINGS,
        },
    )


def read_suggestions(members: Mapping[str, Any], sought: Sought) -> Suggestions:
    """Read the answer; what the person said themselves stands.

    Raises `InvalidAnswerError` where no label of theirs is described, or none is named.
    """
    listed = members.get("labels")
    entries = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    told = {_folded(label.name): label for label in map(_label, entries) if label.name}
    if sought.labels:
        labels = tuple(_completed(label, told.get(_folded(label.name))) for label in sought.labels)
        if not any(_folded(label.name) in told for label in sought.labels):
            raise InvalidAnswerError("no label is described")
    else:
        labels = tuple(_named(label, sought.kind) for label in [*told.values()][:MAX_LABELS])
        if not labels:
            raise InvalidAnswerError("no label is named")
    return Suggestions(labels, _rules(members, "edge_cases"), _rules(members, "negatives"))


def _label(entry: Mapping[str, Any]) -> LabelSpec:
    description, examples = entry.get("description"), entry.get("examples")
    listed = examples if isinstance(examples, list) else []
    return LabelSpec(_line(entry.get("name")), _line(description), _lines(listed, _MAX_EXAMPLES))


def _completed(label: LabelSpec, told: LabelSpec | None) -> LabelSpec:
    if told is None:
        return label
    description = label.description or told.description
    return LabelSpec(label.name, description, label.examples or told.examples)


def _named(label: LabelSpec, kind: Kind) -> LabelSpec:
    """Make a name that a task takes of the one that was suggested."""
    name = "_".join(label.name.split()) if kind == "entities" else label.name.replace("|", "/")
    return LabelSpec(name, label.description, label.examples)


def _rules(members: Mapping[str, Any], name: str) -> tuple[str, ...]:
    listed = members.get(name)
    return _lines(listed if isinstance(listed, list) else [], MAX_RULES)


def _lines(values: Sequence[Any], most: int) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line for line in map(_line, values) if line))[:most]


def _line(value: Any) -> str:
    """Give the words in one line, without what no terminal shows; "" for what is too long."""
    words = " ".join(value.split()) if isinstance(value, str) else ""
    return words if len(words) <= _MAX_CHARS and words.isprintable() else ""


def _folded(name: str) -> str:
    return " ".join(name.replace("_", " ").split()).casefold()
