from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import ConfigError
from schemas.files.corpus import read_corpus, reading


def test_each_line_that_is_not_blank_is_a_text(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("Ada left.\n\n Bo came. \n", encoding="utf-8")
    examples = read_corpus(tmp_path / "c.txt", labelled=False)
    assert [(one.id, one.text) for one in examples] == [("c:1", "Ada left."), ("c:3", " Bo came. ")]


def test_plain_lines_have_no_labels_to_give(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("Ada left.\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="carry no labels"):
        read_corpus(tmp_path / "c.txt", how=reading("text"))
