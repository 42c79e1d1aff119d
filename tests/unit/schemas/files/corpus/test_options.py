from __future__ import annotations

import pytest

from schemas.errors import ConfigError
from schemas.files.corpus import Reading, reading


def test_options_are_read_as_they_are_typed() -> None:
    assert reading() == Reading()
    assert reading("hf", "word=2, tag=3", "O, B-PER") == Reading(
        "hf", {"word": "2", "tag": "3"}, ("O", "B-PER")
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("brat",), "--format must be one of jsonl, conll"),
        ((None, "word"), "word=2,tag=3"),
        ((None, "word=1,word=2"), "word=2,tag=3"),
        ((None, "wort=1"), "parts: word, tag"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    options: tuple[str | None, ...], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        reading(*options)
