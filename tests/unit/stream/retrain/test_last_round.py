from __future__ import annotations

from pathlib import Path

import pytest

from stream.retrain.last_round import Mark, mark_path, read_mark, write_mark


def test_the_mark_survives_a_restart(tmp_path: Path) -> None:
    mark = Mark({"0": 7}, 12.5)
    write_mark(mark_path(tmp_path, "people"), mark)
    assert read_mark(mark_path(tmp_path, "people")) == mark


def test_the_mark_lies_where_version_0_1_0_wrote_it(tmp_path: Path) -> None:
    assert mark_path(tmp_path, "people") == tmp_path / "people" / "last-round.json"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"offsets": {"0": "x"}, "started_s": 1}'])
def test_a_mark_that_does_not_read_is_an_empty_one(tmp_path: Path, content: str) -> None:
    (tmp_path / "last-round.json").write_text(content)
    assert read_mark(tmp_path / "last-round.json") == Mark()
    assert read_mark(tmp_path / "none") == Mark()
