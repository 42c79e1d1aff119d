from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.categories import of_labels
from schemas.errors import ConfigError
from schemas.files.corpus import Example, import_corpus, read_corpus, reading, write_jsonl
from schemas.types import Category


def read(folder: Path, *, labelled: bool, **value: Any) -> Example:
    (folder / "c.jsonl").write_text(json.dumps(value), encoding="utf-8")
    return read_corpus(folder / "c.jsonl", labelled=labelled)[0]


@pytest.mark.parametrize(("given", "name"), [(15, "15"), (None, "c:1"), ("15", "15")])
def test_a_number_is_an_id_too_and_null_is_absence(tmp_path: Path, given: Any, name: str) -> None:
    found = read(tmp_path, labelled=False, id=given, text="Ada", meta=None, entities=None)
    assert (found.id, found.meta, found.entities) == (name, {}, ())


def test_a_span_without_a_score_is_certain(tmp_path: Path) -> None:
    span = {"start": 0, "end": 3, "label": "PER", "score": None, "surface": None}
    assert read(tmp_path, labelled=True, text="Ada", entities=[span]).entities[0].confidence == 1


def _read(folder: Path, line: str) -> Example:
    (folder / "c.jsonl").write_text(line, encoding="utf-8")
    (example,) = read_corpus(folder / "c.jsonl")
    return example


@pytest.mark.parametrize(
    ("given", "labels"),
    [
        ('"categories": ["sad", "glad"]', ("glad", "sad")),
        ('"categories": "glad"', ("glad",)),
        ('"categories": []', ()),
        ('"label": "glad"', ("glad",)),
        ('"label": ["sad", "glad"]', ("glad", "sad")),
        ('"entities": [], "categories": ["glad"]', ("glad",)),
    ],
)
def test_categories_stand_under_several_names(
    tmp_path: Path, given: str, labels: tuple[str, ...]
) -> None:
    example = _read(tmp_path, f'{{"text": "Hi", {given}}}')
    assert (example.categories, example.entities) == (of_labels(labels), ())


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        ('"llm_categories": "glad"', of_labels(["glad"])),
        ('"llm_categories": ["sad", "glad"]', of_labels(["glad", "sad"])),
        ('"llm_categories": []', ()),
        ('"llm_categories": null', None),
        ('"meta": {}', None),
    ],
)
def test_a_recorded_answer_may_be_a_refusal(
    tmp_path: Path, given: str, answer: tuple[Category, ...] | None
) -> None:
    example = _read(tmp_path, f'{{"text": "Hi", "categories": ["sad"], {given}}}')
    assert example.llm_categories == answer


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            '"entities": [{"start": 0, "end": 2, "label": "X"}], "categories": ["x"]',
            "leave out one",
        ),
        ('"categories": null', "'categories' is missing"),
        ('"llm_categories": ["x"]', "'categories' is missing"),
        ('"categories": [1]', "--label-names"),
        ('"categories": [""]', "is empty"),
    ],
)
def test_what_is_no_whole_answer_is_refused_with_the_line(
    tmp_path: Path, given: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=rf"c\.jsonl:1: .*{words}"):
        _read(tmp_path, f'{{"text": "Hi", {given}}}')


def test_a_label_beside_entities_is_no_category(tmp_path: Path) -> None:
    line = '{"text": "Hi", "label": "greeting", "entities": []}'
    assert _read(tmp_path, line).categories == ()


def test_keys_are_named_by_options(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text('{"body": "Hi", "mood": "glad"}', encoding="utf-8")
    how = reading(text_column="body", label_column="mood")
    (example,) = read_corpus(tmp_path / "c.jsonl", how=how)
    assert (example.text, example.categories) == ("Hi", of_labels(["glad"]))


def test_categories_and_answers_are_written_and_read_back(tmp_path: Path) -> None:
    examples = [
        Example("1", "a", (), {"n": 1}, None, (Category("x", 0.5), Category("y")), ()),
        Example("2", "b", (), {}, None, (), None),
        Example("3", "c", (), {}, None, (Category("x"),), (Category("y", 0.25),)),
    ]
    write_jsonl(tmp_path / "c.jsonl", examples)
    assert read_corpus(tmp_path / "c.jsonl") == examples


def test_texts_without_a_category_are_a_file_of_the_kind_that_is_told(tmp_path: Path) -> None:
    none = [Example("1", "a", ()), Example("2", "b", ())]
    write_jsonl(tmp_path / "c.jsonl", none, "categories")
    found = import_corpus(tmp_path / "c.jsonl")
    assert (list(found.examples), found.report.kind) == (none, "categories")
    write_jsonl(tmp_path / "e.jsonl", none)
    assert import_corpus(tmp_path / "e.jsonl").report.kind == "entities"
