"""Plain text: each line that is not blank is a text, without labels."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.errors import ConfigError
from schemas.files.corpus.example import Record
from schemas.files.corpus.options import Reading
from schemas.files.corpus.source import Source


def read(source: Source, _how: Reading, *, labelled: bool) -> Iterator[Record]:
    """Yield a record a line; `ConfigError` where labels are asked for."""
    if labelled:
        raise ConfigError(f"{source.path}: plain lines of text carry no labels")
    for number, line in source.filled():
        yield Record(line=number, text=line)
