from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from schemas.files.manifest import parse_manifest
from stream.student import Student
from stream.testing.bundles import write_bundle, write_category_bundle


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


def test_a_word_brings_the_text_its_category(tmp_path: Path) -> None:
    write_category_bundle(
        tmp_path,
        labels=["bill", "other", "order"],
        choose="one",
        words={"refund": "bill", "hm": "other"},
        certainties={"hm": 0.6},
    )
    found = Student.load(tmp_path).tag(["a refund please", "hm", "nothing known"])
    assert [tagging.categories[0].label for tagging in found] == ["bill", "other", "bill"]
    assert [tagging.score for tagging in found] == pytest.approx([0.99, 0.6, 1 / 3])


def test_a_text_may_have_the_categories_of_several_words(tmp_path: Path) -> None:
    write_category_bundle(
        tmp_path,
        labels=["spam", "rude"],
        choose="any",
        words={"buy": "spam", "fool": "rude"},
        certainties={"fool": 0.7},
    )
    found = Student.load(tmp_path).tag(["buy this, fool", "buy", "hello"])
    labels = [[category.label for category in tagging.categories] for tagging in found]
    assert labels == [["rude", "spam"], ["spam"], []]
    assert [tagging.score for tagging in found] == pytest.approx([0.7, 0.99, 0.99])


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"words": {"ada": "C"}}, "not one of the labels"),
        ({"certainty": 1.0}, "certainty"),
        ({"certainties": {"ada": 0.4}}, "certainty"),
    ],
)
def test_a_category_bundle_that_could_not_hold_is_refused(
    tmp_path: Path, options: dict[str, Any], reason: str
) -> None:
    values: dict[str, Any] = {"labels": ["A", "B"], "words": {"ada": "A"}} | options
    with pytest.raises(ValueError, match=reason):
        write_category_bundle(tmp_path, choose="any", **values)
