"""What an LLM once wrote, and what it said of its doubtful labels, played again when asked.

Texts are given in the file's order, the next ones to each new question, and the same ones to a
question that is asked again; after the last the first comes again, as an LLM repeats itself.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.errors import ConfigError
from stream.lab.teacher_sim.answers import Answers
from stream.teacher.kinds.kind import ENTITIES, TeacherKind
from stream.teacher.kinds.said import said_by
from stream.teacher.prompt_parts import answer_json
from stream.teacher.writing.planning import ATTRIBUTES

_PHRASES = ("everyday life", "news", "science", "sport", "arts", "business", "travel", "history")
_SHOWN_SURFACES = 3
_RULINGS = {
    "correct": "right",
    "not_named_entity": "wrong",
    "wrong_type": "other_label",
    "wrong_boundary": "other_span",
}

Verdicts = Mapping[tuple[str, str, str], dict[str, str]]
"""The entry of an answer by text, mention (empty for categories) and label."""


@dataclass(slots=True)
class Script:
    """Answers questions about many texts; `written` are labelled texts."""

    kind: TeacherKind = ENTITIES
    written: Sequence[str] = ()
    answers: Answers = field(default_factory=dict)
    verdicts: Verdicts = field(default_factory=dict)
    _given: dict[str, list[str]] = field(default_factory=dict, init=False)
    _next: int = field(default=0, init=False)

    def answer(self, asked: Mapping[str, Any], text: str) -> str | None:
        """Answer a question, whose data as they came are `text`; None for one that it knows not."""
        members = self._members(asked, text)
        return None if members is None else answer_json(text, members)

    def _members(self, asked: Mapping[str, Any], text: str) -> dict[str, Any] | None:
        match asked.get("ask"):
            case "verdicts":
                found = (_ruled(item, self.verdicts) for item in asked["items"])
                return {"verdicts": [one for one in found if one]}
            case "suggestions":
                return self._suggested(asked)
            case "attributes" if self.written:
                return {name: list(_PHRASES[: asked["count"]]) for name in ATTRIBUTES}
            case "names" if self.written:
                return {"names": self._names(asked)}
            case "texts" if self.written:
                return {"texts": [self._item(one) for one in self._texts(asked, text)]}
        return None

    def _suggested(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Describe the labels that are asked about; without any, those of the answers."""
        known = sorted({x.label for said in self.answers.values() for x in said})
        names = [label["name"] for label in asked["labels"]] or known
        described = {name: f"What the recorded answers call {name}." for name in names}
        surfaces = {name: self._surfaces(name)[:_SHOWN_SURFACES] for name in names}
        return {
            "labels": [
                {"name": name, "description": words, "examples": surfaces[name]}
                for name, words in described.items()
            ],
            "edge_cases": ["Mark what the recorded answers mark."],
            "negatives": ["What the recorded answers leave out."],
        }

    def _surfaces(self, label: str) -> list[str]:
        """List the mentions of a label in what is written; none of a category."""
        found = (x for one in self.written for x in said_by(self.answers[one]).entities)
        return list(dict.fromkeys(x.surface for x in found if x.label == label))

    def _names(self, asked: Mapping[str, Any]) -> list[str]:
        label, known = asked["label"], set(asked["known"])
        names = self._surfaces(label) or list(_PHRASES)
        fresh = [name for name in names if name not in known]
        return (fresh or names)[: asked["count"]]

    def _texts(self, asked: Mapping[str, Any], question: str) -> list[str]:
        if question not in self._given:
            places = range(self._next, self._next + len(asked["texts"]))
            self._given[question] = [self.written[at % len(self.written)] for at in places]
            self._next = places.stop
        return self._given[question]

    def _item(self, text: str) -> dict[str, Any]:
        return {"text": text, **self.kind.members(text, said_by(self.answers[text]))}


def load_verdicts(paths: Iterable[Path], labels: Iterable[str]) -> Verdicts:
    """Read verdict files, gzipped or not, of JSON lines.

    A line has `text`, `mention` (none for a category), `label`, `verdict` (correct,
    not_named_entity, wrong_type, wrong_boundary) and `correction`: another label, or another
    mention. A label that is none of `labels` means that it is no mention of any. Raises
    `ConfigError`, with path and line.
    """
    known = frozenset(labels)
    found: dict[tuple[str, str, str], dict[str, str]] = {}
    for path in paths:
        for number, line in enumerate(_lines(path), start=1):
            try:
                key, entry = _verdict(json.loads(line), known)
            except (ValueError, LookupError, TypeError) as error:
                raise ConfigError(f"{path}:{number}: no verdict: {error}") from None
            found[key] = entry
    return found


def _lines(path: Path) -> list[str]:
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
    except (OSError, EOFError, ValueError) as error:
        raise ConfigError(f"cannot read the verdicts {path}: {error}") from None
    return [line for line in text.split("\n") if line.strip()]


def _verdict(
    record: Mapping[str, Any], labels: frozenset[str]
) -> tuple[tuple[str, str, str], dict[str, str]]:
    key = (record["text"], record.get("mention") or "", record["label"])
    ruling, correction = _RULINGS[record["verdict"]], record.get("correction") or ""
    if ruling == "other_span":
        return key, {"verdict": ruling, "label": record["label"], "span": correction}
    if ruling == "other_label" and (label := _meant(correction, labels)):
        return key, {"verdict": ruling, "label": label, "span": ""}
    ruling = "wrong" if ruling == "other_label" else ruling
    return key, {"verdict": ruling, "label": "", "span": ""}


def _meant(correction: str, labels: frozenset[str]) -> str:
    """Find the label that a correction names, in full or written out: `person` is PER."""
    told = correction.casefold()
    exact = [label for label in labels if label.casefold() == told]
    found = exact or [label for label in labels if told.startswith(label.casefold())]
    return found[0] if len(found) == 1 else ""


def _ruled(item: Mapping[str, Any], verdicts: Verdicts) -> dict[str, Any] | None:
    entry = verdicts.get((item["text"], item.get("mention", ""), item["label"]))
    return None if entry is None else {"item": item["item"], **entry}
