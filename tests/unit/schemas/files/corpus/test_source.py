from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import ConfigError
from schemas.files.corpus import read_corpus

LINE = '{"text": "Åsa", "entities": [{"start": 0, "end": 3, "label": "PER"}]}\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_in_utf8_and_utf16_read_the_same(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text(LINE, encoding=encoding)
    assert read_corpus(path)[0].entities[0].surface == "Åsa"


def test_utf16_without_its_mark_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text(LINE, encoding="utf-16-le")
    with pytest.raises(ConfigError, match="UTF-8"):
        read_corpus(path)


def test_half_a_character_of_utf16_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_bytes(LINE.encode("utf-16") + b"x")
    with pytest.raises(ConfigError, match="not UTF-16 at byte"):
        read_corpus(path)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.spacy", b"\x78\x9c..", "DocBin"),
        ("a.spacy", b"..", "DocBin"),
        ("a.xlsx", b"PK\x03\x04", "spreadsheet"),
        ("a.parquet", b"PAR1", "Parquet"),
        ("a.jsonl.gz", b"\x1f\x8b", "gzip"),
    ],
)
def test_files_that_are_no_text_are_named(
    tmp_path: Path, name: str, data: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ConfigError, match=words):
        read_corpus(tmp_path / name)
