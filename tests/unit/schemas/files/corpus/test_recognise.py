from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import ConfigError
from schemas.files.corpus import Format, recognise
from schemas.files.corpus.source import Source

FOUND: list[tuple[Format, str]] = [
    ("jsonl", '{"text": "Ada", "entities": [{"start": 0, "end": 3, "label": "PER"}]}'),
    ("jsonl", '{"text": "Ada", "entities": []}'),
    ("conll", "Ada B-PER\nis O\n"),
    ("conll", "# id x\nAda\tNNP\tS-PER\n"),
    ("label-studio", '[{"id": 1, "data": {"text": "Ada"}, "annotations": []}]'),
    ("label-studio", '{"id": 1,\n "data": {"text": "Ada"}, "annotations": []}'),
    ("label-studio-min", '[{"text": "a", "ner": [{"start": 0, "end": 1, "labels": ["X"]}]}]'),
    ("doccano", '{"text": "Ada", "label": [[0, 3, "PER"]]}'),
    ("doccano", '{"text": "Ada", "labels": []}\n{"text": "Bo", "labels": [[0, 2, "PER"]]}'),
    (
        "doccano",
        '{"text": "Ada", "entities": [{"label": "PER", "start_offset": 0, "end_offset": 3}]}',
    ),
    ("prodigy", '{"text": "Ada", "spans": [], "tokens": [{"text": "Ada"}], "answer": "accept"}'),
    ("spacy", '[["Ada", {"entities": [[0, 3, "PER"]]}]]'),
    ("spacy", '["Ada", {"entities": [[0, 3, "PER"]]}]\n["Bo", {"entities": []}]'),
    ("spacy", '{"classes": ["PER"], "annotations": [["Ada", {"entities": []}]]}'),
    ("hf", '{"tokens": ["Ada"], "ner_tags": [1]}'),
    ("hf", '{"data": [{"tokens": ["Ada"], "ner_tags": ["B-PER"]}]}'),
    ("csv", "text,start,end,label\nAda,0,3,PER\n"),
    ("csv", "text;start;end;label\nAda;0;3;PER\n"),
    ("tsv", "id\ttext\tstart\tend\tlabel\n1\tAda\t0\t3\tPER\n"),
]


@pytest.mark.parametrize(("form", "data"), FOUND)
@pytest.mark.parametrize("name", ["file", "file.json", "file.data"])
def test_a_format_is_recognised_by_what_stands_in_the_file(
    tmp_path: Path, form: Format, data: str, name: str
) -> None:
    path = tmp_path / ("file" if form in {"conll", "csv", "tsv"} else name)
    path.write_text(data, encoding="utf-8")
    assert recognise(Source.open(path), labelled=True) == form


def test_lines_that_are_nothing_else_are_texts_where_no_labels_are_wanted(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("[1] Ada came.\nBo left.\n", encoding="utf-8")
    assert recognise(Source.open(path), labelled=False) == "text"


def test_what_is_no_format_is_refused_with_what_was_expected(tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    path.write_text("\nAda came.\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"notes\.md:2: no format that is known: expected JSON"):
        recognise(Source.open(path), labelled=True)


def test_words_in_brackets_do_not_make_columns_json(tmp_path: Path) -> None:
    path = tmp_path / "c.conll"
    path.write_text("[ O\nAda B-PER\n] O\n", encoding="utf-8")
    assert recognise(Source.open(path), labelled=True) == "conll"


def test_the_first_record_of_one_format_may_come_late(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    late = '{"text": "Bo", "entities": [{"label": "PER", "start_offset": 0, "end_offset": 2}]}'
    path.write_text('{"text": "rain", "entities": []}\n' * 99 + late, encoding="utf-8")
    assert recognise(Source.open(path), labelled=True) == "doccano"
