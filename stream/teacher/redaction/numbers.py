"""What is found by its check digits, or by a country's numbering plan: cards, IBANs, ids, phones.

The libraries are an extra, and are imported only where redaction is on.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from schemas.errors import ConfigError
from schemas.settings.redaction import RedactionKind, RedactionSettings
from stream.teacher.redaction.patterns import Found

Finder = Callable[[str], Iterator[Found]]

_Span = tuple[int, int]
_Valid = Callable[[str], bool]

_IDS: Final[dict[str, dict[str, tuple[int, ...]]]] = {
    "ar": {"ar.cuit": (11,)}, "at": {"at.vnr": (10,)}, "au": {"au.tfn": (8, 9)},
    "be": {"be.nn": (11,)}, "bg": {"bg.egn": (10,)}, "br": {"br.cpf": (11,)},
    "ca": {"ca.sin": (9,)}, "ch": {"ch.ssn": (13,)}, "cl": {"cl.rut": (8, 9)},
    "cn": {"cn.ric": (18,)}, "cz": {"cz.rc": (9, 10)}, "de": {"de.idnr": (11,)},
    "ec": {"ec.ci": (10,)}, "ee": {"ee.ik": (11,)}, "es": {"es.dni": (9,), "es.nie": (9,)},
    "fi": {"fi.hetu": (10, 11)}, "fr": {"fr.nir": (15,), "fr.nif": (13,)}, "gb": {"gb.nhs": (10,)},
    "gr": {"gr.amka": (11,)}, "hr": {"hr.oib": (11,)}, "ie": {"ie.pps": (8, 9)},
    "il": {"il.idnr": (9,)}, "in": {"in_.aadhaar": (12,), "in_.pan": (10,)},
    "is": {"is_.kennitala": (10,)}, "it": {"it.codicefiscale": (16,)}, "kr": {"kr.rrn": (13,)},
    "lt": {"lt.asmens": (11,)}, "mx": {"mx.curp": (18,)}, "nl": {"nl.bsn": (8, 9)},
    "no": {"no.fodselsnummer": (11,)}, "pl": {"pl.pesel": (11,)},
    "pt": {"pt.cc": (12,), "pt.nif": (9,)}, "ro": {"ro.cnp": (13,)},
    "se": {"se.personnummer": (10, 12)}, "si": {"si.emso": (13,)}, "sk": {"sk.rc": (9, 10)},
    "th": {"th.pin": (13,)}, "tr": {"tr.tckimlik": (11,)}, "za": {"za.idnr": (13,)},
}  # fmt: skip
"""python-stdnum's modules by country, and how many characters their numbers have."""
_UNCHECKED: Final[dict[str, dict[str, tuple[int, ...]]]] = {
    "us": {"us.ssn": (9,), "us.itin": (9,)},
    "dk": {"dk.cpr": (10,)},
}
"""Without a check digit any number of the length is one: it must be written in groups."""

_PHONE_DIGITS = range(7, 16)
_CARD_DIGITS = range(13, 20)
_ID_CHARS = range(8, 19)
_IBAN_CHARS = range(15, 35)
_LEAST_ID_DIGITS = 5

