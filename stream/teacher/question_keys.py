"""The names of questions: what an answer is remembered under, and what it took is booked under."""

from __future__ import annotations

import hashlib

from schemas.types import text_digest
from stream.teacher.spending import CHOSEN_AFTER


def question_key(
    text: str,
    *,
    prompt_version: str,
    model: str,
    apart: str = "",
    asked: str = "",
    chosen: str = "",
) -> str:
    """Name a question: its answer is remembered under this, and what it took is booked.

    `asked` is how it is asked (`schemas.types.AskedAs`), and `chosen` the digest of the examples
    that are shown for this text alone, if any are.
    """
    key = key_of_digest(
        text_digest(text), prompt_version=prompt_version, model=model, apart=apart, asked=asked
    )
    return f"{key}{CHOSEN_AFTER}{chosen}" if chosen else key


def key_of_digest(
    digest: str, *, prompt_version: str, model: str, apart: str = "", asked: str = ""
) -> str:
    """Name the question about the text with this digest, see `question_key`."""
    parts = [digest, prompt_version, model, *filter(None, [apart, asked])]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
