"""Words with tags, as CoNLL and Hugging Face keep them, and texts with spans: both ways.

Tags are IOB1, IOB2, BIOES, BMES or BILOU; reading is lenient, as the schemes overlap.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from schemas.files.corpus.example import Example, Span

TAG = re.compile(r"O|[BIESLUM]-\S.*")

_WORD = re.compile(r"\w+|[^\w\s]")


def joined(words: Sequence[str], tags: Sequence[str]) -> tuple[str, tuple[Span, ...]]:
    """Join the words by single spaces; the text and its spans."""
    text = " ".join(words)
    return text, spans_in(text, words, tags)


def spans_in(text: str, words: Sequence[str], tags: Sequence[str]) -> tuple[Span, ...]:
    """Find the words in the text, one after another, and read the tags off them.

    `ValueError` when a word is not there, or more than white space lies between two.
    """
    places = _places(text, words)
    bounds = [*(i for i, tag in enumerate(tags) if _opens(tags, i) or tag == "O"), len(tags)]
    return tuple(
        Span(places[first][0], places[last - 1][1], tags[first][2:])
        for first, last in pairwise(bounds)
        if tags[first] != "O"
    )


def tagged_words(example: Example) -> list[tuple[str, str]]:
    """Cut an example into words with IOB2 tags; each entity begins and ends with a word."""
    edges = {edge for entity in example.entities for edge in (entity.start, entity.end)}
    found = []
    for start, end in _cut(example.text, edges):
        inside = next((e for e in example.entities if e.start <= start < e.end), None)
        tag = "O" if inside is None else f"{'B' if start == inside.start else 'I'}-{inside.label}"
        found.append((example.text[start:end], tag))
    return found


def _cut(text: str, edges: set[int]) -> list[tuple[int, int]]:
    """Words of the text, cut where an entity begins or ends."""
    found = []
    for match in _WORD.finditer(text):
        inner = sorted(edge for edge in edges if match.start() < edge < match.end())
        found += list(pairwise([match.start(), *inner, match.end()]))
    return found


def _places(text: str, words: Sequence[str]) -> list[tuple[int, int]]:
    places, position = [], 0
    for word in words:
        start = text.find(word, position)
        if start < 0 or text[position:start].strip():
            raise ValueError("the words are not those of the text beside them")
        position = start + len(word)
        places.append((start, position))
    return places


def _opens(tags: Sequence[str], index: int) -> bool:
    tag, before = tags[index], tags[index - 1] if index else "O"
    begins = tag[0] in "BSU" or before == "O" or before[0] in "ESLU"
    return tag != "O" and (begins or before[2:] != tag[2:])
