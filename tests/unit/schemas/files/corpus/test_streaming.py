from __future__ import annotations

import json
from pathlib import Path

import pytest

from schemas.errors import ConfigError
from schemas.files.corpus import read_corpus
from schemas.files.corpus.streaming import stream_texts


def jsonl(path: Path, n: int) -> Path:
    lines = [json.dumps({"id": f"r{i}", "text": f"text {i}", "entities": []}) for i in range(n)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("n_lines", [1, 3, 100])
def test_the_texts_are_those_of_the_whole_file_however_large_the_parts(
    tmp_path: Path, n_lines: int
) -> None:
    file = jsonl(tmp_path / "a.jsonl", 10)
    found = stream_texts(file, n_lines=n_lines)
    assert found is not None
    form, examples = found
    assert form == "jsonl"
    assert [one.text for one in examples] == [one.text for one in read_corpus(file)]


def test_plain_text_is_streamed_and_named_by_its_lines(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("one\n\ntwo\nthree\n", encoding="utf-8")
    found = stream_texts(file, n_lines=2)
    assert found is not None
    assert [(one.id, one.text) for one in found[1]] == [
        ("a:1", "one"),
        ("a:3", "two"),
        ("a:4", "three"),
    ]


@pytest.mark.parametrize("late", [b'{"text": 5}', b'{"text": "\xff"}', b"no JSON"])
def test_a_wrong_record_is_named_by_its_line_in_the_file(tmp_path: Path, late: bytes) -> None:
    file = jsonl(tmp_path / "a.jsonl", 5)
    file.write_bytes(file.read_bytes() + late + b"\n")
    found = stream_texts(file, n_lines=2)
    assert found is not None
    with pytest.raises(ConfigError, match=r"a\.jsonl:6"):
        list(found[1])


@pytest.mark.parametrize(
    "data",
    [
        b'[{"text": "one"}]',
        b'{"data": [{"text": "one"}]}',
        b'{\n"text": "one"}',
        b"text,label\none,PER\n",
        "one\n".encode("utf-16"),
        b"",
    ],
)
def test_what_has_no_record_a_line_is_to_be_read_whole(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(data)
    assert stream_texts(file) is None
