"""Categories: logits of a whole text, pooled over its windows, to the labels that it has.

The model's head is linear in the mean of a window's tokens, so the mean of the windows' logits,
each weighing as many as it has tokens, is the head on the mean of all tokens: however long the
text, nothing of it is cut off.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt

from schemas.categories import Choose
from schemas.files.manifest import Calibration
from schemas.types import Category, Tagging
from stream.student.doubts import category_doubts
from stream.student.encoding import Window
from stream.student.heads.head import Doubles, Floats, Run, label_confidences, require_finite

Bools = npt.NDArray[np.bool_]


class CategoryHead:
    """Logits [windows, labels] to categories: the likeliest label, or all that are likely.

    A record's score is the probability of the one label, or of the least sure answer among
    those about each label. A text without words has no category: where one must be chosen it
    is certainly not right (0.0, so it is wanted), where any may be it is certain (1.0).
    """

    def __init__(self, labels: Sequence[str], choose: Choose, calibration: Calibration) -> None:
        self._labels, self._choose, self._calibration = labels, choose, calibration
        self._order: list[int] = sorted(range(len(labels)), key=lambda label: labels[label])
        sure = 0.0 if choose == "one" else 1.0
        self._blank = Tagging((), sure, sure)

    def shape(self, n_windows: int, n_tokens: int) -> tuple[int, ...]:  # noqa: ARG002 - the port's
        """See `Head`."""
        return n_windows, len(self._labels)

    def tag(
        self,
        texts: Sequence[str],
        windows: Sequence[Sequence[Window]],
        run: Run,
        *,
        doubts: bool = False,
    ) -> list[Tagging]:
        """See `Head`."""
        filled = [number for number, some in enumerate(windows) if some]
        taggings = [self._blank] * len(texts)
        logits = self.logits([windows[number] for number in filled], run)
        found = self._taggings(logits, doubts=doubts)
        for number, tagging in zip(filled, found, strict=True):
            taggings[number] = tagging
        return taggings

    def logits(self, windows: Sequence[Sequence[Window]], run: Run) -> Doubles:
        """Logits of each text, float64 [texts, labels]; each has one window at least."""
        flat = list(chain.from_iterable(windows))
        logits = np.empty((len(flat), len(self._labels)), dtype=np.float32)
        for numbers, output in run(flat):
            logits[numbers] = output
        require_finite(logits)
        return pooled(logits, [[len(one.ids) for one in some] for some in windows])

    def _taggings(self, logits: Doubles, *, doubts: bool) -> list[Tagging]:
        chosen, probabilities, scores = choose_categories(logits, self._choose)
        confidences = self._calibration.apply(scores)
        by_label = label_scores(chosen, probabilities, self._choose)
        return [
            Tagging(
                (),
                confidence,
                score,
                self._categories(is_chosen, sure),
                each,
                category_doubts(sure, self._labels, self._choose) if doubts else (),
            )
            for is_chosen, sure, confidence, score, each in zip(
                chosen.tolist(),
                probabilities.tolist(),
                confidences.tolist(),
                scores.tolist(),
                label_confidences(by_label, self._calibration),
                strict=True,
            )
        ]

    def _categories(self, chosen: list[bool], sure: list[float]) -> tuple[Category, ...]:
        return tuple(Category(self._labels[i], sure[i]) for i in self._order if chosen[i])


def pooled(logits: Floats, sizes: Sequence[Sequence[int]]) -> Doubles:
    """Mean logits of each text: `sizes` are the tokens of its windows, one at least.

    float32 [windows, labels], texts side by side, to float64 [texts, labels].
    """
    if not sizes:
        return np.empty((0, logits.shape[1]))
    weights = np.array(list(chain.from_iterable(sizes)), dtype=np.float64)
    firsts = np.cumsum([0, *map(len, sizes[:-1])])
    sums = np.add.reduceat(logits * weights[:, None], firsts, axis=0)
    means: Doubles = sums / np.add.reduceat(weights, firsts)[:, None]
    return means


def choose_categories(logits: Doubles, choose: Choose) -> tuple[Bools, Doubles, Doubles]:
    """Which labels each text has, how likely each is, and how sure the whole is.

    float64 [texts, labels] to bool and float64 of that shape, and float64 [texts].
    """
    if choose == "any":
        probabilities = 1 / (1 + np.exp(-np.clip(logits, -700, 700)))
        chosen = probabilities >= 0.5  # noqa: PLR2004 - likelier than not
        return chosen, probabilities, np.where(chosen, probabilities, 1 - probabilities).min(axis=1)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = odds / odds.sum(axis=1, keepdims=True)
    chosen = np.arange(logits.shape[1]) == np.argmax(logits, axis=1)[:, None]
    return chosen, probabilities, probabilities.max(axis=1)


def label_scores(chosen: Bools, probabilities: Doubles, choose: Choose) -> Doubles:
    """How sure the answer about each label is, as `choose_categories` gave them.

    Where one is chosen there is an answer about that one alone; about the others it is infinite.
    """
    others = 1 - probabilities if choose == "any" else np.full_like(probabilities, np.inf)
    scores: Doubles = np.where(chosen, probabilities, others)
    return scores
