"""Whether what was said quotes a text: the whole of it, and not letters of it in other words."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import Any


def quotes_one(said: str, texts: Collection[str]) -> bool:
    """Whether an answer has one of the texts in it, with no letter or digit at either end of it.

    JSON is looked into as well: there a text may be spelt with escapes.
    """
    parts = [said, *_strings(said)]
    return any(_is_in(text, part) for text in texts if text for part in parts)


def _is_in(text: str, part: str) -> bool:
    if text not in part:
        return False
    return re.search(rf"(?<!\w){re.escape(text)}(?!\w)", part) is not None


def _strings(said: str) -> Iterator[str]:
    """Yield the strings of the JSON that an answer is or has around it."""
    first, last = said.find("{"), said.rfind("}")
    try:
        yield from _inner(json.loads(said[first : last + 1]))
    except (ValueError, RecursionError):
        return


def _inner(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _inner(one)
    elif isinstance(value, list):
        for one in value:
            yield from _inner(one)
