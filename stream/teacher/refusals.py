"""What a server says when it takes no request: read, without secrets, and whom it is about.

Every server words it in its own way, so codes count before words, and words count only where
no code says enough. The text under label is taken out first: it may say anything.

Source: the error bodies of OpenAI, Azure, Gemini, Mistral, OpenRouter, vLLM, llama.cpp and
FastAPI, as their documents and bug reports show them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

MAX_WORDS_CHARS = 200
_MAX_READ_CHARS = 4000
_KEY_RUN = 8
_SHOWN_RUN = 12
_SAID_RUN = 24
"""So many characters in a row as in a key, or in the text, are its and not chance. What people see
hides more of the text than what is searched for words: a long text has words of a server's too."""
_LEAST_SECRET = 3
_MASK = "…"
_KEY_LIKE = re.compile(r"\b(?:sk|pk|gsk|key)-[\w*.-]{4,}|\S*\*{3,}\S*")

About = Literal["us", "text", "filter", "unclear"]

_FILTERS = frozenset({
    "content_filter", "content_policy_violation", "data_inspection_failed", "moderation",
    "responsibleaipolicyviolation",
})  # fmt: skip
_FILTER_WORDS = re.compile(r"content (management|filter|policy)|was flagged|requires moderation")
_TOO_LONG = frozenset({
    "context_length_exceeded", "string_above_max_length", "request_too_large",
    "exceed_context_size_error", "json_validate_failed",
})  # fmt: skip
_NEVER_FITS_WORDS = re.compile(
    r"context (length|limit|window|size)|request too large|must be reduced|"
    r"maximum (sequence|input) length"
)
_TOO_LONG_WORDS = re.compile(rf"{_NEVER_FITS_WORDS.pattern}|too long|too many tokens")
_ACCOUNT = frozenset({
    "insufficient_quota", "billing_hard_limit_reached", "billing_not_active",
    "insufficient_balance", "account_deactivated", "access_terminated", "invalid_api_key",
    "authentication_error",
    "permission_denied", "permission_error", "model_not_found", "unsupported_parameter",
    "unsupported_value",
})  # fmt: skip
_OUT_OF_MONEY = re.compile(
    r"insufficient[_ ](quota|balance|credit|funds)|credit balance|"
    r"billing[_ ](hard[_ ]limit|not[_ ]active)"
)
_ACCOUNT_WORDS = re.compile(
    r"api[ _-]?key|unauthori[sz]ed|authenticat|credential|permission|"
    r"model.{0,80}(not (found|exist|available|supported)|no longer|unknown|decommissioned)|"
    r"(unknown|invalid|no such|unsupported) model|api[ -]version"
)
_TOO_MANY = 429
_TOO_LARGE = 413
_MAY_BE_THE_TEXT = frozenset({400, 422})


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error answer. `codes` are its machine words, `param` the parameter that it names.

    `said` is what it says in lower case, to look for words in; `words` the same for people, of
    at most 200 characters. Neither holds the text or a secret.
    """

    status: int
    codes: frozenset[str] = frozenset()
    param: str = ""
    said: str = ""
    words: str = ""

    def __str__(self) -> str:
        """Give status and words for a message."""
        return f"{self.status} ({self.words})" if self.words else str(self.status)


def read_refusal(
    status: int, body: bytes, *, secrets: Sequence[str] = (), text: str = ""
) -> Refusal:
    """Read an error's body, whatever its form; keys and the text under label are masked in it."""
    found = _Found(*_parts(_decoded(body)))
    message = without_secrets(found.message[:_MAX_READ_CHARS], secrets)
    # White space is one blank by now.
    escaped = " ".join(_escaped(text).split())
    text = " ".join(text.split())
    said = _masked(_masked(message, escaped, run=_SAID_RUN), text, run=_SAID_RUN)
    words = _masked(_masked(message, escaped, run=_SHOWN_RUN), text, run=_SHOWN_RUN)
    return Refusal(
        status=status,
        codes=frozenset(code.lower() for code in found.codes),
        param=found.param.lower(),
        said=said.lower(),
        words=words if len(words) <= MAX_WORDS_CHARS else words[: MAX_WORDS_CHARS - 1] + _MASK,
    )