_ADDRESS: Final = re.compile(r"(?:\d{1,3}\.){3}\d{1,3}")
_DATES: Final = re.compile(r"(?:1\d|20)\d\d[ ./-]{1,3}(?:(?:1\d|20)\d\d|[01]?\d[ ./-][0-3]?\d)")
"""From one year to another, or a day: no phone's numbers, whatever the plans say."""
_DIGITS: Final = re.compile(r"\d+")
_PARTS: Final = re.compile(
    r"""
    \d+
    |(?<=\d)[A-Za-z]{1,6}(?![A-Za-z])
    |(?<![A-Za-z])[A-Za-z]{1,6}(?=\d)
    |(?<![A-Za-z])[A-Z]{1,6}(?![A-Za-z])
    """,
    re.VERBOSE,
)
"""What national numbers are made of: digits, and the letters that stand with them."""
_IBAN_START: Final = re.compile(r"(?<![A-Za-z\d])[A-Za-z]{2}\d{2}")
_PLUS: Final = re.compile(r"(?:\+|(?<!\d)00)[1-9](?:[ ().\-/]{0,3}\d){6,14}(?!\d)")
_TOLD: Final = re.compile(
    r"""
    (?<!\w)
    (?:tele?(?:ph|f)on[eo]?|phone|mobile?|m[oó]vil|cell?|tel|t[eé]l[eé]phone|t[eé]l|fax|handy
      |whatsapp|call|ring|text[ ]me)
    (?!\w)[^\d+\n]{0,24}
    (?P<number>\(?\d(?:[ ().\-/]{0,3}\d){5,14})(?!\d)
    """,
    re.IGNORECASE | re.VERBOSE,
)
_WRITTEN: Final = re.compile(
    r"""
    (?<!\d)
    (?:\(?0\d{2,4}\)?[ /-]{1,2}\d{5,9}
      |\(?\d{3}\)?[-. ]{1,2}\d{3}[-. ]\d{4}
      |\(?\d{2}\)?[ ](?!(?:19|20)\d\d-)\d{4,5}-\d{4})
    (?!\d)
    """,
    re.VERBOSE,
)
"""Forms that little else has, whether or not somebody has such a number."""
_EXTENSION: Final = re.compile(
    r"[ ,]{0,2}(?:x|ext|extension|#)[. ]{0,2}\d{1,7}(?!\d)", re.IGNORECASE
)
_PHONE_JOINT: Final = re.compile(r"[ ().\-/]{1,4}")
_JOINTS: Final = (re.compile(r"[ ]"), re.compile(r"[.\-/+]"))
"""What stands between the groups of one number: blanks, or signs, never both."""
_CARD_JOINT: Final = re.compile(r"[ .\-]{1,3}")


def cards(text: str) -> Iterator[Found]:
    """Find card numbers: 13 to 19 digits whose last one checks (Luhn), however grouped."""
    valid = _valid("luhn")
    groups = _Groups(_DIGITS, parts=19, chars=_CARD_DIGITS, joints=(_CARD_JOINT,))
    for start, end in groups.runs(text):
        digits = _compact(text[start:end])
        if len(set(digits)) > 1 and valid(digits):
            yield start, end, "card"


def ibans(text: str) -> Iterator[Found]:
    """Find IBANs by their check digits (ISO 7064), in groups or not."""
    valid = _valid("iso7064.mod_97_10")
    for match in _IBAN_START.finditer(text):
        ends = _ends(text, match.start(), most=_IBAN_CHARS.stop - 1)
        for end, compact in reversed(ends):
            if len(compact) in _IBAN_CHARS and valid(compact[4:] + compact[:4]):
                yield match.start(), end, "iban"
                break


def ids_of(countries: Sequence[str]) -> Finder:
    """Make what finds the national numbers of the countries."""
    checked, unchecked = (_by_length(known, countries) for known in (_IDS, _UNCHECKED))

    # France writes seven groups: 1 85 05 78 006 084 36.
    groups = _Groups(_PARTS, parts=7, chars=_ID_CHARS, joints=_JOINTS)

    def is_one(written: str) -> bool:
        told = written.replace(" ", "")
        n = sum(map(str.isalnum, told))
        if sum(map(str.isdigit, told)) < _LEAST_ID_DIGITS or _is_other(told):
            return False
        grouped = unchecked.get(n, []) if n < len(written) else []
        return any(valid(told) for valid in (*checked.get(n, []), *grouped))

    def found(text: str) -> Iterator[Found]:
        for start, end in groups.runs(text):
            if is_one(text[start:end]):
                yield start, end, "id"

    return found


def _is_other(told: str) -> bool:
    return bool(_ADDRESS.fullmatch(told) or _DATES.fullmatch(told))


def _by_length(
    known: Mapping[str, Mapping[str, Sequence[int]]], countries: Sequence[str]
) -> dict[int, list[_Valid]]:
    found: dict[int, list[_Valid]] = {}
    for country in countries:
        for name, lengths in known.get(country, {}).items():
            for n in lengths:
                found.setdefault(n, []).append(_valid(name))
    return found


