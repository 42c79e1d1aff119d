from __future__ import annotations

from pathlib import Path

import pytest

from schemas.categories import of_labels
from schemas.errors import ConfigError
from schemas.files.corpus import import_corpus

LINES = """
{"text": "Ada", "spans": [{"start": 0, "end": 3, "label": "PER"}], "answer": "accept"}
{"text": "rain", "answer": "accept"}
{"text": "Bo", "spans": [{"start": 0, "end": 2, "label": "PER"}], "answer": "reject"}
{"text": "Cy", "spans": [{"start": 0, "end": 2, "label": "PER"}], "answer": "ignore"}
"""


def test_what_a_person_rejected_or_ignored_is_no_label(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text(LINES, encoding="utf-8")
    found = import_corpus(tmp_path / "c.jsonl")
    assert [(one.text, len(one.entities)) for one in found.examples] == [("Ada", 1), ("rain", 0)]
    assert found.report.dropped == {"ignored": 1, "rejected": 1}
    texts = import_corpus(tmp_path / "c.jsonl", labelled=False).examples
    assert len(texts) == 4


def test_nothing_but_rejected_answers_is_an_empty_corpus(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text('{"text": "a", "spans": [], "answer": "reject"}')
    with pytest.raises(ConfigError, match=r"empty \(1 rejected\)"):
        import_corpus(tmp_path / "c.jsonl")


def test_an_answer_of_null_is_an_accepted_one(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text('{"text": "a", "spans": [], "answer": null}')
    assert len(import_corpus(tmp_path / "c.jsonl").examples) == 1


def test_an_answer_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text('{"text": "a", "spans": [], "answer": "maybe"}')
    with pytest.raises(ConfigError, match="accept, reject, ignore"):
        import_corpus(tmp_path / "c.jsonl")


CHOICES = """
{"text": "a", "options": [{"id": "sad"}, {"id": "glad"}], "accept": ["glad"], "answer": "accept"}
{"text": "b", "options": [{"id": "sad"}, {"id": "glad"}], "accept": [], "answer": "accept"}
{"text": "c", "options": [{"id": "sad"}, {"id": "glad"}], "accept": ["sad"], "answer": "reject"}
"""


def test_accepted_options_are_categories(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text(CHOICES)
    found = import_corpus(tmp_path / "c.jsonl")
    assert [one.categories for one in found.examples] == [of_labels(["glad"]), ()]
    assert found.report.dropped == {"rejected": 1}
    assert (found.report.format, found.report.kind) == ("prodigy", "categories")


def test_answers_about_one_label_at_a_time_count_together(tmp_path: Path) -> None:
    asked = [
        ("a", "glad", "accept"),
        ("b", "glad", "reject"),
        ("a", "calm", "accept"),
        ("c", "glad", "reject"),
        ("c", "calm", "reject"),
        ("d", "calm", "ignore"),
    ]
    (tmp_path / "c.jsonl").write_text(
        "".join(
            f'{{"text": "{text}", "label": "{label}", "answer": "{answer}"}}\n'
            for text, label, answer in asked
        )
    )
    found = import_corpus(tmp_path / "c.jsonl")
    said = [(one.text, one.categories) for one in found.examples]
    assert said == [("a", of_labels(["calm", "glad"])), ("c", ())]
    assert found.report.dropped == {"ignored": 1, "rejected": 1}


def test_options_that_are_no_labels_are_refused(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text('\n{"text": "a", "accept": [1], "answer": "accept"}')
    with pytest.raises(ConfigError, match=r"c\.jsonl:2: the labels are numbers"):
        import_corpus(tmp_path / "c.jsonl")
