"""Labelled corpora on disk: JSONL with spans, or CoNLL columns.

JSONL has one object a line, `{"id", "text", "entities": [{"start", "end", "label"}],
"meta", "llm_entities"}`; offsets count code points, `end` exclusive. `llm_entities` is a
recorded answer of an LLM; a `score` in an entity is its confidence.

CoNLL has one word a line, the word in the first column and its tag in the last, columns
parted by white space, sentences by blank lines; tags are IOB1, IOB2, BIOES or BILOU. The
text is the words joined by single spaces. `-DOCSTART-` and `# name = value` lines are
passed over.

Source: https://www.clips.uantwerpen.be/conll2003/ner/
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from schemas._json import require_unicode, strict_json
from schemas.bio import validate_entities
from schemas.errors import ConfigError
from schemas.types import Entity

CONLL_SUFFIXES = frozenset({".conll", ".bio", ".iob", ".txt"})

_COMMENT = re.compile(r"#\s*\S+\s=(\s|$)")
_TAG = re.compile(r"O|[BIESLU]-\S+")


@dataclass(frozen=True, slots=True)
class Example:
    """A text with its gold entities, and a recorded LLM's answer where there is one."""

    id: str
    text: str
    entities: tuple[Entity, ...]
    meta: dict[str, Any] = field(default_factory=dict)
    llm_entities: tuple[Entity, ...] | None = None


def read_corpus(path: Path, *, labelled: bool = True) -> list[Example]:
    """Read a corpus file, in its order; the suffix tells the format (`CONLL_SUFFIXES`, else JSONL).

    With `labelled=False` a JSONL line may lack `entities`, which then are none. A line
    without an `id` gets `<file stem>:<line>`. Raises `ConfigError`, with path and line, for
    the first line that is wrong.
    """
    path = Path(path)
    conll = path.suffix.lower() in CONLL_SUFFIXES
    examples = list(_read_conll(path) if conll else _read_jsonl(path, labelled=labelled))
    if not examples:
        raise ConfigError(f"{path}: the corpus is empty")
    return examples


def write_jsonl(path: Path, examples: Sequence[Example]) -> None:
    """Write examples so that `read_corpus` reads equal ones."""
    with Path(path).open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(
            json.dumps(_to_json(example), ensure_ascii=False, allow_nan=False) + "\n"
            for example in examples
        )


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    # Bytes are split at line feeds only: `str.splitlines` would also split at U+2028,
    # which JSON strings may hold.
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                yield number, _decoded(line, path, number)
    except OSError as error:
        raise ConfigError(f"cannot read the corpus {path}: {error.strerror}") from None


def _decoded(line: bytes, path: Path, number: int) -> str:
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}:{number}: not UTF-8 at byte {error.start}") from None


def _read_jsonl(path: Path, *, labelled: bool) -> Iterator[Example]:
    line_of: dict[str, int] = {}
    for number, line in _lines(path):
        if not line.strip():
            continue
        example = _from_line(line, path, number, labelled=labelled)
        if example.id in line_of:
            first = line_of[example.id]
            raise ConfigError(f"{path}:{number}: the id of line {first} again: {example.id!r}")
        line_of[example.id] = number
        yield example


def _from_line(line: str, path: Path, number: int, *, labelled: bool) -> Example:
    try:
        return _from_json(strict_json(line), f"{path.stem}:{number}", labelled=labelled)
    except ValueError as error:
        raise ConfigError(f"{path}:{number}: {error}") from None


def _from_json(value: Any, default_id: str, *, labelled: bool) -> Example:
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - a bad line, not a bad call
    text = _typed(value, "text", str)
    require_unicode(text)
    answer = None
    if value.get("llm_entities") is not None:
        answer = _entities(text, _typed(value, "llm_entities", list))
    return Example(
        id=_typed(value, "id", str, default_id),
        text=text,
        entities=_entities(text, _typed(value, "entities", list, None if labelled else [])),
        meta=_typed(value, "meta", dict, {}),
        llm_entities=answer,
    )


