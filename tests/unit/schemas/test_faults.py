from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import BundleError, ConfigError
from schemas.files.manifest import parse_manifest
from schemas.files.task_file import load_task
from schemas.settings import load_settings

BROKEN = [
    b"teacher: {api_key: canary\n",
    b'a: "canary',
    b"canary: b: c",
    b"a: &canary b\nb: *canary2\n",
    b"a: !canary b",
    b"app: canary\xff",
    b"teacher:\n  api_key:sk-canary\n  model: x\n",
    b"teacher: {api_key:sk-canary, model: x}\n",
    b"teacher: {}\nsk-canary-1: x\n",
]


@pytest.mark.parametrize("content", BROKEN)
@pytest.mark.parametrize("read", [load_settings, load_task])
def test_no_error_about_a_file_quotes_it(tmp_path: Path, read: object, content: bytes) -> None:
    file = tmp_path / "file.yaml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read(file)  # type: ignore[operator] # one of the two
    assert "canary" not in str(caught.value)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("content", ["name: 2026-02-30", "[" * 10_000])
def test_a_task_file_that_yaml_stumbles_over_is_refused_in_words(
    tmp_path: Path, content: str
) -> None:
    file = tmp_path / "task.yaml"
    file.write_text(content)
    with pytest.raises(ConfigError, match="cannot read the task file"):
        load_task(file)


def test_a_manifest_cannot_write_into_the_log() -> None:
    with pytest.raises(BundleError) as caught:
        parse_manifest(b'{"x\\nforged log line": 1}')
    assert "forged" not in str(caught.value)
