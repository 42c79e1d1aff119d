"""Brackets that a writer puts around the very mentions that are asked for, taken out again. Pure.

`[Ada Lovelace] wrote the first program.` teaches a student to look for brackets.
"""

from __future__ import annotations

import re
from dataclasses import replace

from schemas.types import Entity, SilverLabel

_BRACKET = re.compile(r"[\[\]]")


def unmarked(label: SilverLabel) -> SilverLabel:
    """Take all square brackets out of a text in which one touches a mention from without.

    Other brackets are the text's own.
    """
    text = label.text
    if not any(
        text[: x.start].endswith("[") or text.startswith("]", x.end) for x in label.entities
    ):
        return label
    cut = [found.start() for found in _BRACKET.finditer(text)]
    bare = _BRACKET.sub("", text)

    def moved(at: int) -> int:
        return at - sum(place < at for place in cut)

    spans = [(moved(x.start), moved(x.end), x.label) for x in label.entities]
    entities = tuple(Entity(a, b, name, bare[a:b]) for a, b, name in spans if bare[a:b].strip())
    return replace(label, text=bare, entities=entities)
