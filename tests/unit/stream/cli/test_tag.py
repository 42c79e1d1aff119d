from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from stream.cli.main import main
from stream.testing.bundles import write_bundle, write_category_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "v1"
    words = {"ada": "B-PER", "lovelace": "I-PER", "oslo": "B-LOC"}
    write_bundle(folder, labels=["PER", "LOC"], words=words)
    return folder


def test_lines_of_a_file_come_out_as_json_in_order(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_bytes("Ada Lovelace\r\n\n👩‍🚀 in Oslo".encode())
    with pytest.raises(SystemExit) as end:
        main(["tag", str(lines), "--bundle", str(bundle), "--json"])
    assert end.value.code == 0
    first, blank, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert [(e["surface"], e["label"]) for e in first["entities"]] == [("Ada Lovelace", "PER")]
    assert blank == {
        "text": "",
        "entities": [],
        "confidence": 1.0,
        "score": 1.0,
        "categories": [],
    }
    (oslo,) = last["entities"]
    assert last["text"][oslo["start"] : oslo["end"]] == "Oslo"


TEXT = "Ada Lovelace\n"


def _surfaces(lines: str) -> list[str]:
    return [
        entity["surface"] for line in lines.splitlines() for entity in json.loads(line)["entities"]
    ]


def _tag(bundle: Path, *arguments: str) -> None:
    with pytest.raises(SystemExit) as end:
        main(["tag", "--bundle", str(bundle), *arguments])
    assert end.value.code == 0


def test_json_goes_into_a_file_beside_the_colours(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lines.txt").write_text(TEXT)
    _tag(bundle, str(tmp_path / "lines.txt"), "--json", str(tmp_path / "out.jsonl"))
    assert capsys.readouterr().out.startswith("Ada Lovelace[PER]")
    assert _surfaces((tmp_path / "out.jsonl").read_text(encoding="utf-8")) == ["Ada Lovelace"]


def test_the_bare_flag_before_the_file_reads_the_file(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lines.txt").write_text(TEXT)
    _tag(bundle, "--json", str(tmp_path / "lines.txt"))
    assert _surfaces(capsys.readouterr().out) == ["Ada Lovelace"]
    assert (tmp_path / "lines.txt").read_text() == TEXT


def test_entities_are_marked_and_control_characters_shown(
    bundle: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("Ada saw \x1b[31m Oslo [x]\n"))
    with pytest.raises(SystemExit):
        main(["tag", "--bundle", str(bundle)])
    out = capsys.readouterr().out
    assert out.startswith("Ada[PER] saw \\x1b[31m Oslo[LOC] [x]")


@pytest.fixture
def moods(tmp_path: Path) -> Path:
    """A student that may choose any of its categories."""
    write_category_bundle(
        tmp_path / "moods",
        labels=["glad", "sad"],
        choose="any",
        words={"thanks": "glad", "alas": "sad"},
        certainty=0.9,
    )
    return tmp_path / "moods"


def test_categories_stand_beside_the_text_each_with_its_confidence(
    moods: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("thanks\x1b\nalas, thanks\nhm\n"))
    _tag(moods)
    shown = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
    assert [(line[0], line[1:-1]) for line in shown] == [
        ("thanks\\x1b", ["glad 90%"]),
        ("alas, thanks", ["glad 90%", "sad 90%"]),
        ("hm", ["no category"]),
    ]
    assert all(line[-1].endswith("%") for line in shown)


def test_json_carries_categories(
    moods: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lines.txt").write_text("alas\n")
    _tag(moods, str(tmp_path / "lines.txt"), "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["entities"] == []
    assert [one["label"] for one in told["categories"]] == ["sad"]
    assert told["categories"][0]["confidence"] == pytest.approx(0.9, abs=1e-5)


def test_a_prompt_answers_each_line_at_once(
    bundle: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = iter(["Oslo", "Ada"])
    shown: list[str] = []

    def typing(_: str) -> str:
        shown.append(capsys.readouterr().out)
        try:
            return next(typed)
        except StopIteration:
            raise EOFError from None

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("builtins.input", typing)
    with pytest.raises(SystemExit):
        main(["tag", "--bundle", str(bundle)])
    assert [line.partition("  ")[0].strip() for line in shown] == ["", "Oslo[LOC]", "Ada[PER]"]


def test_a_file_that_cannot_be_read_is_a_users_error(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "latin").write_bytes(b"\xff\xfe")
    for name in ("latin", "none"):
        with pytest.raises(SystemExit) as end:
            main(["tag", str(tmp_path / name), "--bundle", str(bundle)])
        assert end.value.code == 2
    assert capsys.readouterr().err.count("silverstream: cannot read") == 2


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_piped_bytes_that_are_not_utf8_are_a_users_error(
    bundle: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    errors: str,
) -> None:
    piped = io.TextIOWrapper(io.BytesIO(b"\xff\n"), encoding="ascii", errors=errors)
    monkeypatch.setattr("sys.stdin", piped)
    with pytest.raises(SystemExit) as end:
        main(["tag", "--bundle", str(bundle)])
    assert end.value.code == 2
    assert "silverstream: cannot read standard input" in capsys.readouterr().err
