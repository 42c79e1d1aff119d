"""From what an LLM wrote to what it says of the text, or to a reason why not.

An answer counts whole or not at all: a label set with a hole teaches the
student that the missing entity is none. What is unmistakable is repaired (words
around the JSON, letter case, quotation marks, a wrong occurrence of a surface that stands
in one place only, a mention nested in another); the rest raises `InvalidAnswerError`,
whose message never quotes text. What the JSON says reads its kind, see `stream.teacher.kinds`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from schemas.errors import InvalidAnswerError, RefusedError
from stream.teacher.extraction import find_answer
from stream.teacher.kinds.said import Said
from stream.teacher.prompt_parts import text_code

MAX_CONTENT_CHARS = 100_000


class Reads(Protocol):
    """What reads an answer's members; see `stream.teacher.kinds.kind.TeacherKind.read`."""

    def read(self, members: Mapping[str, Any], *, text: str, labels: Sequence[str]) -> Said:
        """Read them; raises `InvalidAnswerError` for what is no answer."""
        ...


def parse_answer(
    content: str | None,
    *,
    finish_reason: str | None,
    text: str,
    labels: Sequence[str],
    kind: Reads,
) -> Said:
    """Read what the answer says of `text`: sorted, of known labels.

    `finish_reason` is the API's word for why the model stopped. Raises `RefusedError`
    when a content filter stopped it and `InvalidAnswerError` for an answer that is cut off, no
    JSON of the asked form, about another text, or names what is not in the text.
    """
    members = answer_members(content, finish_reason=finish_reason, text=text)
    return kind.read(members, text=text, labels=labels)


def answer_members(content: str | None, *, finish_reason: str | None, text: str) -> dict[str, Any]:
    """Find the JSON object that answers about `text`; raises as `parse_answer`."""
    return find_answer(checked_content(content, finish_reason=finish_reason), text_code(text))


def sound_unicode(members: dict[str, Any]) -> dict[str, Any]:
    """Give the members; `InvalidAnswerError` for half a character, as of an emoji cut in two."""
    try:
        json.dumps(members, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise InvalidAnswerError("the answer holds half a character") from None
    return members


def checked_content(content: str | None, *, finish_reason: str | None) -> str:
    """Give what was said; raises as `parse_answer` where it is not whole, nothing, or too much."""
    _check_finished(finish_reason)
    return _content(content)


def _check_finished(finish_reason: str | None) -> None:
    if finish_reason == "content_filter":
        raise RefusedError("a content filter stopped the answer")
    if finish_reason == "length":
        raise InvalidAnswerError("the answer is cut off at its token limit")


def _content(content: str | None) -> str:
    if not isinstance(content, str):
        raise InvalidAnswerError("the answer has no content")
    if len(content) > MAX_CONTENT_CHARS:
        raise InvalidAnswerError(f"the answer has more than {MAX_CONTENT_CHARS} characters")
    return content
