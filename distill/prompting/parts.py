"""Gold in three parts by hash: edits come from one, hold on another, and are told on the third.

The parts of a text are fixed for ever, whatever the seed: what was tuned on once is no judge later.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final, Literal, get_args

from schemas.files.corpus import Example
from schemas.types import text_digest

Part = Literal["tune", "keep", "report"]

_PARTS: Final[tuple[Part, ...]] = get_args(Part)
_SALT: Final = "silverstream prompt"
"""Other splits go by the text's digest alone."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Gold by part, each sorted by digest."""

    tune: tuple[Example, ...]
    keep: tuple[Example, ...]
    report: tuple[Example, ...]


def part_of(text: str) -> Part:
    """Say which part a text is in; a third of all texts are in each."""
    told = f"{_SALT}\n{text_digest(text)}".encode()
    return _PARTS[int.from_bytes(hashlib.sha256(told).digest()[:8]) % len(_PARTS)]


def parts_of(gold: Iterable[Example], *, shown: AbstractSet[str] = frozenset()) -> Parts:
    """Cut gold in three; a repeated text counts once, one whose digest is `shown` not at all."""
    texts = {text_digest(one.text): one for one in reversed(list(gold))}
    found: dict[Part, list[Example]] = {part: [] for part in _PARTS}
    for digest, example in sorted(texts.items()):
        if digest not in shown:
            found[part_of(example.text)].append(example)
    return Parts(**{part: tuple(examples) for part, examples in found.items()})
