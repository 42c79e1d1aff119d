"""The students of 0.1.0 load today and tag as they tagged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stream.student import Student


def test_every_student_has_its_digest_and_tags_as_it_did(
    kept: Path, read: Callable[[str], Any], plain: Callable[[Any, Any], Any]
) -> None:
    bundles = read("taggings.json")
    assert sorted(bundle["precision"] for bundle in bundles) == ["fp32", "fp32", "int8"]
    for bundle in bundles:
        student = Student.load(kept / "models" / bundle["location"])
        texts, then = zip(*bundle["taggings"], strict=True)
        assert (student.version, student.digest) == (bundle["version"], bundle["digest"])
        for tagging, before in zip(student.tag(texts), then, strict=True):
            now = plain(tagging, before)
            assert unsure(now) == pytest.approx(unsure(before), abs=1e-6)
            assert now == before | unsure(now)


def unsure(tagging: dict[str, Any]) -> dict[str, Any]:
    """The parts that another machine's arithmetic may change in the last digits."""
    return {name: tagging[name] for name in ("score", "confidence")}
