"""What a student asks of its head: the port `Head`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from schemas.errors import TaggingError
from schemas.files.manifest import Calibration
from schemas.types import Tagging
from stream.student.encoding import Window

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

Run = Callable[[Sequence[Window]], Iterable[tuple[Sequence[int], Floats]]]
"""Runs the model on windows, in batches: numbers of the windows, and their logits."""


class Head(Protocol):
    """Reads taggings off logits; a text's never depends on its company."""

    def shape(self, n_windows: int, n_tokens: int) -> tuple[int, ...]:
        """Give the shape that logits must have for windows of so many tokens."""
        ...

    def tag(
        self,
        texts: Sequence[str],
        windows: Sequence[Sequence[Window]],
        run: Run,
        *,
        doubts: bool = False,
    ) -> list[Tagging]:
        """Tag the texts; `windows` are those of each, none for a text without words.

        With `doubts` the taggings say what they are unsure of.
        Raises `TaggingError` when a logit that counts is no finite number.
        """
        ...


def label_confidences(scores: Doubles, calibration: Calibration) -> list[tuple[float, ...]]:
    """Calibrate how sure each text is as to each label; 1 where a score is infinite: no part.

    float64 [texts, labels].
    """
    confidences = calibration.apply(np.minimum(scores, 1.0))
    confidences[np.isinf(scores)] = 1.0
    return [tuple(row) for row in confidences.tolist()]


def require_finite(logits: Floats) -> None:
    """Raise `TaggingError` unless all are finite."""
    if not np.isfinite(logits).all():
        raise TaggingError("the student gave a logit that is no finite number")
