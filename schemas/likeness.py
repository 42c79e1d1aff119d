"""What texts have in common that are one text for all that anybody learns of them."""

from __future__ import annotations

import hashlib
import re

_DIGITS = re.compile(r"\d+")


def likeness(text: str) -> str:
    """Give what near-duplicates have in common: they differ in digits, case and spaces."""
    return " ".join(_DIGITS.sub("0", text.casefold()).split())


def in_judging_half(text: str) -> bool:
    """Whether the text is of the half that judges first, by the hash of its likeness alone."""
    digest = hashlib.sha256(f"fold:{likeness(text)}".encode()).digest()
    return int.from_bytes(digest[:8]) < 2**63