def _typed(value: dict[str, Any], name: str, kind: type, default: Any = None) -> Any:
    found = value.get(name, default)
    if kind is float and type(found) is int:  # JSON writes 1.0 as 1 as well
        return float(found)
    # A boolean is an int to Python, but no offset.
    if not isinstance(found, kind) or isinstance(found, bool):
        wrong = "is missing" if name not in value else f"is not of type {kind.__name__}"
        raise ValueError(f"{name!r} {wrong}")  # noqa: TRY004 - as above
    return found


def _entities(text: str, values: list[Any]) -> tuple[Entity, ...]:
    entities = tuple(sorted(_entity(text, value) for value in values))
    validate_entities(text, entities)
    return entities


def _entity(text: str, value: Any) -> Entity:
    if not isinstance(value, dict):
        raise ValueError("an entity is not a JSON object")  # noqa: TRY004 - as above
    start, end = _typed(value, "start", int), _typed(value, "end", int)
    label = _typed(value, "label", str)
    if not label:
        raise ValueError("'label' is empty")
    score = _typed(value, "score", float, 1.0)
    if not 0 <= score <= 1:
        raise ValueError("'score' is not in [0, 1]")
    return Entity(start, end, label, text[start:end] if start >= 0 else "", score)


def _to_json(example: Example) -> dict[str, Any]:
    value: dict[str, Any] = {
        "id": example.id,
        "text": example.text,
        "entities": [_entity_json(entity) for entity in example.entities],
    }
    if example.llm_entities is not None:
        value["llm_entities"] = [_entity_json(entity) for entity in example.llm_entities]
    return value | {"meta": example.meta}


def _entity_json(entity: Entity) -> dict[str, Any]:
    value: dict[str, Any] = {"start": entity.start, "end": entity.end, "label": entity.label}
    return value if entity.confidence == 1.0 else value | {"score": entity.confidence}


def _read_conll(path: Path) -> Iterator[Example]:
    words: list[str] = []
    tags: list[str] = []
    first = 0
    for number, line in [*_lines(path), (0, "")]:
        columns = line.split()
        if words and not columns:
            yield _from_columns(words, tags, f"{path.stem}:{first}")
            words, tags = [], []
        elif columns and not _is_markup(line):
            first = first if words else number
            words.append(columns[0])
            tags.append(_tag(columns, path, number))


def _is_markup(line: str) -> bool:
    return line.startswith("-DOCSTART-") or _COMMENT.match(line) is not None


def _tag(columns: list[str], path: Path, number: int) -> str:
    if len(columns) == 1 or not _TAG.fullmatch(columns[-1]):
        raise ConfigError(f"{path}:{number}: expected a word and, last, a tag such as O or B-PER")
    return columns[-1]


def _from_columns(words: list[str], tags: list[str], example_id: str) -> Example:
    text = " ".join(words)
    ends = _ends(words)
    starts = [end - len(word) for end, word in zip(ends, words, strict=True)]
    bounds = [*(i for i, tag in enumerate(tags) if _opens(tags, i) or tag == "O"), len(tags)]
    entities = tuple(
        _located(text, starts[first], ends[last - 1], tags[first][2:])
        for first, last in pairwise(bounds)
        if tags[first] != "O"
    )
    return Example(example_id, text, entities)


def _opens(tags: list[str], index: int) -> bool:
    tag, before = tags[index], tags[index - 1] if index else "O"
    begins = tag[0] in "BSU" or before == "O" or before[0] in "ESLU"
    return tag != "O" and (begins or before[2:] != tag[2:])


def _ends(words: list[str]) -> list[int]:
    ends, position = [], -1
    for word in words:
        position += 1 + len(word)
        ends.append(position)
    return ends


def _located(text: str, start: int, end: int, label: str) -> Entity:
    return Entity(start, end, label, text[start:end])
