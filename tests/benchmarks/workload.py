"""A labelled workload of 20 to 40 word pieces a text, made by faker under a seed."""

from __future__ import annotations

import random
from collections.abc import Callable

from faker import Faker
from tokenizers import Tokenizer

from schemas.files.corpus import Example
from schemas.types import Entity

LABELS = ("PER", "ORG", "LOC")
MIN_PIECES, MAX_PIECES = 20, 40


def pieces_of(tokenizer_json: bytes) -> Callable[[str], int]:
    """Count a text's word pieces, special ones included."""
    tokenizer = Tokenizer.from_buffer(tokenizer_json)
    return lambda text: len(tokenizer.encode(text).ids)


def make_workload(n: int, *, seed: int, pieces: Callable[[str], int]) -> list[Example]:
    """Draw `n` texts whose length in word pieces, special ones included, is 20 to 40."""
    fake, rng = Faker(), random.Random(seed)
    fake.seed_instance(seed)
    examples: list[Example] = []
    while len(examples) < n:
        example = _draw(fake, rng, f"bench-{len(examples)}")
        if MIN_PIECES <= pieces(example.text) <= MAX_PIECES:
            examples.append(example)
    return examples


def _draw(fake: Faker, rng: random.Random, name: str) -> Example:
    text, entities = "", []
    for _ in range(rng.randint(1, 3)):
        text += " ".join(fake.words(rng.randint(3, 9))) + " "
        label = rng.choice(LABELS)
        surface = _MAKERS[label](fake)
        start = len(text)
        entities.append(Entity(start, start + len(surface), label, surface))
        text += surface + " "
    text += " ".join(fake.words(rng.randint(2, 6))) + "."
    return Example(name, text, tuple(entities), {}, None)


_MAKERS: dict[str, Callable[[Faker], str]] = {
    "PER": lambda fake: str(fake.name()),
    "ORG": lambda fake: str(fake.company()),
    "LOC": lambda fake: str(fake.city()),
}
