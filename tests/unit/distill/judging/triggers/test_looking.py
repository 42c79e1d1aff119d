from __future__ import annotations

import pytest

from distill.judging.triggers.looking import short_enough
from stream.testing.messages import a_label


@pytest.mark.parametrize(("most", "texts"), [(6, ["bbb", "cc"]), (5, ["bbb", "cc"]), (1, [])])
def test_of_long_texts_the_newest_are_tagged(most: int, texts: list[str]) -> None:
    labels = [a_label(text=text, entities=()) for text in ("aaaa", "bbb", "cc")]
    assert [one.text for one in short_enough(labels, most)] == texts
    assert short_enough([], most) == []
