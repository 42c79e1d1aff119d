"""The body of a chat-completions answer, read without trust.

Servers put the answer in different places: in `content`, as a string or in parts, in the
arguments of a tool call that they made of our schema, or, with nothing in `content`, in the
field for the model's reasoning. Some put an error into a body with status 200.

Source: the OpenAI API reference, "The chat completion object"; vLLM, Ollama, OpenRouter and
Mistral where they differ.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from schemas.errors import TeacherUnavailableError

MAX_BODY_BYTES = 4 * 2**20
CONTENT_FILTER: Final = "content_filter"
_MAX_TOKENS = 10**8
_MAX_NAME_CHARS = 100
_STATUS = re.compile("[45][0-9]{2}")
_MAX_CODE_CHARS = 100


@dataclass(frozen=True, slots=True)
class Usage:
    """What the endpoint bills for one call; `reasoning` are those of `tokens_out` in thoughts."""

    tokens_in: int
    tokens_out: int
    reasoning: int = 0


@dataclass(frozen=True, slots=True)
class Completion:
    """The parts that matter; None stands for what is missing or of a wrong type."""

    content: str | None
    """What was said, wherever it stands."""
    refusal: str | None
    finish_reason: str | None
    model: str | None
    usage: Usage | None
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A body without an answer. `status` is the HTTP status that its error names, if it has one."""

    status: int | None
    error: dict[str, Any]
    """As OpenAI's error object: `message`, `code` and `type`, of any type or missing."""
    usage: Usage | None
    """What was used all the same."""


def read_completion(body: bytes) -> Completion | Failure:
    """Read the first choice of a response body.

    Raises `TeacherUnavailableError` when this is no JSON object: a proxy's HTML page,
    say, or a body that broke off. The next attempt may do better.
    """
    if len(body) > MAX_BODY_BYTES:
        raise TeacherUnavailableError(f"the response has more than {MAX_BODY_BYTES} bytes")
    try:
        completion = json.loads(body)
    except (ValueError, RecursionError):
        completion = None
    if not isinstance(completion, dict):
        raise TeacherUnavailableError("the response is no chat completion")
    choice = _choice(completion)
    message = _message(choice)
    error = _error(completion, choice)
    if error is not None or message is None:
        return _failure(error or {}, _usage(completion.get("usage")))
    return Completion(
        content=_said(message),
        refusal=_refusal(message),
        finish_reason=_text(choice.get("finish_reason")),
        model=_name(completion.get("model")),
        usage=_usage(completion.get("usage")),
        fingerprint=_name(completion.get("system_fingerprint")),
    )


def _choice(completion: dict[str, Any]) -> dict[str, Any]:
    choices = completion.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def _message(choice: dict[str, Any]) -> dict[str, Any] | None:
    message = choice.get("message")
    if isinstance(message, dict):
        return message
    # What a filter stopped may have no message at all.
    return {} if choice.get("finish_reason") == CONTENT_FILTER else None


def _error(completion: dict[str, Any], choice: dict[str, Any]) -> dict[str, Any] | None:
    error = completion.get("error") or choice.get("error")
    if isinstance(error, dict):
        return error
    if error:
        return {"message": error, "code": error}
    is_error = completion.get("object") == "error" or not choice
    return completion if is_error else None


def _failure(error: dict[str, Any], usage: Usage | None) -> Failure:
    used = usage if usage and usage.tokens_in + usage.tokens_out > 0 else None
    told: dict[str, Any] = {
        name: error[name] for name in ("message", "code", "type") if name in error
    }
    status = _numbered(error)
    word = _word(error)
    if word in _FILTERS:
        return Failure(400, {**told, "code": CONTENT_FILTER}, used)
    return Failure(status or (_WORDS[word] if word else None), told, used)


def _numbered(error: dict[str, Any]) -> int | None:
    for name in ("code", "status", "status_code", "type"):
        value = error.get(name)
        if isinstance(value, int | str) and _STATUS.fullmatch(str(value).strip()):
            return int(value)
    return None


