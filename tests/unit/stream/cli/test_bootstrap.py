from __future__ import annotations

from pathlib import Path

from schemas.files.corpus import Reading
from stream.cli.bootstrap import read_sample


def test_of_a_big_file_a_sample_is_read_and_the_rest_counted(tmp_path: Path) -> None:
    file = tmp_path / "texts.txt"
    file.write_text("".join(f"text {n}\n" for n in range(50_100)) + "text 1\n", encoding="utf-8")
    found, unseen = read_sample(file, how=Reading(), limit=10, seed=1, big_bytes=1000)
    assert (len(found.examples), found.report.records, unseen) == (50_000, 50_000, 101)
    assert len({one.text for one in found.examples}) == 50_000


def test_a_small_file_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "texts.txt"
    file.write_text("a text\nanother\n", encoding="utf-8")
    found, unseen = read_sample(file, how=Reading(), limit=1, seed=1)
    assert ([one.text for one in found.examples], unseen) == (["a text", "another"], 0)
