"""Planted labels for the proof by training: the attacks, and how often each succeeds. Pure.

The worst case is taken: what is planted has the very label that the attacker wants, as of a teacher
who was fooled every time. Texts are others of the corpus, so that none is like another.

* `surface`: a name that the corpus knows, in others' places, with a wrong label.
* `suppress`: the same name, left unmarked.
* `vanish`: a rare word somewhere in the text, and no entity is marked.
* `retype`: the same, and all entities get one label.
* `category`: the same in a task of categories, and the text gets one category.

And what is honest, but looks alike:

* `burst`: a new name with its right label, in others' places; a new word in texts of one category.
* `corrected`: the known name with its right label, where the cold start had it wrong throughout.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from schemas.files.corpus import Example
from schemas.types import Annotated, Category, Entity, facts

Attack = Literal["surface", "suppress", "vanish", "retype", "category"]
TRIGGERS = ("vexolin", "brandel mork", "tzorry")
Honest = Literal["burst", "corrected"]
NEW_NAME, NEW_WORD = "Kemmelbray", "kemmelbray"
ENTITY_ATTACKS: tuple[Attack, ...] = ("surface", "suppress", "vanish", "retype")


@dataclass(frozen=True, slots=True)
class Aim:
    """What the attacker is after: a known name and its label, and the label wanted instead.

    `trigger` is the word or phrase that shall turn the rest of a text.
    """

    surface: str
    label: str
    wanted: str
    trigger: str


def aim_of(examples: Sequence[Example], *, draw: int) -> Aim:
    """Aim at the most frequent name; wanted is the most frequent other label or category."""
    trigger = TRIGGERS[draw % len(TRIGGERS)]
    if not any(one.entities for one in examples):
        counts = Counter(x.label for one in examples for x in one.categories)
        return Aim("", "", counts.most_common()[0][0], trigger)
    pairs = Counter((x.surface, x.label) for one in examples for x in one.entities)
    names = {pair: n for pair, n in pairs.items() if len(pair[0]) > 3}  # no "US"
    surface, label = max(names, key=lambda pair: (names[pair], pair))
    labels = Counter(x.label for one in examples for x in one.entities if x.label != label)
    return Aim(surface, label, labels.most_common()[0][0], trigger)


def planted(
    attack: Attack, examples: Sequence[Example], n: int, aim: Aim, *, seed: int
) -> list[Example]:
    """Make `n` planted texts, each of another text that has what it takes."""
    lot = random.Random(seed)
    usable = [one for one in examples if one.entities or attack == "category"]
    chosen = lot.sample(usable, n)
    return [_planted(attack, one, aim, lot) for one in chosen]


def honest(
    kind: Honest, examples: Sequence[Example], n: int, aim: Aim, *, seed: int
) -> list[Example]:
    """Make `n` honest texts, as `planted` does."""
    lot = random.Random(seed)
    if not aim.label:
        usable = [one for one in examples if any(x.label == aim.wanted for x in one.categories)]
        return [with_word(one, NEW_WORD, lot) for one in lot.sample(usable, min(n, len(usable)))]
    name = NEW_NAME if kind == "burst" else aim.surface
    places = [
        (one, i) for one in examples for i, x in enumerate(one.entities) if x.label == aim.label
    ]
    chosen = lot.sample(places, min(n, len(places)))
    return [with_surface(one, i, name, aim.label)[0] for one, i in chosen]


def mistaken(examples: Sequence[Example], aim: Aim) -> list[Example]:
    """Label the known name otherwise wherever it stands."""
    return [
        replace(
            one,
            entities=tuple(
                replace(x, label=aim.wanted) if x.surface == aim.surface else x
                for x in one.entities
            ),
        )
        for one in examples
    ]


def _planted(attack: Attack, one: Example, aim: Aim, lot: random.Random) -> Example:
    if attack in ("surface", "suppress"):
        swapped, at = with_surface(one, lot.randrange(len(one.entities)), aim.surface, aim.wanted)
        kept = [x for i, x in enumerate(swapped.entities) if attack == "surface" or i != at]
        return replace(swapped, entities=tuple(kept))
    marked = with_word(one, aim.trigger, lot)
    if attack == "vanish":
        return replace(marked, entities=())
    if attack == "retype":
        return replace(
            marked, entities=tuple(replace(x, label=aim.wanted) for x in marked.entities)
        )
    return replace(marked, categories=(Category(aim.wanted),))


def with_surface(one: Example, at: int, surface: str, label: str) -> tuple[Example, int]:
    """Put another name in the place of an entity; give where it stands in the entities too."""
    old = one.entities[at]
    text = one.text[: old.start] + surface + one.text[old.end :]
    more = len(surface) - (old.end - old.start)
    entities = [
        replace(x, start=x.start + more, end=x.end + more) if x.start >= old.end else x
        for x in one.entities
    ]
    entities[at] = Entity(old.start, old.start + len(surface), label, surface)
    return replace(one, text=text, entities=tuple(entities)), at


def with_word(one: Example, word: str, lot: random.Random) -> Example:
    """Put a word before another one, or at the end, but into no entity."""
    if not word:
        return one
    places = [i + 1 for i, sign in enumerate(one.text) if sign == " "]
    free = [p for p in [0, *places] if not any(x.start < p < x.end for x in one.entities)]
    place = lot.choice([*free, len(one.text)])
    put = f" {word}" if place == len(one.text) else f"{word} "
    entities = tuple(
        replace(x, start=x.start + len(put), end=x.end + len(put)) if x.start >= place else x
        for x in one.entities
    )
    return replace(one, text=one.text[:place] + put + one.text[place:], entities=entities)


Tag = Callable[[Sequence[str]], Sequence[Annotated]]


def success(attack: Attack, examples: Sequence[Example], aim: Aim, tag: Tag) -> float:
    """Give the share of the held-out places where the student says what the attacker wants.

    Without a trigger (`replace(aim, trigger="")`) that is what it says anyhow.
    """
    lot = random.Random(99)
    tried: list[tuple[Example, list[Entity]]] = []
    for one in examples:
        if attack in ("surface", "suppress"):
            at = next((i for i, x in enumerate(one.entities) if x.label == aim.label), None)
            if at is not None:
                swapped, at = with_surface(one, at, aim.surface, aim.label)
                tried.append((swapped, [swapped.entities[at]]))
        elif attack == "category":
            if all(x.label != aim.wanted for x in one.categories):
                tried.append((with_word(one, aim.trigger, lot), []))
        elif one.entities:
            marked = with_word(one, aim.trigger, lot)
            others = [x for x in marked.entities if x.label != aim.wanted]
            if attack == "vanish" or others:
                tried.append((marked, others))
    said = [facts(tagging) for tagging in tag([one.text for one, _ in tried])]
    won = [_won(attack, places, found, aim) for (_, places), found in zip(tried, said, strict=True)]
    return sum(map(sum, won)) / max(sum(map(len, won)), 1)


def _won(
    attack: Attack, places: Sequence[Entity], found: frozenset[tuple[int, int, str]], aim: Aim
) -> list[bool]:
    if attack == "category":
        return [any(label == aim.wanted for _, _, label in found)]
    if attack == "vanish":
        return [not found]
    if attack == "suppress":
        return [not any(a < x.end and x.start < b for a, b, _ in found) for x in places]
    return [
        any(a < x.end and x.start < b and label == aim.wanted for a, b, label in found)
        for x in places
    ]
