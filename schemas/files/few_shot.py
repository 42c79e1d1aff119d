"""Gold records that the teacher is shown as examples; the gate leaves these out.

Teacher and gate run in different processes and agree without talking: both draw from the same
file by the same rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from schemas.errors import ConfigError
from schemas.files.corpus import Example, read_corpus
from schemas.files.task import TaskExample
from schemas.types import text_digest

MAX_CHARS = 500
"""Longer texts make every prompt dear."""


def draw_examples(gold: Sequence[Example], n: int) -> list[Example]:
    """Draw `n` records with entities, by the digest of their texts; fewer where there are fewer."""
    usable = [one for one in gold if one.entities and len(one.text) <= MAX_CHARS]
    return sorted(usable, key=lambda one: text_digest(one.text))[:n]


def teacher_examples(gold: Path | None, n: int) -> tuple[TaskExample, ...]:
    """Read the examples that go into the teacher's prompt; `ConfigError` without a gold file."""
    if not n:
        return ()
    if gold is None:
        raise ConfigError(f"teacher.few_shot is {n}, but there is no distill.gold to draw from")
    drawn = draw_examples(read_corpus(gold), n)
    return tuple(TaskExample(one.text, one.entities) for one in drawn)
