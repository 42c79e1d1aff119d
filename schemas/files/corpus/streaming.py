"""Texts of a file that is too large for memory: one after the other, labels left aside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from schemas._json import strict_json
from schemas.files.corpus.example import Example
from schemas.files.corpus.options import Format, Reading
from schemas.files.corpus.read import AS_RECOGNISED, READERS
from schemas.files.corpus.recognise import recognise
from schemas.files.corpus.source import Source
from schemas.files.corpus.whole_text import named

_LINES_AT_ONCE = 20_000


def stream_texts(
    path: Path, *, how: Reading = AS_RECOGNISED, n_lines: int = _LINES_AT_ONCE
) -> tuple[Format, Iterator[Example]] | None:
    """Give the format and the texts, of which `n_lines` are in memory at a time.

    None for what is to be read whole: other formats than plain text and JSON lines, and UTF-16.
    Raises `ConfigError`, with path and line, for a record that is wrong, once it is reached.
    """
    with path.open("rb") as file:
        if file.read(2) in {b"\xff\xfe", b"\xfe\xff"}:
            return None
    parts = Source.parts(path, n_lines=n_lines)
    head = next(parts, None)
    if head is None or not any(True for _ in head.filled()):
        return None
    form = how.format or recognise(head, labelled=False, columns=how.columns)
    if form != "text" and not (form == "jsonl" and _has_records_in_lines(head, how)):
        return None
    return form, _texts(chain([head], parts), form, how)


def _texts(parts: Iterable[Source], form: Format, how: Reading) -> Iterator[Example]:
    for part in parts:
        for record in READERS[form](part, how, labelled=False):
            yield Example(f"{part.path.stem}:{record.line}", record.text, ())


def _has_records_in_lines(head: Source, how: Reading) -> bool:
    """Whether the first line is a record, not the beginning of a list or of a larger object."""
    _, line = next(head.filled())
    try:
        value: Any = strict_json(line)
    except ValueError:
        return False
    return isinstance(value, dict) and isinstance(named(value, how.columns).get("text"), str)
