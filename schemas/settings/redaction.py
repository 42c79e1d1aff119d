"""What of a text may leave for the teacher: which personal data is taken out, and who agreed."""

from __future__ import annotations

import hashlib
from typing import Annotated, Final, Literal, get_args

from pydantic import Field

from schemas.settings.section import Section

RedactionKind = Literal["email", "secret", "iban", "card", "id", "phone"]
"""`id`: national numbers of people; `secret`: keys, tokens, passwords. What is several is the first
of them: fewer numbers pass for an IBAN than for a phone's."""

REDACTION_KINDS: Final[tuple[RedactionKind, ...]] = get_args(RedactionKind)

COUNTRIES: Final = (
    *("us", "gb", "ie", "ca", "au", "de", "at", "ch", "fr", "be", "nl"),
    *("es", "pt", "it", "pl", "se", "no", "dk", "fi", "br", "in"),
)

CountryCode = Annotated[str, Field(pattern=r"^[a-z]{2}$")]


class RedactionSettings(Section):
    """Personal data, found by patterns and check digits, is replaced before a text leaves.

    With `enabled` nothing is asked where the library is missing or fails. Names and addresses are
    no patterns: they are not found.
    """

    enabled: bool = False
    kinds: tuple[RedactionKind, ...] = REDACTION_KINDS
    countries: tuple[CountryCode, ...] = COUNTRIES
    """ISO 3166 codes: whose national numbers are found, and phone numbers without a country's."""

    @property
    def digest(self) -> str:
        """Name what is taken out, 16 hex digits; "" where nothing is."""
        said = self.model_dump_json().encode()
        return hashlib.sha256(said).hexdigest()[:16] if self.enabled else ""
