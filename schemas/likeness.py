"""What texts have in common that are one text for all that anybody learns of them."""

from __future__ import annotations

import re

_DIGITS = re.compile(r"\d+")


def likeness(text: str) -> str:
    """Give what near-duplicates have in common: they differ in digits, case and spaces."""
    return " ".join(_DIGITS.sub("0", text.casefold()).split())
