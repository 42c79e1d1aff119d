"""The body of a chat-completions answer, read without trust.

Source: the OpenAI API reference, "The chat completion object".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from schemas.errors import TeacherUnavailableError

MAX_BODY_BYTES = 4 * 2**20
_MAX_TOKENS = 10**8
_MAX_MODEL_CHARS = 100


@dataclass(frozen=True, slots=True)
class Usage:
    """What the endpoint bills for one call."""

    tokens_in: int
    tokens_out: int


@dataclass(frozen=True, slots=True)
class Completion:
    """The parts that matter; None stands for what is missing or of a wrong type."""

    content: str | None
    refusal: str | None
    finish_reason: str | None
    model: str | None
    usage: Usage | None


def read_completion(body: bytes) -> Completion:
    """Read the first choice of a response body.

    Raises `TeacherUnavailableError` when this is no chat completion: a proxy's HTML page,
    say, or a body that broke off. The next attempt may do better.
    """
    if len(body) > MAX_BODY_BYTES:
        raise TeacherUnavailableError(f"the response has more than {MAX_BODY_BYTES} bytes")
    try:
        completion = json.loads(body)
        choice = completion["choices"][0]
        message = choice["message"]
        return Completion(
            content=_text(message.get("content")),
            refusal=_text(message.get("refusal")),
            finish_reason=_text(choice.get("finish_reason")),
            model=_model(completion.get("model")),
            usage=_usage(completion.get("usage")),
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise TeacherUnavailableError("the response is no chat completion") from None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _model(value: Any) -> str | None:
    """Keep a model's name only if it may stand in records and logs."""
    named = isinstance(value, str) and 0 < len(value) <= _MAX_MODEL_CHARS and value.isprintable()
    return value if named else None


def _usage(value: Any) -> Usage | None:
    if not isinstance(value, dict):
        return None
    tokens_in, tokens_out = _count(value, "prompt_tokens"), _count(value, "completion_tokens")
    return None if tokens_in is None or tokens_out is None else Usage(tokens_in, tokens_out)


def _count(usage: dict[str, Any], name: str) -> int | None:
    value = usage.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= _MAX_TOKENS else None
