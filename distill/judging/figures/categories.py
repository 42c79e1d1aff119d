"""Categories: accuracy, macro F1, and micro F1 where a text may have any number."""

from __future__ import annotations

from typing import Any

from distill.judging.figures.figures import Judged
from schemas.categories import Choose


class CategoryFigures:
    """See `distill.judging.figures.figures.Figures`.

    `accuracy` is the share of texts whose categories are exactly right; to choose one that is the
    gate's measure, to choose any `micro_f1` is.
    """

    def __init__(self, choose: Choose) -> None:
        self._choose = choose

    def quality(self, judged: Judged) -> dict[str, Any]:
        """Give the figures, overall and by label."""
        by_label = judged.scores.as_dict()["per_label"]
        return {
            **self.metrics(judged),
            "accuracy_interval": judged.exact_interval.as_dict(),
            "per_label": by_label,
        }

    def metrics(self, judged: Judged) -> dict[str, float]:
        """Give accuracy, macro F1 and, to choose any, micro F1."""
        found = {"accuracy": judged.exact_share, "macro_f1": judged.scores.macro_f1}
        return found if self._choose == "one" else found | {"micro_f1": judged.scores.f1}
