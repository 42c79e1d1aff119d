"""The one JSON object that is the answer, in whatever a model said around it.

Models think aloud first, put fences around JSON, greet, remark, say it twice, and end with
a token of their chat template. None of that matters: an object counts if it carries the code
of the text, wherever it stands. What a model thought is a draft, and the answer is what it
said afterwards; only where it said nothing afterwards are its thoughts the answer.
"""

from __future__ import annotations

import json
import re
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from schemas.errors import InvalidAnswerError
from stream.teacher.prompt_parts import CODE_DIGITS

_THOUGHT_END = re.compile(
    r"</\s?(?:\w{1,9}:)?(?:think|thinking|thoughts?|reasoning|reflection|analysis|scratchpad)\s?>"
    r"|\[/THINK\]"
    r"|\u25c1/think\u25b7"
    r"|<\|end_thinking\|>"
    r"|<\|end_of_thought\|>"
    # OpenAI's harmony format, also as it looks when a server dropped the special tokens.
    r"|<\|channel\|>\s?final\s?(?:<\|constrain\|>\s?\w{1,9}\s?)?<\|message\|>"
    r"|assistantfinal(?=\s?[{`])",
    re.IGNORECASE,
)
_NOTHING_SAID = re.compile(
    r"(?:\s|`{3}|<[|\uff5c][^<>|\uff5c]{1,40}[|\uff5c]>|</?\w{1,20}>|\[/?[A-Z]{1,9}\])*"
)
"""White space, the ends of fences, and tokens of chat templates."""

_ATTEMPT_COST = 64
_WORK_PER_CHARACTER = 32
_WORK_AT_LEAST = 10_000


@dataclass(frozen=True, slots=True)
class _Found:
    start: int
    end: int
    members: dict[str, Any]


def find_answer(said: str, code: str) -> dict[str, Any]:
    """Return the JSON object in `said` whose member `id` is `code`, or begins it.

    Of a code `CODE_DIGITS` are enough; small models copy on beyond those.
    Takes time linear in the length of `said`. Raises `InvalidAnswerError` when there is none,
    or when there are two that differ.
    """
    final = [x.members for x in _final(said, [code])]
    if not final:
        raise InvalidAnswerError(
            "the answer carries the code of another text, or none"
            if _is_json(said)
            else "the answer is not JSON, or carries the code of another text, or none"
        )
    if any(members | {"id": code} != final[0] | {"id": code} for members in final):
        raise InvalidAnswerError("the answer holds two different objects for one text")
    return final[0]


def find_parts(said: str, codes: Sequence[str]) -> list[list[tuple[dict[str, Any], int]]]:
    """Return, for each code, the JSON objects in `said` with it, and how long each is written.

    The codes differ in their first `CODE_DIGITS`. Takes time and raises as `find_answer`, but for
    codes of which there is no object, or more than one.
    """
    parts: list[list[tuple[dict[str, Any], int]]] = [[] for _ in codes]
    numbers = {code[:CODE_DIGITS]: number for number, code in enumerate(codes)}
    for one in _final(said, codes):
        number = numbers[one.members["id"][:CODE_DIGITS]]
        parts[number].append((one.members, one.end - one.start))
    return parts


def _final(said: str, codes: Sequence[str]) -> list[_Found]:
    """All objects with one of these codes that were not only thought of, left to right."""
    found = list(_objects_with(codes, said))
    start, end = _last_word(said, found)
    return [x for x in found if start <= x.start < end]


def _objects_with(codes: Sequence[str], said: str) -> Iterator[_Found]:
    """All objects with one of these codes, left to right; none inside another of them."""
    work = max(len(said) * _WORK_PER_CHARACTER, _WORK_AT_LEAST)
    place = said.find("{")
    while place >= 0:
        members, end, cost = _decoded(said, place)
        work -= cost
        if work < 0:
            raise InvalidAnswerError("too much in the answer begins as JSON would")
        if isinstance(members, dict) and any(_is_of(members.get("id"), code) for code in codes):
            yield _Found(place, end, members)
        else:
            end = place + 1
        place = said.find("{", end)


def _is_of(identity: Any, code: str) -> bool:
    is_code = isinstance(identity, str) and len(identity) >= CODE_DIGITS
    return is_code and code.startswith(identity)


def _decoded(said: str, place: int) -> tuple[Any, int, int]:
    """Read JSON at `place`: the value, if any, where it ends, and what the attempt cost."""
    longest = len(said) - place + _ATTEMPT_COST
    try:
        value, end = _DECODER.raw_decode(said, place)
    except json.JSONDecodeError as error:
        # The error counts lines up to its place; of an unterminated string it names the start.
        whole = error.msg.startswith("Unterminated")
        cost = longest if whole else error.pos - place + error.pos // 16 + _ATTEMPT_COST
        return None, place, cost
    except (ValueError, RecursionError):
        return None, place, longest
    return value, end, end - place + _ATTEMPT_COST


def _last_word(said: str, found: Sequence[_Found]) -> tuple[int, int]:
    """From where to where the answer stands: after the thoughts, if anything is said there."""
    end = len(said)
    for mark in reversed(list(_THOUGHT_END.finditer(said))):
        if _is_inside(mark.start(), found):
            continue  # A mention that reads so.
        if not _NOTHING_SAID.fullmatch(said, mark.end(), end):
            return mark.end(), end
        end = mark.start()
    return 0, end


def _is_inside(place: int, found: Sequence[_Found]) -> bool:
    before = bisect(found, place, key=lambda x: x.start)
    return before > 0 and place < found[before - 1].end


def _is_json(said: str) -> bool:
    return isinstance(_decoded(said.strip(), 0)[0], dict)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any] | None:
    """None for an object that names a member twice: which one is meant, nobody knows."""
    members = dict(pairs)
    return members if len(members) == len(pairs) else None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


# Not strict: a line break copied into a mention is not escaped by every model.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_once_each, parse_constant=_refuse_constant, strict=False
)
