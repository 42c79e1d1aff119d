"""The chat that asks about several texts, made of those that ask about each alone; and its answers.

Each text stands between its own two lines, after its number, and the answer about it carries its
number and its code: an answer that carries those of two texts is of neither.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from schemas.errors import AnswerError, InvalidAnswerError
from stream.teacher.answers import MAX_CONTENT_CHARS, checked_content
from stream.teacher.extraction import find_parts
from stream.teacher.occurrences import read_number
from stream.teacher.prompt import Message
from stream.teacher.prompt_parts import closed_object, extract_text
from stream.teacher.unsure.marks import extract_marks

SEVERAL = """\
Here a user message holds several texts. Before each stands its number, and each has a CODE of \
its own. Answer about each as if it stood alone. The answer is one JSON object: "answers" lists, \
in the order of the texts, for each text one object as it is described above, which has the text's \
number as "number" after its "id"."""

_HEAD = re.compile(r"Text (\d+):\n")
_TOLD = re.compile(
    r"<text ([0-9a-f]{16})>\n.*?\n</text \1>(?:\n<marks \1>\n.*?\n</marks \1>)?", re.DOTALL
)
_BETWEEN = "\n\n"


def joined_chat(chats: Sequence[Sequence[Message]]) -> list[Message]:
    """Join chats of one system message: the examples of all, each once, and then the texts.

    The texts are the last messages of the chats, in their order.
    """
    system = chats[0][0]["content"]
    joined = [{"role": "system", "content": f"{system}{_BETWEEN}{SEVERAL}"}]
    shots = {shot[0]: shot[1] for chat in chats for shot in _shots(chat)}
    if shots:
        joined.append({"role": "user", "content": numbered(shots)})
        joined.append({"role": "assistant", "content": joined_answers(shots.values())})
    return [*joined, {"role": "user", "content": numbered(chat[-1]["content"] for chat in chats)}]


def joined_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Build the schema of the answer about several texts from that about one."""
    of_one = dict(schema["properties"])
    part = {"id": of_one.pop("id"), "number": {"type": "integer"}, **of_one}
    return closed_object({"answers": {"type": "array", "items": closed_object(part)}})


def numbered(told: Iterable[str]) -> str:
    """Put what is told of each text after its number, from 1."""
    return _BETWEEN.join(f"Text {number}:\n{one}" for number, one in enumerate(told, start=1))


def told_of_each(content: str) -> list[str] | None:
    """Return what `numbered` put together; None for anything else."""
    found, place = list[str](), 0
    while head := _HEAD.match(content, place):
        fence = _TOLD.match(content, head.end())
        if fence is None or int(head[1]) != len(found) + 1:
            return None
        found.append(fence[0])
        place = fence.end()
        if place == len(content):
            return found
        if not content.startswith(_BETWEEN, place):
            return None
        place += len(_BETWEEN)
    return None


def fenced_texts(content: str) -> list[str] | None:
    """Return the texts that a message tells, one or several; None for a message of other words."""
    told = told_of_each(content) or [content]
    marks = map(extract_marks, told)
    texts = [
        found[0] if found else extract_text([{"content": one}])
        for one, found in zip(told, marks, strict=True)
    ]
    return None if None in texts else [text for text in texts if text is not None]


def joined_answers(answers: Iterable[str | None]) -> str:
    """Write the answer about several texts from those about each, as far as there are any."""
    listed = [
        {"id": part.pop("id"), "number": number, **part}
        for number, answer in enumerate(answers, start=1)
        if answer is not None and (part := json.loads(answer))
    ]
    return json.dumps({"answers": listed}, ensure_ascii=False)


Part = tuple[dict[str, Any], int]
"""The members of an answer about one text, and how many characters were written for it."""


def read_parts(
    content: str | None, *, finish_reason: str | None, codes: Sequence[str]
) -> list[Part | AnswerError]:
    """Find the answer about each text, by the codes of the texts, or say why there is none.

    Of an answer that is cut off those parts count that are whole, if it is nothing but JSON. Raises
    `RefusedError` and `InvalidAnswerError` where nothing can be found for any text.
    """
    cut = finish_reason == "length" and (content or "").lstrip().startswith("{")
    said = checked_content(content, finish_reason=None if cut else finish_reason)
    return [
        _part(parts, number, cut=cut)
        for number, parts in enumerate(find_parts(said, codes), start=1)
    ]


def sizes_of_parts(content: str | None, codes: Sequence[str]) -> list[int]:
    """Count the characters that were said of each text; 0 where nothing was, or too much in all."""
    if content is None or len(content) > MAX_CONTENT_CHARS:
        return [0] * len(codes)
    try:
        return [sum(size for _, size in parts) for parts in find_parts(content, codes)]
    except InvalidAnswerError:
        return [0] * len(codes)


def _part(parts: Sequence[Part], number: int, *, cut: bool) -> Part | AnswerError:
    if not parts:
        why = "is cut off before" if cut else "has nothing about"
        return InvalidAnswerError(f"the answer about several texts {why} text {number}")
    first = parts[0]
    if any(members | {"id": ""} != first[0] | {"id": ""} for members, _ in parts):
        return InvalidAnswerError(f"the answer about several texts has text {number} twice")
    if read_number(first[0].get("number")) not in (None, number):
        return InvalidAnswerError(f"what carries the code of text {number} has another's number")
    return first


def _shots(chat: Sequence[Message]) -> list[tuple[str, str]]:
    turns = [message["content"] for message in chat[1:-1]]
    return list(zip(turns[::2], turns[1::2], strict=True))
