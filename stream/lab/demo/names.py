"""Pools of names. No name of the feed's pool is in the pools that judge the students."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from faker import Faker

Pool = Literal["feed", "gold", "held_out"]
Kind = Literal["person", "company", "city", "product"]

_PER_KIND = 500
_FIFTHS: dict[Pool, tuple[int, ...]] = {"feed": (0, 1, 2), "gold": (3,), "held_out": (4,)}
_LATER_LOCALES = ("de_DE", "es_ES", "fr_FR", "it_IT", "pl_PL", "tr_TR")
_SYLLABLES = ("cor", "vex", "lum", "tra", "nor", "bel", "dax", "fen", "mir", "sol", "qua", "rin")
_THINGS = ("drill", "pump", "router", "lamp", "scale", "sander", "heater", "printer")


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one pool, by kind."""

    by_kind: dict[Kind, tuple[str, ...]]

    def draw(self, kind: Kind, rng: random.Random) -> str:
        """Draw a name of this kind."""
        return rng.choice(self.by_kind[kind])


def early_names(pool: Pool, *, seed: int) -> Names:
    """Make the names before the drift: American people, firms and towns, product names."""
    fake = _seeded("en_US", seed=seed)
    rng = random.Random(seed)  # noqa: S311  repeatable, no secret
    return _pooled(
        pool,
        person=lambda: f"{fake.first_name()} {fake.last_name()}",
        company=fake.company,
        city=fake.city,
        product=lambda: _product_name(rng),
    )


def late_names(pool: Pool, *, seed: int) -> Names:
    """Make the names after it: people of other countries, firms and towns of one, product codes."""
    fake = _seeded(*_LATER_LOCALES, seed=seed)
    rng = random.Random(seed)  # noqa: S311  repeatable, no secret
    return _pooled(
        pool,
        person=lambda: f"{fake.last_name()}, {fake.first_name()}",
        company=fake.company,
        city=fake.city,
        product=lambda: _product_code(rng),
    )


def _seeded(*locales: str, seed: int) -> Faker:
    """Make a Faker that says the same in every process.

    Its Italian towns come out of a set, in an order of the process's own: they are sorted here.
    """
    fake = Faker(list(locales))
    fake.seed_instance(seed)
    for factory in fake.factories:
        for provider in factory.get_providers():
            if (cities := getattr(provider, "cities", None)) is not None:
                provider.cities = sorted(cities)
    return fake


def _pooled(pool: Pool, **makers: Callable[[], str]) -> Names:
    return Names({kind: _part(pool, _distinct(make)) for kind, make in makers.items()})  # type: ignore[misc]  # keyword names are the kinds


def _part(pool: Pool, names: Iterator[str]) -> tuple[str, ...]:
    return tuple(name for i, name in enumerate(names) if i % 5 in _FIFTHS[pool])


def _distinct(make: Callable[[], str]) -> Iterator[str]:
    seen: set[str] = set()
    # Some locales know few names, so the tries are bounded.
    for _ in range(4 * _PER_KIND):
        name = " ".join(make().split())
        if name not in seen:
            seen.add(name)
            yield name
        if len(seen) == _PER_KIND:
            return


def _product_name(rng: random.Random) -> str:
    word = "".join(rng.sample(_SYLLABLES, 2)).capitalize()
    return f"{word} {rng.choice((rng.choice(_THINGS), str(rng.randrange(10, 90) * 10)))}"


def _product_code(rng: random.Random) -> str:
    letters = "".join(rng.sample("ABCDEFGHKLMNPRTX", 2))
    return f"{letters}-{rng.randrange(1000, 9999)}{rng.choice(('', '/B', '/C2', '-eu'))}"
