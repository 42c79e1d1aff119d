"""The two kinds of lines in a batch's files, requests and results, written and read. Pure.

Source: the OpenAI API reference, "The request input object" and "The request output object" of
batches; Azure, Groq and LiteLLM where they differ.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_NAME_CHARS: Final = 32
_MAX_WORDS_CHARS: Final = 200
NOT_DONE: Final = frozenset({"batch_expired", "batch_cancelled"})
"""The codes of lines that nobody worked on."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a line: a response, or an error in its place. Nothing in it is trusted."""

    name: str
    status: int | None
    """The HTTP status of the response; None where there is none."""
    body: bytes
    """The response's, as JSON."""
    code: str
    words: str
    """What the error says, where there is one."""


def line_name(question: str) -> str:
    """Name the line that asks a question, by the question's key."""
    return hashlib.sha256(question.encode()).hexdigest()[:_NAME_CHARS]


def request_line(name: str, body: Mapping[str, Any], *, url: str) -> bytes:
    """Write the line that asks for one completion."""
    line = {"custom_id": name, "method": "POST", "url": url, "body": body}
    return json.dumps(line, ensure_ascii=False).encode() + b"\n"


def read_result(line: bytes) -> Result | None:
    """Read a line of an output or an error file; None for what is none."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    name = found.get("custom_id") if isinstance(found, dict) else None
    if not isinstance(name, str):
        return None
    response, error = _object(found.get("response")), _object(found.get("error"))
    status = response.get("status_code")
    is_status = isinstance(status, int) and not isinstance(status, bool)
    return Result(
        name,
        status if is_status else None,
        json.dumps(response.get("body")).encode(),
        _words(error.get("code")),
        _words(error.get("message")),
    )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _words(value: Any) -> str:
    """Keep what may stand in messages and logs."""
    said = value if isinstance(value, str) else ""
    return "".join(x for x in said[:_MAX_WORDS_CHARS] if x.isprintable())
