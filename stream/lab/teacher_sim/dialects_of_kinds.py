"""How models say an answer of one kind in other JSON than they were asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import groupby
from typing import Any

from stream.lab.teacher_sim.dialect import Dialect, content

# Repeated names, counted in other ways.

_Item = dict[str, Any]


def _counted(
    name: str, about: str, count: Callable[[list[_Item]], list[_Item]], **options: Any
) -> Dialect:
    """`count` gets the mentions of one surface at a time, in the order of their numbers."""

    def say(answer: str, _text: str) -> str:
        told = json.loads(answer)
        order = sorted(told["entities"], key=lambda x: (x["text"], x["occurrence"]))
        groups = [list(group) for _, group in groupby(order, key=lambda x: x["text"])]
        told["entities"] = [item for group in groups for item in count(group)]
        return json.dumps(told, ensure_ascii=False)

    return content(name, about, say, kind="entities", **options)


def _numbered(item: _Item, number: Any) -> _Item:
    return {**item, "occurrence": number}


def _is_run(group: list[_Item]) -> bool:
    """Whether all are of one label and numbered from 1 on without a gap."""
    numbers = [x["occurrence"] for x in group]
    return len({x["label"] for x in group}) == 1 and numbers == [*range(1, len(group) + 1)]


def _all_first(group: list[_Item]) -> list[_Item]:
    return [_numbered(x, 1) for x in group] if _is_run(group) else group


def _without_number(group: list[_Item]) -> list[_Item]:
    bare = [{k: x[k] for k in ("text", "label")} for x in group]
    return bare if _is_run(group) and len(group) > 1 else group


def _from_zero(group: list[_Item]) -> list[_Item]:
    if group[0]["occurrence"] != 1:
        return group  # Without a zero, nobody could see that it counts from there.
    return [_numbered(x, x["occurrence"] - 1) for x in group]


def _as_strings(group: list[_Item]) -> list[_Item]:
    return [_numbered(x, str(x["occurrence"])) for x in group]


def _once_too_often(group: list[_Item]) -> list[_Item]:
    return [*group, group[0]]


COUNTED = (
    _counted("all-first", "Repeated mentions all say occurrence 1.", _all_first),
    _counted("no-occurrence", "Repeated mentions have no occurrence.", _without_number),
    _counted("from-zero", "Occurrences are counted from 0.", _from_zero),
    _counted("string-numbers", "Occurrences are strings.", _as_strings),
    _counted(
        "once-too-often",
        "Each name is listed once more than it stands.",
        _once_too_often,
        outcome="invalid",
    ),
)


# Categories, named in other ways.


def _named(
    name: str, about: str, members: Callable[[list[str]], dict[str, Any]], **options: Any
) -> Dialect:
    """`members` makes the answer's members out of the labels."""

    def say(answer: str, _text: str) -> str:
        told = json.loads(answer)
        (chosen,) = (value for member, value in told.items() if member != "id")
        labels = [chosen] if isinstance(chosen, str) else chosen
        return json.dumps({"id": told["id"], **members(labels)}, ensure_ascii=False)

    return content(name, about, say, kind="categories", **options)


NAMED = (
    _named("labels-key", "Categories under `labels`.", lambda x: {"labels": x}),
    _named("capitals", "Categories in capitals.", lambda x: {"categories": [*map(str.upper, x)]}),
    _named("each-twice", "Each category is listed twice.", lambda x: {"categories": [*x, *x]}),
    _named(
        "both-keys",
        "Categories under two names that say the same.",
        lambda x: {"categories": x, "labels": x},
    ),
    _named(
        "one-category-more",
        "A category more, which no task knows.",
        lambda x: {"categories": [*x, "none of these"]},
        outcome="invalid",
    ),
    _named(
        "category-told-apart",
        "Categories under two names that differ.",
        lambda x: {"categories": x, "labels": x[1:] if x else ["none of these"]},
        outcome="invalid",
    ),
)
