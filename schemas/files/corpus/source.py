"""A file as lines of text: UTF-8, or UTF-16 with its byte order mark."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

from schemas.errors import ConfigError

_BINARY = {
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"PAR1": "Parquet",
    b"\x1f\x8b": "gzip",
    b"x\x9c": "compressed, as spaCy's DocBin (.spacy) is",
    b"\x78\xda": "compressed, as spaCy's DocBin (.spacy) is",
}


@dataclass(frozen=True)
class Source:
    """A corpus file, decoded. Lines are parted by line feeds only and numbered from 1.

    `str.splitlines` would also split at U+2028, which JSON strings may hold. `text` has all of
    it; in `lines` carriage returns at the ends are gone.
    """

    path: Path
    text: str
    first: int = 1
    """The number of its first line: another one where this is a part of the file."""

    @classmethod
    def open(cls, path: Path) -> Source:
        """Read a file; `ConfigError` when it cannot be read or is no text."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ConfigError(f"cannot read the corpus {path}: {error.strerror}") from None
        return cls(path, _decoded(path, data))

    @classmethod
    def parts(cls, path: Path, *, n_lines: int) -> Iterator[Source]:
        """Read a file of UTF-8 in parts of so many lines; raises as `open`."""
        first = 1
        try:
            with path.open("rb") as file:
                while lines := list(islice(file, n_lines)):
                    yield cls(path, _decoded(path, b"".join(lines), first=first), first)
                    first += len(lines)
        except OSError as error:
            raise ConfigError(f"cannot read the corpus {path}: {error.strerror}") from None

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """Its lines, without their ends."""
        return tuple(line.rstrip("\r") for line in self.text.split("\n"))

    def filled(self) -> Iterator[tuple[int, str]]:
        """Give the lines that are not blank, with their numbers."""
        return ((n, line) for n, line in enumerate(self.lines, start=self.first) if line.strip())

    def error(self, line: int, message: object) -> ConfigError:
        """Make the error that names file and line."""
        return ConfigError(f"{self.path}:{line}: {message}")


def _decoded(path: Path, data: bytes, *, first: int = 1) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _utf16(path, data)
    _refuse_binary(path, data)
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        place = error.start - (before.rfind(b"\n") + 1)
        number = before.count(b"\n") + first
        raise ConfigError(f"{path}:{number}: not UTF-8 at byte {place}") from None


def _utf16(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-16")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-16 at byte {error.start}") from None


def _refuse_binary(path: Path, data: bytes) -> None:
    for magic, what in _BINARY.items():
        if data.startswith(magic):
            raise ConfigError(f"{path}: {what}, not text: export it as JSONL")
    if path.suffix == ".spacy" and data.lstrip()[:1] not in {b"[", b"{"}:
        raise ConfigError(f"{path}: spaCy's DocBin is not read: export it as JSON or JSONL")
    if b"\0" in data:
        raise ConfigError(f"{path}: not UTF-8 (there are zero bytes): save it as UTF-8")
