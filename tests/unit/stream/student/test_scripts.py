from __future__ import annotations

import unicodedata

import pytest

from stream.student.scripts import is_emoji, is_punctuation, is_unspaced


@pytest.mark.parametrize(
    ("char", "expected"),
    [
        ("王", True),
        ("あ", True),
        ("ก", True),
        ("ဗ", True),
        ("ក", True),
        ("각", False),
        ("א", False),
    ],
)
def test_some_scripts_put_no_spaces_between_words(char: str, expected: bool) -> None:  # noqa: FBT001 - a case
    assert is_unspaced(char) is expected


@pytest.mark.parametrize(("char", "expected"), [("🎉", True), ("☆", True), ("a", False)])
def test_pictographs_are_known(char: str, expected: bool) -> None:  # noqa: FBT001 - a case
    assert is_emoji(char) is expected


@pytest.mark.parametrize(
    ("char", "expected"), [("$", True), ("«", True), ("€", False), ("a", False)]
)
def test_punctuation_is_what_bert_takes_for_it(char: str, expected: bool) -> None:  # noqa: FBT001 - a case
    assert is_punctuation(char, unicodedata.category(char)) is expected
