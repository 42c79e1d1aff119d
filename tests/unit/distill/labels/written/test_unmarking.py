from __future__ import annotations

import pytest

from distill.labels.written.unmarking import unmarked
from schemas.types import Entity
from stream.testing.messages import a_label


@pytest.mark.parametrize(
    ("text", "mentions", "bare"),
    [
        ("Ask [Ada] of [Rome].", ["Ada"], "Ask Ada of Rome."),
        ("[Ada, Rome] and Bo", ["Ada", "Rome", "Bo"], "Ada, Rome and Bo"),
        ("Ada said [sic] so", ["Ada"], "Ada said [sic] so"),
    ],
)
def test_brackets_go_where_one_touches_a_mention(text: str, mentions: list[str], bare: str) -> None:
    spans = [(text.index(x), text.index(x) + len(x)) for x in mentions]
    label = a_label(text=text, entities=tuple(Entity(a, b, "PER", text[a:b]) for a, b in spans))
    found = unmarked(label)
    assert found.text == bare
    assert [x.surface for x in found.entities] == mentions
    assert [bare[x.start : x.end] for x in found.entities] == mentions
