from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import ConfigError
from schemas.files.corpus import read_corpus
from schemas.types import Entity

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
