"""The names of questions to the teacher: answers are remembered and calls booked under them."""

from __future__ import annotations

import hashlib
from typing import Final

from schemas.types import text_digest

CHOSEN_AFTER: Final = ":"
"""Parts the name of a question from the digest of the examples that were chosen for it."""


def question_key(
    text: str,
    *,
    prompt_version: str,
    model: str,
    endpoint: str = "",
    apart: str = "",
    asked: str = "",
    chosen: str = "",
) -> str:
    """Name a question: its answer is remembered under this, and what it took is booked.

    `asked` is how it is asked (`schemas.types.AskedAs`), and `chosen` the digest of the examples
    that are shown for this text alone, if any are.
    `endpoint` is the place that is asked, see `schemas.masking.masked_place`; without one it is
    the name that versions gave it which remembered answers of all endpoints alike.
    """
    key = key_of_digest(
        text_digest(text),
        prompt_version=prompt_version,
        model=model,
        endpoint=endpoint,
        apart=apart,
        asked=asked,
    )
    return f"{key}{CHOSEN_AFTER}{chosen}" if chosen else key


def key_of_digest(
    digest: str,
    *,
    prompt_version: str,
    model: str,
    endpoint: str = "",
    apart: str = "",
    asked: str = "",
) -> str:
    """Name the question about the text with this digest, see `question_key`."""
    at = f"at {endpoint}" if endpoint else ""
    parts = [digest, prompt_version, model, *filter(None, [at, apart, asked])]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
