from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import ConfigError
from schemas.files.corpus import import_corpus, read_corpus
from schemas.types import Category, Entity

PAIR = '["Ada left", {"entities": [[0, 3, "PER"]]}]'


@pytest.mark.parametrize(
    "data",
    [f"[{PAIR}]", PAIR, f"[\n null,\n {PAIR}\n]", f'{{"classes": [], "annotations": [{PAIR}]}}'],
)
def test_pairs_in_lists_and_lines_are_read(tmp_path: Path, data: str) -> None:
    (tmp_path / "c.json").write_text(data, encoding="utf-8")
    (example,) = read_corpus(tmp_path / "c.json")
    assert example.entities == (Entity(0, 3, "PER", "Ada"),)


def test_what_is_no_pair_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(f"[\n{PAIR},\n[1, 2]]", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"c\.json:3: expected \[text"):
        read_corpus(tmp_path / "c.json")


def test_cats_count_from_a_half_on(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(
        '[["a", {"cats": {"sad": 0.0, "glad": 1}}], ["b", {"cats": {"sad": 0.5, "glad": 0.4}}],'
        ' ["c", {"cats": {"sad": false, "glad": true}, "entities": []}], ["d", {"cats": {}}]]'
    )
    found = import_corpus(tmp_path / "c.json")
    assert [one.categories for one in found.examples] == [
        (Category("glad"),),
        (Category("sad", 0.5),),
        (Category("glad"),),
        (),
    ]
    assert (found.report.format, found.report.kind) == ("spacy", "categories")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ('{"cats": {"glad": 2}}', "'score' is not in"),
        ('{"cats": {"glad": "yes"}}', "'score' is not of type float"),
        ('{"cats": ["glad"]}', "'cats' is not of type dict"),
        ('{"cats": {"glad": 1}, "entities": [[0, 1, "X"]]}', "entities and categories"),
    ],
)
def test_cats_that_are_none_are_refused_with_their_line(
    tmp_path: Path, given: str, words: str
) -> None:
    (tmp_path / "c.jsonl").write_text(f'["a", {{"cats": {{}}}}]\n["b", {given}]\n')
    with pytest.raises(ConfigError, match=rf"c\.jsonl:2: .*{words}"):
        import_corpus(tmp_path / "c.jsonl")
