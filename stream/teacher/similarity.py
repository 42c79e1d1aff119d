"""Examples for each text: labelled texts that are like it, and not all like each other. Pure.

How like two texts are is told by the words, and parts of words, that they share (BM25): Robertson
and Zaragoza (2009), "The Probabilistic Relevance Framework: BM25 and Beyond". Parts are three
characters, so that it holds for inflected words and for languages that write no spaces. What is
like a text makes a better example for it, the closest best beside it: Liu et al. (2022), "What
Makes Good In-Context Examples for GPT-3?". Of examples that are as near, those are taken whose
labels are shown less: Levy et al. (2023), "Diverse Demonstrations Improve In-context Compositional
Generalization".
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from schemas.files.task import TaskExample
from schemas.near_duplicates import nearly_one
from schemas.types import facts

Scores = npt.NDArray[np.float32]
LikenessTo = Callable[[str], Scores]
"""Tells how like a text each text of a pool is: float32 [n], 0 where they share nothing."""

_CANDIDATES: Final = 50
"""So many of the most like texts are looked at."""
_SHOWN_AGAIN: Final = 0.7
"""What it leaves of an example's likeness that its label is shown by another."""
_REMEMBERED: Final = 256
_K1, _B = 1.2, 0.75  # the values of the literature
_WORD = re.compile(r"\w+")
_GRAM = 3


def bm25(texts: Sequence[str]) -> LikenessTo:
    """Index the texts of a pool; a question costs time by how many of them share its terms."""
    counts = [Counter(_terms(text)) for text in texts]
    lengths = [sum(one.values()) for one in counts]
    mean = max(sum(lengths) / max(len(lengths), 1), 1.0)
    postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for at, one in enumerate(counts):
        for term, times in one.items():
            postings[term].append((at, times))
    where = {term: np.array([at for at, _ in found]) for term, found in postings.items()}
    worth = {
        term: _worth([(times, lengths[at] / mean) for at, times in found], n=len(texts))
        for term, found in postings.items()
    }

    def like(text: str) -> Scores:
        scores = np.zeros(len(texts), dtype=np.float32)
        for term in sorted(set(_terms(text)) & where.keys()):
            scores[where[term]] += worth[term]
        return scores

    return like


def _worth(found: Sequence[tuple[int, float]], *, n: int) -> Scores:
    """Weigh one term in each text that has it, by (times, length beside the mean)."""
    rare = math.log(1 + (n - len(found) + 0.5) / (len(found) + 0.5))
    weights = [
        rare * times * (_K1 + 1) / (times + _K1 * (1 - _B + _B * length)) for times, length in found
    ]
    return np.array(weights, dtype=np.float32)


def _terms(text: str) -> Iterator[str]:
    for word in _WORD.findall(text.casefold()):
        edged = f"<{word}>"
        yield edged
        yield from (edged[at : at + _GRAM] for at in range(len(edged) - _GRAM + 1))


class SimilarExamples:
    """Chooses up to `number` examples of a pool for a text: always the same for the same text.

    `likeness` indexes the pool's texts.
    """

    def __init__(
        self,
        pool: Sequence[TaskExample],
        number: int,
        *,
        likeness: Callable[[Sequence[str]], LikenessTo] = bm25,
    ) -> None:
        self.number = number
        self._pool = tuple(pool)
        self.pool_digest = digest_of(self._pool)
        self._like = likeness([one.text for one in self._pool])
        # Asked for with each try of a text, and for its key.
        self.chosen = lru_cache(maxsize=_REMEMBERED)(self._chosen)

    def _chosen(self, text: str) -> tuple[TaskExample, ...]:
        """Give the examples for a text, the most like it last; no near-duplicate of it or another.

        Fewer where fewer share anything with it.
        """
        scores = self._like(text)
        order = [int(at) for at in np.argsort(-scores, kind="stable")[:_CANDIDATES]]
        left = {at: float(scores[at]) for at in order if scores[at] > 0}
        taken: list[int] = []
        shown = Counter[str]()
        while left and len(taken) < self.number:
            best = max(left, key=lambda at: (left[at] * self._fresh(at, shown), -at))
            del left[best]
            others = (text, *(self._pool[at].text for at in taken))
            if not any(nearly_one(self._pool[best].text, other) for other in others):
                taken.append(best)
                shown.update(_labels(self._pool[best]))
        return tuple(self._pool[at] for at in sorted(taken, key=lambda at: (scores[at], -at)))

    def _fresh(self, at: int, shown: Counter[str]) -> float:
        labels = _labels(self._pool[at])
        return sum(_SHOWN_AGAIN ** shown[label] for label in labels) / len(labels)


def _labels(example: TaskExample) -> set[str]:
    """Name the labels that an example shows; "" where it shows that there may be none."""
    return {label for _, _, label in facts(example)} or {""}


def digest_of(examples: Sequence[TaskExample]) -> str:
    """Name examples in their order, 12 hexadecimal digits; "" for none."""
    if not examples:
        return ""
    told = [[one.text, sorted(facts(one))] for one in examples]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:12]
