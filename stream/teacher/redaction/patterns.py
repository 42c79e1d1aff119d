"""What is found by its form alone: e-mail addresses, keys, tokens and passwords.

Every expression takes time linear in the text: repetitions are bounded, or of characters that end
them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from schemas.settings.redaction import RedactionKind

Found = tuple[int, int, RedactionKind]
"""Start and end of something personal, in code points, and what it is."""

_LOCAL = r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}"
_AT = r"(?:@|\s?[\[(]\s?(?:at|AT|@)\s?[\])]\s?)"
_DOT = r"(?:\.|\s?[\[(]\s?(?:dot|DOT|\.)\s?[\])]\s?)"
_DOMAIN = rf"(?:[\w-]{{1,63}}(?:{_DOT}[\w-]{{1,63}}){{1,8}}|\[[\d.:a-fA-F]{{3,45}}\])"
_EMAIL: Final = re.compile(rf"{_LOCAL}{_AT}{_DOMAIN}")

_SECRETS: Final = re.compile(
    r"""
    -----BEGIN[ ][A-Z ]{0,30}PRIVATE[ ]KEY-----[^-]{0,20000}(?:-----END[ ][A-Z ]{0,30}KEY-----)?
    |\b(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16,64}\b                                    # AWS
    |\b(?:gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_\w{20,255}|glpat-[\w-]{16,255})
    |\b(?:sk|pk|rk|gsk|key)[-_][A-Za-z0-9_-]{16,255}      # OpenAI, Anthropic, Stripe, Groq
    |\bxox[abeprs]-[A-Za-z0-9-]{10,255}                                           # Slack
    |\bAIza[0-9A-Za-z_-]{30,60}                                                   # Google
    |\b(?:hf|npm|pypi|dop_v1|shpat|whsec)[-_][A-Za-z0-9_-]{16,255}
    |\bSG\.[\w-]{16,64}\.[\w-]{16,64}                                            # SendGrid
    |\beyJ[\w-]{8,4000}\.[\w-]{8,8000}(?:\.[\w-]{0,2000})?                        # a JWT
    |\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:@]{0,100}:(?P<userinfo>[^\s/@]{1,200})@
    |\b(?=[A-Za-z_]{0,60}\d)(?=\d{0,60}[A-Za-z_])[A-Za-z0-9_]{32,512}\b
    """,
    re.VERBOSE,
)
_ASSIGNED: Final = re.compile(
    r"""
    (?<![A-Za-z])
    (?:pass(?:word|wd|phrase|code)?|pwd|secret|token|bearer|pin|cvv|cvc
      |(?:api|access|private|client|secret|auth)[ _-]?(?:key|token|secret))
    ["']?\s{0,3}
    (?:(?:[:=]|=>)\s{0,3}["']?(?P<told>(?=[^\s"']{0,100}\d)[^\s"',;]{4,200}|[^\s"',;]{8,200})
      |(?:\s|is|was)\s{0,3}["']?(?P<said>(?=[^\s"']{0,100}\d)[^\s"',;]{6,200}))
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SSN: Final = re.compile(
    r"(?<!\w)(?:ssn|social security(?: number| no)?)[^\w]{0,3}(?:is )?(?P<number>\d{9})(?!\d)",
    re.IGNORECASE,
)
_NINO: Final = re.compile(r"(?<!\w)[A-Z]{2}(?:[ -]?\d{2}){3}[ -]?[A-DFMPT](?!\w)", re.IGNORECASE)


def emails(text: str) -> Iterator[Found]:
    """Find e-mail addresses, also those written with (at) and (dot)."""
    if "@" in text or re.search(r"[\[(]\s?at\s?[\])]", text, re.IGNORECASE):
        for match in _EMAIL.finditer(text):
            yield (*match.span(), "email")


def secrets(text: str) -> Iterator[Found]:
    """Find keys and tokens by their prefixes, passwords by what stands before them."""
    for match in _SECRETS.finditer(text):
        named = "userinfo" if match["userinfo"] is not None else 0
        yield (*match.span(named), "secret")
    for match in _ASSIGNED.finditer(text):
        yield (*match.span("told" if match["told"] is not None else "said"), "secret")


def written_ids(text: str, countries: frozenset[str]) -> Iterator[Found]:
    """Find national numbers without check digits, by what stands before them or by their form."""
    if "us" in countries:
        for match in _SSN.finditer(text):
            yield (*match.span("number"), "id")
    if "gb" in countries:
        for match in _NINO.finditer(text):
            yield (*match.span(), "id")
