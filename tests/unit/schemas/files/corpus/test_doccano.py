from __future__ import annotations

from pathlib import Path

import pytest

from schemas.categories import of_labels
from schemas.errors import ConfigError
from schemas.files.corpus import Example, import_corpus, read_corpus, reading
from schemas.types import Entity

NEWER = (
    '{"id": 15, "text": "Mira left", "relations": [], "entities": '
    '[{"id": 1, "label": "PER", "start_offset": 0, "end_offset": 4}]}'
)
MIRA = Example("15", "Mira left", (Entity(0, 4, "PER", "Mira"),))


@pytest.mark.parametrize(
    "line",
    [
        '{"id": 15, "text": "Mira left", "label": [[0, 4, "PER"]]}',
        '{"id": 15, "text": "Mira left", "labels": [[0, 4, "PER"]]}',
        '{"id": 15, "text": "Mira left", "entities": [[0, 4, "PER"]]}',
        '{"id": 15, "data": "Mira left", "label": [[0, 4, "PER"]]}',
        NEWER,
    ],
)
def test_every_shape_of_its_exports_is_read(tmp_path: Path, line: str) -> None:
    (tmp_path / "c.jsonl").write_text(line, encoding="utf-8")
    assert read_corpus(tmp_path / "c.jsonl") == [MIRA]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"text": "a", "label": [[0, 1]]}', r"c\.jsonl:2: expected \[start, end, label\]"),
        ('{"text": "a", "label": [["0", 1, "X"]]}', "'start' is not of type int"),
        ('{"text": "a"}', "expected spans under 'label', 'labels' or 'entities'"),
        ('{"text": "abc", "label": [[0, 2, "X"], [1, 3, "X"]]}', "overlaps"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "c.jsonl").write_text(f'{{"text": "b", "label": [[0, 1, "X"]]}}\n{line}')
    with pytest.raises(ConfigError, match=words):
        read_corpus(tmp_path / "c.jsonl")


def test_a_label_of_null_was_not_annotated(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text('{"text": "b", "label": [[0, 1, "X"]]}\n{"text": "a", "label": null}')
    found = import_corpus(path)
    assert [one.text for one in found.examples] == ["b"]
    assert found.report.dropped == {"not_annotated": 1}
    assert len(read_corpus(path, labelled=False)) == 2


@pytest.mark.parametrize("record", ['"label": ["b", "a"]', '"cats": ["b", "a"], "entities": []'])
def test_classified_texts_have_labels_in_place_of_spans(tmp_path: Path, record: str) -> None:
    (tmp_path / "c.jsonl").write_text(f'{{"text": "x", {record}}}\n{{"text": "y", "label": []}}\n')
    found = import_corpus(tmp_path / "c.jsonl", how=reading("doccano"))
    assert [one.categories for one in found.examples] == [of_labels(["a", "b"]), ()]
    assert found.report.kind == "categories"


def test_spans_and_labels_of_one_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text('{"text": "x", "entities": [[0, 1, "X"]], "cats": ["a"]}')
    with pytest.raises(ConfigError, match=r"c\.jsonl:1: entities and categories of one text"):
        import_corpus(tmp_path / "c.jsonl")
