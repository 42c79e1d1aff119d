"""The texts of a run: each is taken or dropped, in the order of the calls, and measured. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from distill.labels.written.diversity import Float32, distinct_n, novelties, spread
from distill.labels.written.drawing import Outcome
from distill.labels.written.embedding import Embedding
from schemas.near_duplicates import NearDuplicates
from schemas.types import Fact
from stream.teacher.writing.texts import Draft, Written


@dataclass(frozen=True, slots=True)
class Taken:
    """A text that was taken, and what its writer meant it to say; None where nobody knows."""

    text: str
    meant: frozenset[Fact] | None


class Collection:
    """Takes texts, at most `most`; those `shown` to the writer are no texts of its own.

    What is drawn next follows from `outcomes`.
    """

    def __init__(
        self, embedding: Embedding, *, most: int, max_chars: int, shown: Iterable[str] = ()
    ) -> None:
        self.taken: list[Taken] = []
        self.dropped = Counter[str]()
        self.outcomes: list[Outcome] = []
        self.embedding = embedding
        self._most = most
        self._max_chars = max_chars
        self._near = NearDuplicates()
        self._vectors: Float32 = np.zeros((0, 0), dtype=np.float32)
        for text in shown:
            self._near.take(text)

    @property
    def missing(self) -> int:
        """How many texts it has room for."""
        return self._most - len(self.taken)

    def add(self, drafts: Sequence[Draft], written: Sequence[Written]) -> int:
        """Take the texts of one call; return how many were taken.

        A text that did not come is counted as `not_written`.
        """
        reasons = list[str | None]()
        for one in written:
            room = self.missing - reasons.count(None)
            reasons.append(self._reason(one) if room > 0 else "over_limit")
        kept = [one for one, why in zip(written, reasons, strict=True) if why is None]
        news = iter(self._measured([one.text for one in kept]))
        for draft, one, why in zip(drafts, written, reasons, strict=False):
            meant = one.meant if one.meant is not None else _drafted(draft)
            labels = tuple(sorted(fact[2] for fact in meant)) if why is None else ()
            self.outcomes.append(Outcome(draft, 0.0 if why else next(news), labels))
        self.taken += [Taken(one.text, one.meant) for one in kept]
        self.dropped.update(why for why in reasons if why)
        self._note_missing(drafts[len(written) :])
        return len(kept)

    def figures(self) -> dict[str, float]:
        """Give what tells how varied the texts are."""
        texts = [one.text for one in self.taken]
        grams = {f"distinct_{n}": distinct_n(texts, n) for n in (1, 2, 3)}
        return grams | {"spread": spread(self._vectors)}

    def _reason(self, one: Written) -> str | None:
        if len(one.text) > self._max_chars:
            return "too_long"
        return self._near.take(one.text)

    def _measured(self, texts: Sequence[str]) -> list[float]:
        if not texts:
            return []
        vectors = self.embedding.embed(texts)
        found = novelties(self._vectors, vectors)
        held = self._vectors if len(self._vectors) else vectors[:0]
        self._vectors = np.concatenate([held, vectors])
        return found

    def _note_missing(self, drafts: Sequence[Draft]) -> None:
        if drafts:
            self.dropped["not_written"] += len(drafts)
        self.outcomes += [Outcome(draft, 0.0, ()) for draft in drafts]


def _drafted(draft: Draft) -> frozenset[Fact]:
    return frozenset((0, 0, seed.label) for seed in draft.use)