def _word(error: dict[str, Any]) -> str | None:
    """Find the word of our list that the error's code, or else its type, holds."""
    for name in ("code", "status", "type"):
        value = error.get(name)
        code = value[:_MAX_CODE_CHARS].strip().lower() if isinstance(value, str) else ""
        told = re.sub(r"[\s-]+", "_", code)
        if word := next((word for word in _WORDS if word in told), None):
            return word
    return None


_FILTERS: Final = (CONTENT_FILTER, "content_policy", "moderation")
_WORDS: Final[dict[str, int]] = {
    **dict.fromkeys(_FILTERS, 400),
    "insufficient_quota": 429,
    "payment": 402,
    "rate_limit": 429,
    "too_many": 429,
    "exhausted": 429,
    "throttl": 429,
    "auth": 401,
    "api_key": 401,
    "permission": 403,
    "forbidden": 403,
    "not_found": 404,
    "timeout": 504,
    "timed_out": 504,
    "deadline": 504,
    "overload": 503,
    "unavailable": 503,
    "context_length": 400,
    "invalid": 400,
    "bad_request": 400,
    "unsupported": 400,
    "server_error": 500,
    "internal": 500,
}
"""Parts of the codes that providers use, and the HTTP status of each; the first one counts."""


def _said(message: dict[str, Any]) -> str | None:
    content = _content(message.get("content"))
    answers = [x for x in (content, *_arguments(message)) if x and x.strip()]
    if answers:
        return "\n".join(answers)
    reasoning = (_content(message.get(name)) for name in ("reasoning_content", "reasoning"))
    return next((x for x in reasoning if x and x.strip()), content)


def _content(value: Any) -> str | None:
    """Join the parts that are text: thoughts and refusals are parts of other types."""
    if isinstance(value, dict):
        return json.dumps(value)
    if not isinstance(value, list):
        return _text(value)
    parts = [_part(x) for x in value]
    texts = [x for x in parts if x is not None]
    return "".join(texts) if texts else None


def _part(part: Any) -> str | None:
    if not isinstance(part, dict):
        return _text(part)
    return _text(part.get("text")) if part.get("type") in _TEXT_PARTS else None


_TEXT_PARTS: Final = ("text", "output_text", None)


def _arguments(message: dict[str, Any]) -> Iterator[str | None]:
    calls = message.get("tool_calls")
    functions = [x.get("function") for x in _dicts(calls if isinstance(calls, list) else [])]
    for function in _dicts([*functions, message.get("function_call")]):
        yield _content(function.get("arguments"))


def _dicts(values: list[Any]) -> Iterator[dict[str, Any]]:
    return (x for x in values if isinstance(x, dict))


def _refusal(message: dict[str, Any]) -> str | None:
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    told = [message.get("refusal"), *(x.get("refusal") for x in _dicts(parts))]
    return next((x for x in told if isinstance(x, str) and x.strip()), None)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _name(value: Any) -> str | None:
    """Keep a name of a model or a system only if it may stand in records and logs."""
    named = isinstance(value, str) and 0 < len(value) <= _MAX_NAME_CHARS and value.isprintable()
    return value if named else None


def _usage(value: Any) -> Usage | None:
    if not isinstance(value, dict):
        return None
    tokens_in, tokens_out = _count(value, "prompt_tokens"), _count(value, "completion_tokens")
    if tokens_in is None or tokens_out is None:
        return None
    details = value.get("completion_tokens_details")
    thoughts = (_count(details, "reasoning_tokens") if isinstance(details, dict) else None) or 0
    # Some servers (xAI's, Gemini's) leave thoughts out of the completion, but bill them in all.
    in_all = (_count(value, "total_tokens") or 0) - tokens_in
    return Usage(tokens_in, max(tokens_out, in_all, thoughts), thoughts)


def _count(usage: dict[str, Any], name: str) -> int | None:
    value = usage.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= _MAX_TOKENS else None
