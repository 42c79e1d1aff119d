from __future__ import annotations

import json

import pytest

from stream.teacher.quoting import quotes_one


@pytest.mark.parametrize(
    ("value", "text", "is_quoted"),
    [
        ("no word of it", "or", False),
        ("no word or two", "or", True),
        ("Ada, 36, is no Adam", "Adam", True),
        ("Adamant", "Adam", False),
        ('as in: Ada said "no"\nand left.', 'Ada said "no"\nand left.', True),
        ("Bo ärgert sich", "ärgert", True),
        ("nothing", "", False),
    ],
)
def test_a_text_is_quoted_whole_or_not_at_all(value: str, text: str, *, is_quoted: bool) -> None:
    said = json.dumps({"edits": [{"text": value}]})
    assert quotes_one(said, [text]) is is_quoted
    assert quotes_one(f"Here you are: {said}.", [text]) is is_quoted
    assert quotes_one(value, [text]) is is_quoted
