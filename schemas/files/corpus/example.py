"""What corpora are made of: an example, and the record that a reader found it in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from schemas.files.kind import Kind
from schemas.types import Category, Entity


@dataclass(frozen=True, slots=True)
class Example:
    """A text with its gold annotation, and a recorded LLM's answer where there is one.

    For categories an `llm_categories` of None where others have some is a refusal.
    """

    id: str
    text: str
    entities: tuple[Entity, ...]
    meta: dict[str, Any] = field(default_factory=dict)
    llm_entities: tuple[Entity, ...] | None = None
    categories: tuple[Category, ...] = ()
    llm_categories: tuple[Category, ...] | None = None
    unasked: frozenset[str] = frozenset()
    """Labels that the annotation says nothing about."""


@dataclass(frozen=True, slots=True)
class Span:
    """A span as the file gives it: offsets in the file's own unit, `score` in [0, 1].

    `surface` is the text that the file shows beside the offsets, if it does.
    """

    start: int
    end: int
    label: str
    score: float = 1.0
    surface: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a reader found at a line of its file.

    `left_out` is the reason why the record is none of the corpus; `mended` and `dropped` are
    reasons, one for each thing that the reader did to it. `kind` is None where nothing tells: a
    text without a label in a file that may have either.
    """

    line: int
    text: str
    spans: tuple[Span, ...] = ()
    id: str | None = None
    meta: dict[str, Any] = field(default_factory=dict)
    llm_spans: tuple[Span, ...] | None = None
    left_out: str = ""
    mended: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    kind: Kind | None = None
    categories: tuple[Category, ...] = ()
    llm_categories: tuple[Category, ...] | None = None
