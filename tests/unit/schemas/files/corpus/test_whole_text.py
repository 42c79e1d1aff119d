from __future__ import annotations

import pytest

from schemas.files.corpus.whole_text import chosen, named, parted
from schemas.types import Category


def test_a_label_is_a_name_a_number_or_has_a_score() -> None:
    assert chosen("glad") == (Category("glad"),)
    assert chosen([" sad ", {"label": "glad", "score": 0.5}]) == (
        Category("sad"),
        Category("glad", 0.5),
    )
    assert chosen([1, 0], ["glad", "sad"]) == (Category("sad"), Category("glad"))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1, "pass --label-names"),
        ("", "is empty"),
        (None, "'label' is not of type str"),
        ({"label": "x", "score": 2}, "not in"),
        ({}, "'label' is missing"),
        ([["x"]], "not of type str"),
        (True, "not of type str"),
    ],
)
def test_what_is_no_label_is_refused(value: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        chosen(value)
    with pytest.raises(ValueError, match="label 2 has no name: --label-names gives 2"):
        chosen(2, ["a", "b"])


def test_a_cell_holds_several_labels_and_columns_are_called_by_their_parts() -> None:
    assert parted(" a| b ||") == ["a", "b"]
    assert parted(" ") == []
    value = {"body": "Hi", "mood": "glad", "text": "other"}
    assert named(value, {"text": "body", "label": "mood"}) == value | {
        "text": "Hi",
        "label": "glad",
    }
