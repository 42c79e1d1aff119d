"""How far int8 says what fp32 says, one measure for each kind of task.

Logits move, answers should not. Of entities the tags count: of the words that either precision
puts in an entity, most must keep their tag. Of categories the texts: most must keep theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import numpy as np
import numpy.typing as npt

from schemas.categories import Choose
from stream.student.encoding import Window
from stream.student.heads.categories import choose_categories, pooled
from stream.student.session import Session


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of `n` things that were asked, the share with the same answer."""

    share: float
    n: int
    unit: Literal["words", "texts"] = "words"

    def metrics(self) -> dict[str, float]:
        """Give the figures for the manifest."""
        return {"int8_agreement": self.share, f"int8_agreement_{self.unit}": float(self.n)}


Agree = Callable[[Session, Session, Sequence[Sequence[Window]]], Agreement]
"""Compares two sessions on the windows of each text."""


def agreement_of_tags(one: Session, other: Session, texts: Sequence[Sequence[Window]]) -> Agreement:
    """Compare tag by tag; no entity anywhere is full agreement."""
    tags = [
        (_best_tags(one, window), _best_tags(other, window))
        for window in chain.from_iterable(texts)
    ]
    ours = np.concatenate([np.empty(0, np.int64), *(pair[0] for pair in tags)])
    theirs = np.concatenate([np.empty(0, np.int64), *(pair[1] for pair in tags)])
    in_entity = (ours > 0) | (theirs > 0)
    n_words = int(in_entity.sum())
    share = float((ours == theirs)[in_entity].mean()) if n_words else 1.0
    return Agreement(share, n_words)


def _best_tags(session: Session, window: Window) -> npt.NDArray[np.int64]:
    logits = session.run(window.ids[None], window.types[None])[0]
    return np.asarray(logits[window.first_pieces].argmax(axis=-1))


def agreement_of_categories(choose: Choose) -> Agree:
    """Make the measure that compares the categories of each text; no text is full agreement."""

    def chosen(session: Session, windows: Sequence[Window]) -> list[bool]:
        rows = [session.run(window.ids[None], window.types[None])[0] for window in windows]
        logits = pooled(np.stack(rows), [[len(window.ids) for window in windows]])
        found: list[bool] = choose_categories(logits, choose)[0][0].tolist()
        return found

    def agreement(one: Session, other: Session, texts: Sequence[Sequence[Window]]) -> Agreement:
        same = [chosen(one, some) == chosen(other, some) for some in texts if some]
        return Agreement(sum(same) / len(same) if same else 1.0, len(same), "texts")

    return agreement
