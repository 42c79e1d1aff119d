"""Augmentation: mentions swapped for others of their label, and words hidden.

A student that sees few labels learns the names by heart. With the names changing under it, it has
to learn the company that they keep.

Source: mention replacement, Dai & Adel (2020), "An Analysis of Simple Data Augmentation for Named
Entity Recognition", arXiv 2010.11683.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from distill.training.batches import Batch, TrainExample
from schemas.types import Entity


class MentionSwap:
    """Draws variants of `examples` in which a `share` of the mentions is another of its label.

    A replacement is drawn as often as the examples mention it.
    """

    def __init__(
        self, examples: Sequence[TrainExample], *, share: float, generator: np.random.Generator
    ) -> None:
        self._examples = examples
        self._share = share
        self._generator = generator
        self._surfaces: dict[str, list[str]] = {}
        for example in examples:
            for entity in example.entities:
                self._surfaces.setdefault(entity.label, []).append(entity.surface)

    def draw(self) -> list[TrainExample]:
        """Draw a variant of every example, in their order; the entities lie as in the new text."""
        return [self._variant(example) for example in self._examples]

    def _variant(self, example: TrainExample) -> TrainExample:
        text, end = "", 0
        entities: list[Entity] = []
        for entity in example.entities:
            text += example.text[end : entity.start]
            surface, start = self._surface(entity), len(text)
            text, end = text + surface, entity.end
            entities.append(replace(entity, start=start, end=start + len(surface), surface=surface))
        return replace(example, text=text + example.text[end:], entities=tuple(entities))

    def _surface(self, entity: Entity) -> str:
        if self._generator.random() >= self._share:
            return entity.surface
        others = self._surfaces[entity.label]
        return others[self._generator.integers(len(others))]


def with_words_hidden(
    batch: Batch, *, share: float, mask_id: int, generator: np.random.Generator
) -> Batch:
    """Put `mask_id` for the first piece of a share of the words, drawn anew each time.

    A student that now and then cannot read a name learns to see it by its casing and its company.
    """
    hidden = torch.from_numpy(generator.random(tuple(batch.ids.shape)) < share)
    return replace(batch, ids=batch.ids.masked_fill(hidden & batch.is_word, mask_id))
