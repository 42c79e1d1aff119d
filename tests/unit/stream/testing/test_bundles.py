from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from schemas.files.manifest import parse_manifest
from stream.student import Student
from stream.testing.bundles import write_bundle


def write(folder: Path, **options: Any) -> Student:
    values: dict[str, Any] = {"labels": ["PER"], "words": {"ada": "B-PER"}} | options
    write_bundle(folder, **values)
    return Student.load(folder)


def test_the_manifest_returned_is_the_one_written(tmp_path: Path) -> None:
    manifest = write_bundle(tmp_path, labels=["PER"], words={}, lineage={"labels": 3})
    assert parse_manifest((tmp_path / "manifest.json").read_bytes()) == manifest


def test_the_same_arguments_write_the_same_bytes(tmp_path: Path) -> None:
    digests = {write(tmp_path / name).digest for name in ("one", "two")}
    assert len(digests) == 1


def test_a_word_has_its_own_certainty_and_others_the_common_one(tmp_path: Path) -> None:
    student = write(tmp_path, certainty=0.95, certainties={"hm": 0.5, "ada": 0.7})
    scores = [tagging.score for tagging in student.tag(["something", "ada", "hm", "ada hm"])]
    assert scores == pytest.approx([0.95, 0.7, 0.5, 0.5])


def test_a_word_without_a_tag_is_tagged_o(tmp_path: Path) -> None:
    assert not write(tmp_path, certainties={"hm": 0.4}).tag(["hm"])[0].entities


def test_a_bundle_may_be_written_over(tmp_path: Path) -> None:
    write(tmp_path)
    assert write(tmp_path, version="v2").version == "v2"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"words": {"Ada": "B-PER"}}, "one lower-case word"),
        ({"words": {"e-mail": "B-PER"}}, "one lower-case word"),
        ({"words": {"two words": "O"}}, "one lower-case word"),
        ({"words": {"ada": "B-LOC"}}, "not one of the tags"),
        ({"certainty": 1.0}, "certainty"),
        ({"certainties": {"ada": 0.2}}, "certainty"),
    ],
)
def test_arguments_that_could_not_hold_are_refused(
    tmp_path: Path, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        write(tmp_path, **options)
