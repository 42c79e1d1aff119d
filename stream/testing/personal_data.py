"""Texts with made-up personal data, as many as wanted, the same for a seed: what must never leave.

The values are Faker's, made by other code than what finds them.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from faker import Faker

from schemas.settings.redaction import RedactionKind

_LOCALES = ("en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pl_PL", "pt_BR")
_IDS: dict[str, Callable[[Any], str]] = {
    "en_US": lambda fake: fake.ssn(),
    "en_GB": lambda fake: fake.ssn(),
    "es_ES": lambda fake: fake.nie(),
    "it_IT": lambda fake: fake.ssn(),
    "pl_PL": lambda fake: fake.pesel(),
    "pt_BR": lambda fake: fake.cpf(),
    "nl_NL": lambda fake: fake.ssn(),
    "fr_FR": lambda fake: fake.ssn(),
    "sv_SE": lambda fake: fake.ssn(),
    "fi_FI": lambda fake: fake.ssn(),
}
_TEMPLATES = (
    "{name} from {city} wrote on 3 May that {value} is right.",
    "Please note {value}, thanks! {name}, {city}",
    "{value}",
    "{name}: my {word} is {value} since 2019; {company} has 12 rooms.",
    "Order 17 of {company} ({city}): {value}; {name} knows.",
    "«{value}» — {name} 😀 {city}",
    "a, b, {value}\n{name}\t{city}",
)
_WORDS: dict[RedactionKind, str] = {
    "email": "address",
    "secret": "key",
    "iban": "account",
    "card": "card",
    "id": "number",
    "phone": "phone",
}
_TOKENS = ("AKIA", "ghp_abcd", "sk-proj-", "xoxb-", "AIzaSy0123456789abcd", "glpat-", "hf_")


@dataclass(frozen=True, slots=True)
class PersonalText:
    """A text and the one value in it that must not leave."""

    text: str
    kind: RedactionKind
    value: str


def personal_texts(n: int, *, seed: int) -> Iterator[PersonalText]:
    """Make `n` different texts, every kind as often as the others."""
    lot = random.Random(seed)  # noqa: S311 - made-up data is no secret
    fakes = {locale: Faker(locale) for locale in {*_LOCALES, *_IDS}}
    for fake in fakes.values():
        fake.seed_instance(seed)
    makers = _makers(lot, fakes)
    kinds = list(_WORDS)
    for number in range(n):
        kind = kinds[number % len(kinds)]
        value = makers[kind]()
        fake = fakes[lot.choice(_LOCALES)]
        told = lot.choice(_TEMPLATES).format(
            value=value,
            word=_WORDS[kind],
            name=fake.first_name(),
            city=fake.city(),
            company=fake.company(),
        )
        yield PersonalText(f"{told} #{number:03}", kind, value)


def _makers(lot: random.Random, fakes: dict[str, Any]) -> dict[RedactionKind, Callable[[], str]]:
    def fake() -> Any:
        return fakes[lot.choice(_LOCALES)]

    def national() -> str:
        locale = lot.choice(list(_IDS))
        return _IDS[locale](fakes[locale])

    return {
        "email": lambda: str(fake().email()),
        "secret": lambda: _token(lot),
        "iban": lambda: _grouped(fake().iban(), lot),
        "card": lambda: _grouped(fake().credit_card_number(), lot),
        "id": national,
        "phone": lambda: str(fake().phone_number()),
    }


def _token(lot: random.Random) -> str:
    return lot.choice(_TOKENS) + "".join(lot.choices(_ALPHABET, k=lot.randint(16, 40)))


_ALPHABET = string.ascii_uppercase + string.digits


def _grouped(value: str, lot: random.Random) -> str:
    joint = lot.choice(("", " ", " "))
    return joint.join(value[at : at + 4] for at in range(0, len(value), 4))