def phones_of(countries: Sequence[str]) -> Finder:
    """Make what finds phone numbers: of the countries' plans, with a +, or called a phone's.

    Raises `ConfigError` for a country that is none.
    """
    plans = _plans([country.upper() for country in countries])
    matcher: Callable[[str, str], Iterator[Any]] = _import("phonenumbers").PhoneNumberMatcher
    groups = _Groups(_DIGITS, parts=8, chars=_PHONE_DIGITS, joints=(_PHONE_JOINT,))

    def found(text: str) -> Iterator[Found]:
        for match in (*_PLUS.finditer(text), *_WRITTEN.finditer(text)):
            yield _phone(text, *match.span())
        for match in _TOLD.finditer(text):
            yield _phone(text, *match.span("number"))
        # The library searches for one country at a time, and slowly: most can be ruled out.
        runs = {_compact(text[start:end]) for start, end in groups.runs(text)}
        for region, plan in plans.items():
            if any(map(plan.fullmatch, runs)):
                for match in matcher(text, region):
                    if not _DATES.fullmatch(match.raw_string):
                        yield _phone(text, match.start, match.end)

    return found


def _phone(text: str, start: int, end: int) -> Found:
    extension = _EXTENSION.match(text, end)
    return start, extension.end() if extension else end, "phone"


def _plans(regions: Sequence[str]) -> dict[str, re.Pattern[str]]:
    """Give by region what the digits of its numbers look like, with the national prefix or not."""
    if unknown := sorted(set(regions) - _import("phonenumbers").SUPPORTED_REGIONS):
        raise ConfigError(f"teacher.redaction.countries: {', '.join(unknown)} are no countries")
    metadata = _import("phonenumbers.phonemetadata").PhoneMetadata.metadata_for_region
    found = {region: metadata(region, None) for region in regions}
    return {
        region: re.compile(
            f"(?:{plan.national_prefix_for_parsing or ''})?"
            f"(?:{plan.general_desc.national_number_pattern})"
        )
        for region, plan in found.items()
    }


def number_finders(settings: RedactionSettings) -> list[Finder]:
    """Make what finds the numbers of the kinds; `ConfigError` where a library is missing."""
    known: dict[RedactionKind, Callable[[], Finder]] = {
        "card": lambda: cards,
        "iban": lambda: ibans,
        "id": lambda: ids_of(settings.countries),
        "phone": lambda: phones_of(settings.countries),
    }
    _import("stdnum")
    return [make() for kind, make in known.items() if kind in settings.kinds]


def _valid(name: str) -> _Valid:
    valid: _Valid = _import(f"stdnum.{name}").is_valid
    return valid


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(
            f"teacher.redaction is enabled, but {error.name} is missing: "
            "pip install '.[redaction]', or nothing can be asked"
        ) from None


def _compact(written: str) -> str:
    return "".join(x for x in written if x.isalnum()).upper()


@dataclass(frozen=True, slots=True)
class _Groups:
    """How a number is written: of so many parts at most, and so many characters, joints left out.

    The parts of one number are joined in one way, by one of `joints` or by nothing.
    """

    part: re.Pattern[str]
    parts: int
    chars: range
    joints: Sequence[re.Pattern[str]]

    def runs(self, text: str) -> Iterator[_Span]:
        """Give every run of neighbouring parts that may be a number."""
        spans = [match.span() for match in self.part.finditer(text)]
        for first in range(len(spans)):
            for end in self._ends(text, spans[first : first + self.parts]):
                yield spans[first][0], end

    def _ends(self, text: str, spans: Sequence[_Span]) -> set[int]:
        ends: set[int] = set()
        for joint in self.joints:
            n, at = 0, spans[0][0]
            for start, end in spans:
                n += end - start
                if n >= self.chars.stop or (start > at and not joint.fullmatch(text, at, start)):
                    break
                if n in self.chars:
                    ends.add(end)
                at = end
        return ends


def _ends(text: str, start: int, *, most: int) -> list[tuple[int, str]]:
    """Give where a grouped word that starts here may end, and what it says until there."""
    ends: list[tuple[int, str]] = []
    compact, at = "", start
    while at < len(text) and len(compact) < most:
        if text[at].isascii() and text[at].isalnum():
            compact += text[at].upper()
            at += 1
            if at == len(text) or not text[at].isalnum():
                ends.append((at, compact))
        elif text[at] in " -." and at + 1 < len(text) and text[at + 1].isalnum():
            at += 1
        else:
            break
    return ends
