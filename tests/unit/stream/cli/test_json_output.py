from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

import pytest

from schemas.errors import ConfigError, DiskError
from stream.cli.json_output import check_writable, json_lines, spell_out_bare_json, write_json
from stream.testing.full_disk import full_disk


@pytest.mark.parametrize(
    ("given", "spelt"),
    [
        ([], []),
        (["doctor", "--json"], ["doctor", "--json=-"]),
        (["doctor", "--json", "--timeout", "1"], ["doctor", "--json=-", "--timeout", "1"]),
        (["doctor", "--json", "-c", "s.yaml"], ["doctor", "--json=-", "-c", "s.yaml"]),
        (["doctor", "--json", "-"], ["doctor", "--json", "-"]),
        (["doctor", "--json", "found.json"], ["doctor", "--json", "found.json"]),
        (["doctor", "--json=found.json"], ["doctor", "--json=found.json"]),
    ],
)
def test_the_bare_flag_prints_and_a_file_is_a_file(given: list[str], spelt: list[str]) -> None:
    assert spell_out_bare_json(given) == spelt


def test_a_file_is_written_with_its_folder_and_nothing_beside_it(tmp_path: Path) -> None:
    write_json({"name": "Zoë"}, tmp_path / "deep" / "facts.json")
    (file,) = (tmp_path / "deep").iterdir()
    assert json.loads(file.read_text(encoding="utf-8")) == {"name": "Zoë"}
    assert file.stat().st_mode & 0o777 == 0o644


def test_a_minus_prints_and_nothing_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    write_json([1], Path("-"))
    write_json([2], None)
    assert json.loads(capsys.readouterr().out) == [1]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_lacks_is_refused_and_leaves_the_old_file(
    tmp_path: Path, number: float
) -> None:
    write_json({"f1": 0.5}, tmp_path / "facts.json")
    with pytest.raises(ValueError, match="JSON"):
        write_json({"f1": number}, tmp_path / "facts.json")
    (file,) = tmp_path.iterdir()
    assert json.loads(file.read_text(encoding="utf-8")) == {"f1": 0.5}


def test_lines_that_break_off_leave_no_file(tmp_path: Path) -> None:
    with suppress(RuntimeError), json_lines(tmp_path / "lines.jsonl") as write:
        write({"text": "Ada"})
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_lines_come_in_order(tmp_path: Path) -> None:
    with json_lines(tmp_path / "lines.jsonl") as write:
        write({"n": 1})
        write({"n": 2})
    assert (tmp_path / "lines.jsonl").read_text(encoding="utf-8") == '{"n": 1}\n{"n": 2}\n'


def test_a_link_and_a_device_stay_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to(tmp_path / "facts.json")
    write_json({}, tmp_path / "link.json")
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "facts.json").is_file()
    write_json({}, Path("/dev/null"))
    assert Path("/dev/null").is_char_device()


def test_what_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "facts.json"):
        with pytest.raises(ConfigError, match="cannot write"):
            check_writable(path)


def test_a_file_is_as_private_as_it_was_or_as_new_ones_are(tmp_path: Path) -> None:
    kept, fresh = tmp_path / "kept.json", tmp_path / "fresh.json"
    kept.touch(mode=0o600)
    before = os.umask(0o027)
    try:
        write_json({"a": 1}, kept)
        write_json({"a": 1}, fresh)
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in (kept, fresh)] == [0o600, 0o640]


def test_on_a_full_disk_no_half_file_is_left(tmp_path: Path) -> None:
    with (
        pytest.raises(DiskError, match=r"cannot write .*lines\.jsonl: File too large"),
        full_disk(),
        json_lines(tmp_path / "lines.jsonl") as write,
    ):
        write({"a": 1})
    assert [*tmp_path.iterdir()] == []
    with pytest.raises(DiskError, match="File too large"), full_disk():
        write_json({"a": 1}, tmp_path / "facts.json")
    assert [*tmp_path.iterdir()] == []
