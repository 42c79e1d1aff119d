from __future__ import annotations

from pathlib import Path

import pytest

from schemas.categories import of_labels
from schemas.errors import ConfigError
from schemas.files.corpus import Example, Reading, import_corpus, read_corpus, reading
from schemas.types import Entity

NAMES = reading(label_names="O,B-PER,I-PER,B-LOC,I-LOC")
MIRA = Example("3", "Mira Holt left", (Entity(0, 9, "PER", "Mira Holt"),))


def read(folder: Path, data: str, how: Reading | None = None) -> list[Example]:
    (folder / "c.json").write_text(data, encoding="utf-8")
    return read_corpus(folder / "c.json", how=how or Reading())


@pytest.mark.parametrize("tags", ["[1, 2, 0]", '["B-PER", "I-PER", "O"]'])
@pytest.mark.parametrize("frame", ["{}", "[{}]", '{{"data": [{}]}}'])
def test_tags_are_numbers_or_names_and_files_lines_or_lists(
    tmp_path: Path, tags: str, frame: str
) -> None:
    record = f'{{"id": 3, "tokens": ["Mira", "Holt", "left"], "ner_tags": {tags}}}'
    assert read(tmp_path, frame.format(record), NAMES) == [MIRA]


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ('{"tokens": ["a"], "ner_tags": [1]}', r"c\.json:1: the tags are numbers: .*--label-names"),
        ('{"tokens": ["a", "b"], "ner_tags": ["O"]}', "2 tokens but 1 tags"),
        ('{"tokens": ["a"], "ner_tags": ["PER"]}', "expected a tag such as O or B-PER"),
        ('{"tokens": [""], "ner_tags": ["O"]}', "no word"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, record: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read(tmp_path, record)


def test_a_number_without_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tag 9 has no name"):
        read(tmp_path, '{"tokens": ["a"], "ner_tags": [9]}', NAMES)


def test_entities_are_fitted_to_words_as_training_does_it(tmp_path: Path) -> None:
    record = '{"tokens": ["Oslo", ",", "now"], "ner_tags": ["B-LOC", "I-LOC", "O"]}'
    (example,) = read(tmp_path, record)
    assert example.entities == (Entity(0, 4, "LOC", "Oslo"),)


@pytest.mark.parametrize("tags", ["[1]", '["PER"]', "[]", "7"])
def test_the_teacher_needs_no_tags(tmp_path: Path, tags: str) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text(f'{{"tokens": ["Ada", "sings"], "ner_tags": {tags}}}', encoding="utf-8")
    (example,) = read_corpus(path, labelled=False, how=reading("hf"))
    assert (example.text, example.entities) == ("Ada sings", ())


MOODS = reading("hf", label_names="sad,glad")


def test_classified_texts_have_a_number_or_a_name_and_minus_one_is_nobodys(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text(
        '{"text": "a", "label": 1}\n{"text": "b", "label": -1}\n{"text": "c", "label": "sad"}\n'
    )
    for how in (MOODS, reading(label_names="sad,glad")):
        found = import_corpus(path, how=how)
        assert [one.categories for one in found.examples] == [
            of_labels(["glad"]),
            of_labels(["sad"]),
        ]
        assert found.report.dropped == {"not_annotated": 1}
        assert len(read_corpus(path, labelled=False, how=how)) == 3
    (tmp_path / "c.csv").write_text("text,label\na,1\nb,-1\n")
    found = import_corpus(tmp_path / "c.csv", how=reading(label_names="sad,glad"))
    assert found.report.per_label == {"glad": 1}
    assert found.report.dropped == {"not_annotated": 1}


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ('{"text": "a", "label": 5}', r"c\.json:1: label 5 has no name: --label-names gives 2"),
        ('{"text": "a"}', "expected 'tokens' with tags, or a text with a 'label'"),
    ],
)
def test_a_label_that_is_none_is_refused(tmp_path: Path, record: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read(tmp_path, record, MOODS)
