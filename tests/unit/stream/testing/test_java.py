from __future__ import annotations

from pathlib import Path

import pytest

from stream.testing.java import find_java, java_release


def _java(folder: Path, version: str) -> Path:
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho 'openjdk version {version}' >&2\n", encoding="utf-8")
    java.chmod(0o755)
    return java


@pytest.mark.parametrize(
    ("version", "release"), [('"1.8.0_392"', 1), ('"17.0.9" 2023', 17), ('"25" 2025', 25), ("", 0)]
)
def test_the_release_is_read_from_what_java_says(
    tmp_path: Path, version: str, release: int
) -> None:
    assert java_release(str(_java(tmp_path, version))) == release


def test_what_is_no_program_is_no_java(tmp_path: Path) -> None:
    assert java_release(str(tmp_path / "java")) == 0


def test_a_newer_java_beside_the_default_one_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old, new = _java(tmp_path / "old", '"17.0.9"'), _java(tmp_path / "jvm/new", '"25"')
    newer = _java(tmp_path / "runner", '"26"')
    installed = [f"{tmp_path}/jvm/*/bin/java"]
    monkeypatch.setenv("PATH", f"{old.parent}:/usr/bin:/bin")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert find_java(17, installed=installed) == str(old)
    assert find_java(21, installed=installed) == str(new)
    monkeypatch.setenv("JAVA_HOME_26_X64", str(tmp_path / "runner"))
    assert find_java(21, installed=installed) == str(newer)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jvm/new"))
    assert find_java(17, installed=installed) == str(new)
    assert find_java(99, installed=installed) is None
