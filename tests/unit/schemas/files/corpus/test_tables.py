from __future__ import annotations

from pathlib import Path

import pytest

from schemas.categories import of_labels
from schemas.errors import ConfigError
from schemas.files.corpus import Example, Reading, read_corpus, reading
from schemas.types import Entity

ROWS = 'text,start,end,label\n"Ada, Bo",0,3,PER\nrain,,,\n"Ada, Bo",5,7,PER\n'


def read(
    folder: Path, data: str, how: Reading | None = None, *, labelled: bool = True
) -> list[Example]:
    (folder / "c.csv").write_text(data, encoding="utf-8")
    return read_corpus(folder / "c.csv", how=how or Reading(), labelled=labelled)


def test_rows_of_one_text_belong_together(tmp_path: Path) -> None:
    first, second = read(tmp_path, ROWS)
    assert first == Example(
        "c:2", "Ada, Bo", (Entity(0, 3, "PER", "Ada"), Entity(5, 7, "PER", "Bo"))
    )
    assert (second.text, second.entities) == ("rain", ())


def test_other_headers_and_semicolons_are_read(tmp_path: Path) -> None:
    data = "body;von;bis;label\nAda;0;3;PER\n"
    (example,) = read(tmp_path, data, reading("csv", "text=body,start=von,end=3"))
    assert example.entities == (Entity(0, 3, "PER", "Ada"),)


def test_blanks_and_a_short_row_are_a_text_without_spans(tmp_path: Path) -> None:
    found = read(tmp_path, "text,start,end,label\nAda, , ,\nBo\n")
    assert [(one.text, one.entities) for one in found] == [("Ada", ()), ("Bo", ())]


def test_texts_alone_are_enough_for_the_teacher(tmp_path: Path) -> None:
    assert [one.text for one in read(tmp_path, "text\nAda\n", labelled=False)] == ["Ada"]


def test_offsets_do_not_matter_to_the_teacher(tmp_path: Path) -> None:
    (example,) = read(tmp_path, "text,start,end,label\nAda,0,99,PER\n", labelled=False)
    assert example == Example("c:2", "Ada", ())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("Sentence #,Word,Tag\n1,Ada,B-PER\n", r"c\.csv:1: expected a header with the columns"),
        ("text\nAda\n", "there is no start, end, label"),
        ("text,start,end,label\nAda,x,3,PER\n", r"c\.csv:2: expected whole numbers"),
        ("text,start,end,label\nAda,,3,PER\n", r"c\.csv:2: expected whole numbers"),
        ("text,start,end,label\nAda,,,PER\n", r"c\.csv:2: expected whole numbers"),
        ("start,end,label,text\n0,3,PER\n", r"c\.csv:2: no text: the row has 3 columns"),
        ("text,start,end,label\nAda,0,3,\n", r"c\.csv:2: 'label' is empty"),
        ("id,text,start,end,label\n1,Ada,,,\n1,Bo,,,\n", r"c\.csv:3: another text for the id"),
        ("text,start,end,label\nAda,0,9,PER\n", r"c\.csv:2: entity 0 is out of the text's bounds"),
    ],
)
def test_what_cannot_be_read_is_refused_with_line_and_what_was_expected(
    tmp_path: Path, data: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        read(tmp_path, data)


def test_without_offsets_the_labels_are_of_whole_texts(tmp_path: Path) -> None:
    found = read(tmp_path, 'id,text,label\n7,"Ada, Bo",sad|glad\n8,rain,\n9,rain,glad\n')
    assert [(one.id, one.text, one.categories) for one in found] == [
        ("7", "Ada, Bo", of_labels(["glad", "sad"])),
        ("8", "rain", ()),
        ("9", "rain", of_labels(["glad"])),
    ]


def test_columns_of_categories_are_named_by_options(tmp_path: Path) -> None:
    how = reading(text_column="body", label_column="2", label_names="glad,sad")
    (example,) = read(tmp_path, "body,mood\nAda,1\n", how)
    assert (example.text, example.categories) == ("Ada", of_labels(["sad"]))


def test_a_column_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"c\.csv:1: .* there is no start, end, label"):
        read(tmp_path, "text,mood\nAda,glad\n", reading(label_column="feeling"))
    with pytest.raises(ConfigError, match=r"c\.csv:1: .* there is no end"):
        read(tmp_path, "text,start,label\nAda,0,PER\n")