def about(refusal: Refusal) -> About:
    """Tell whether a request was refused for its text, for a filter's sake, or for ours.

    Ours is the request's form, the key, the account, the model, the address. `unclear` is a 400
    or 422 that does not say: only a series of them shows that it is not the text.
    """
    if _says(refusal, _FILTERS, _FILTER_WORDS):
        return "filter"
    if refusal.status == _TOO_LARGE or _says(refusal, _TOO_LONG, _TOO_LONG_WORDS):
        return "text"
    if refusal.status not in _MAY_BE_THE_TEXT:
        return "us"
    if _says(refusal, _ACCOUNT, _ACCOUNT_WORDS) or _OUT_OF_MONEY.search(refusal.said):
        return "us"
    return "unclear"


def out_of_money(refusal: Refusal) -> bool:
    """Whether a 429 will not pass by waiting: the account has no quota or balance left.

    "You exceeded your current quota, please check your plan and billing details" has no such
    word: Gemini says it of its limits per minute.
    """
    return refusal.status == _TOO_MANY and _says(refusal, _ACCOUNT, _OUT_OF_MONEY)


def never_fits(refusal: Refusal) -> bool:
    """Whether a 429 will not pass by waiting: this text alone is more than a minute's tokens.

    "Too many tokens, please wait" is no such word: Bedrock says it of its limits per minute.
    """
    too_much = refusal.status == _TOO_MANY and _says(refusal, _TOO_LONG, _NEVER_FITS_WORDS)
    return too_much and not out_of_money(refusal)


def without_secrets(message: str, secrets: Iterable[str]) -> str:
    """Return the message printable, in one line, and with nothing of the secrets in it."""
    for secret in secrets:
        message = _masked(message, secret, run=_KEY_RUN)
        message = _masked(message, _escaped(secret), run=_KEY_RUN)
    printable = "".join(x if x.isprintable() else " " for x in _KEY_LIKE.sub(_MASK, message))
    return " ".join(printable.split())


def _says(refusal: Refusal, codes: frozenset[str], words: re.Pattern[str]) -> bool:
    return bool(refusal.codes & codes) or words.search(refusal.said) is not None


def _escaped(secret: str) -> str:
    """Return it as JSON writes it: a body in a body, as a provider's behind a router, has that."""
    return json.dumps(secret)[1:-1]


def _masked(message: str, secret: str, *, run: int) -> str:
    """Mask what is of the secret for `run` characters or more; a shorter secret as a whole."""
    size = min(run, len(secret))
    if len(secret.strip()) < _LEAST_SECRET:
        return message
    runs = {secret[i : i + size] for i in range(len(secret) - size + 1)}
    hidden = [False] * len(message)
    for at in range(len(message) - size + 1):
        if message[at : at + size] in runs:
            hidden[at : at + size] = [True] * size
    return "".join(_shown(message, hidden))


def _shown(message: str, hidden: Sequence[bool]) -> Iterator[str]:
    for at, character in enumerate(message):
        if not hidden[at]:
            yield character
        elif at == 0 or not hidden[at - 1]:
            yield _MASK


@dataclass(frozen=True, slots=True)
class _Found:
    message: str
    codes: tuple[str, ...]
    param: str


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        # What was to be JSON and is not may quote anything, in any escapes.
        if body.lstrip().startswith((b"{", b"[")):
            return ""
        page = body[: 4 * _MAX_READ_CHARS].decode(errors="replace")
        return re.sub(r"<[^>]*>", " ", page)


def _parts(value: Any) -> tuple[str, tuple[str, ...], str]:
    """Find message, codes and parameter."""
    if isinstance(value, list):
        value = value[0] if value else ""
    if not isinstance(value, dict):
        return str(value), (), ""
    inner = value.get("error")
    error = inner if isinstance(inner, dict) else value
    places, details = _details(error.get("detail"))
    messages = [error.get("message"), inner, error.get("detail"), details, _raw(error)]
    codes = tuple(str(error[x]) for x in ("code", "type", "status") if x in error)
    param = error.get("param")
    message = " ".join(x for x in messages if isinstance(x, str))
    return message, codes, param if isinstance(param, str) else places


def _details(detail: Any) -> tuple[str, str]:
    """Read FastAPI's list: where and what; not the `input`, which is ours."""
    items = [x for x in detail if isinstance(x, dict)] if isinstance(detail, list) else []
    places = [".".join(str(y) for y in x["loc"]) for x in items if isinstance(x.get("loc"), list)]
    said = [f"{x.get('msg')}" for x in items]
    return " ".join(places), " ".join([*places, *said])


def _raw(error: dict[str, Any]) -> Any:
    """Return what OpenRouter repeats of the provider behind it."""
    metadata = error.get("metadata")
    return metadata.get("raw") if isinstance(metadata, dict) else None
