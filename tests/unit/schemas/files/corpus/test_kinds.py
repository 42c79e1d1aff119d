from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import ConfigError
from schemas.files.corpus import import_corpus, read_corpus


def test_a_file_of_two_kinds_is_refused_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text(
        '{"text": "Ada", "label": "glad"}\n{"text": "Ada", "entities": []}\n', encoding="utf-8"
    )
    words = r"c\.jsonl:2: entities, but line 1 has categories: a file holds one of the two"
    with pytest.raises(ConfigError, match=words):
        read_corpus(path)
    assert len(read_corpus(path, labelled=False)) == 2


def test_the_report_tells_of_categories_in_their_words(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    lines = ['{"text": "a", "categories": ["glad", "glad"]}', '{"text": "a", "categories": []}']
    path.write_text("\n".join(lines), encoding="utf-8")
    report = import_corpus(path).report
    assert (report.kind, report.spans, report.categories) == ("categories", 0, 1)
    assert report.per_label == {"glad": 1}
    assert report.dropped == {"category_again": 1}
    assert (report.duplicates, report.contradictions) == (1, 1)
    assert report.lines()[0] == "jsonl: 2 texts, 1 categories (glad 1)"
