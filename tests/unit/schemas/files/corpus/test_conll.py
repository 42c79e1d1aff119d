from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import ConfigError
from schemas.files.corpus import Example, Reading, import_corpus, read_corpus, reading
from schemas.types import Entity


def read(folder: Path, data: str, how: Reading | None = None) -> list[Example]:
    (folder / "c.conll").write_text(data, encoding="utf-8")
    return read_corpus(folder / "c.conll", how=how or Reading())


def surfaces(examples: list[Example]) -> list[tuple[str, str]]:
    return [(e.surface, e.label) for one in examples for e in one.entities]


@pytest.mark.parametrize(
    "tagged",
    [
        "The/O New/B-LOC York/M-LOC City/E-LOC Ada/S-PER Bo/S-PER",
        "The/O New/I-LOC York/I-LOC City/I-LOC Ada/I-PER Bo/B-PER",
        "The/O New/B-LOC York/I-LOC City/E-LOC Ada/S-PER Bo/S-PER",
    ],
    ids=["bmes", "iob1", "bioes"],
)
def test_every_scheme_gives_the_same_entities(tmp_path: Path, tagged: str) -> None:
    lines = "\n".join(pair.replace("/", " ") for pair in tagged.split())
    found = surfaces(read(tmp_path, lines))
    assert found == [("New York City", "LOC"), ("Ada", "PER"), ("Bo", "PER")]


def test_tabs_win_and_no_break_spaces_are_part_of_words(tmp_path: Path) -> None:
    data = "paid\tO\n12\u00a0500\tO\nNew York\tB-LOC\n\nMira\u00a0Holt B-PER\n"
    examples = read(tmp_path, data)
    assert [one.text for one in examples] == ["paid 12\u00a0500 New York", "Mira\u00a0Holt"]
    assert surfaces(examples) == [("New York", "LOC"), ("Mira\u00a0Holt", "PER")]


def test_labels_may_hold_spaces_where_tabs_part_the_columns(tmp_path: Path) -> None:
    assert surfaces(read(tmp_path, "Oslo\tB-big city\nfjord\tI-big city\n")) == [
        ("Oslo fjord", "big city")
    ]


@pytest.mark.parametrize(
    "line", ["# id s7", "# id = s7", "# sent_id = s7", "#id: s7", "# id s7 x=y"]
)
def test_comments_give_the_id(tmp_path: Path, line: str) -> None:
    assert read(tmp_path, f"# a comment\n{line}\nAda B-PER\n")[0].id == "s7"


def test_an_id_that_comes_again_is_replaced_by_the_line(tmp_path: Path) -> None:
    path = tmp_path / "c.conll"
    path.write_text("# sent_id = 1\nAda B-PER\n\n# sent_id = 1\nBo B-PER\n", encoding="utf-8")
    found = import_corpus(path)
    assert [one.id for one in found.examples] == ["1", "c:5"]
    assert found.report.mended == {"id_again": 1}


COUNTED = "1\tMira\tB-PER\tO\n2\tHolt\tI-PER\tO\n3\tleft\tO\tB-X\n\n1\tOslo\tB-LOC\tO\n"


def test_a_first_column_that_counts_is_refused_with_what_to_pass(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"c\.conll:1: .*--columns word=2,tag=3.*3, 4 are tags"):
        read(tmp_path, COUNTED)


@pytest.mark.parametrize(
    "data",
    [
        "1\tMira\tB-PER\n2\tleft\tO\n\n3\tOslo\tB-LOC\n4\twon\tO\n",
        "1\tin\tO\n2-3\tzum\tO\n2\tzu\tO\n3\tdem\tO\n3.1\tda\tO\n",
        "1\tMira\tB-PER\n\n7\tOslo\tB-LOC\n9\twon\tO\n",
    ],
    ids=["goes on", "conll-u", "odd"],
)
def test_a_first_column_of_numbers_is_refused_however_it_counts(tmp_path: Path, data: str) -> None:
    with pytest.raises(ConfigError, match=r"c\.conll:1: .*--columns word=2,tag=3; word=1 if"):
        read(tmp_path, data)


def test_numbers_may_be_the_words(tmp_path: Path) -> None:
    rows = "12\tCD\tO\n1984\tCD\tB-DATE\n"
    assert read(tmp_path, rows, reading(columns="word=1"))[0].text == "12 1984"
    assert read(tmp_path, "1984 B-DATE\n")[0].text == "1984"
    kept = '# json_text = "12 1984"\n12\tO\n1984\tB-DATE\n'
    assert read(tmp_path, kept)[0].text == "12 1984"


def test_columns_name_word_and_tag(tmp_path: Path) -> None:
    first, second = read(tmp_path, COUNTED, reading(columns="word=2,tag=3"))
    assert (first.text, second.text) == ("Mira Holt left", "Oslo")
    assert surfaces([first, second]) == [("Mira Holt", "PER"), ("Oslo", "LOC")]
    assert surfaces(read(tmp_path, COUNTED, reading(columns="word=2,tag=4"))) == [("left", "X")]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ("word=2,tag=9", "tag such as O or B-PER in column 9"),
        ("word=9", "expected a word in column 9"),
        ("word=two", "must be a number"),
        ("text=2", "conll has no text"),
    ],
)
def test_columns_that_are_not_there_are_refused(tmp_path: Path, columns: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read(tmp_path, COUNTED, reading(columns=columns))


def test_a_kept_text_stands_for_the_joined_words(tmp_path: Path) -> None:
    (example,) = read(tmp_path, '# json_text = "Oslo,  now"\nOslo\tB-LOC\n,\tO\nnow\tO\n')
    assert example.text == "Oslo,  now"
    assert example.entities == (Entity(0, 4, "LOC", "Oslo"),)
    with pytest.raises(ConfigError, match=r"c\.conll:2: the words are not those of the text"):
        read(tmp_path, '# json_text = "Rome"\nOslo\tB-LOC\n')


def test_a_last_word_that_is_a_comma_is_no_part_of_the_entity(tmp_path: Path) -> None:
    path = tmp_path / "c.conll"
    path.write_text("Australia B-LOC\n, I-LOC\nnow O\n; B-X\n", encoding="utf-8")
    found = import_corpus(path)
    assert surfaces(list(found.examples)) == [("Australia", "LOC"), (";", "X")]
    assert found.report.mended == {"punctuation_after_it": 1}
