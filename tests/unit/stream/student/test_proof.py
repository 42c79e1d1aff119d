from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.errors import BundleError
from stream.student.proof import prove
from stream.testing.bundles import write_bundle


def made(folder: Path, *, max_tokens: int = 128) -> Path:
    write_bundle(folder, labels=["PER"], words={"ada": "B-PER"}, max_tokens=max_tokens)
    return folder


def test_a_sound_bundle_is_proved(tmp_path: Path) -> None:
    prove(made(tmp_path / "made"))


def test_a_bundle_that_is_refused_is_refused_in_the_same_words(tmp_path: Path) -> None:
    folder = made(tmp_path / "made")
    (folder / "student.onnx").write_bytes(b"x")
    with pytest.raises(BundleError, match=r"student\.onnx does not match its digest"):
        prove(folder)


def test_a_bundle_that_explodes_ends_its_proof_and_not_us(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"its proof died|memory"):
        prove(made(tmp_path / "made"), most_bytes=2**20)


def test_a_bundle_that_hangs_is_given_up(tmp_path: Path) -> None:
    folder = made(tmp_path / "made")
    (folder / "manifest.json").unlink()
    subprocess.run(["mkfifo", str(folder / "manifest.json")], check=True)
    with pytest.raises(BundleError):  # refused as a pipe, or given up: in any case it ends
        prove(folder, limit_s=30)
    with pytest.raises(BundleError, match="did not load within 0 s"):
        prove(made(tmp_path / "slow"), limit_s=0)


def test_a_child_without_a_parent_ends_too(tmp_path: Path) -> None:
    code = "from stream.student.proof import _limit; _limit(1, 2**32)\nwhile True: pass"
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    assert done.returncode < 0


def test_a_few_hundred_bytes_that_ask_for_gigabytes_are_no_student(tmp_path: Path) -> None:
    folder = made(tmp_path / "made", max_tokens=2**31)
    assert json.loads((folder / "manifest.json").read_text())["max_tokens"] == 2**31
    with pytest.raises(BundleError):
        prove(folder, most_bytes=2**30, limit_s=60)


def test_what_lies_in_the_working_directory_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stream").mkdir()
    (tmp_path / "stream/__init__.py").write_text("raise SystemExit(1)\n")
    monkeypatch.chdir(tmp_path)
    prove(made(tmp_path / "made"))
