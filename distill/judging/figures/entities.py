"""Entities: strict span F1."""

from __future__ import annotations

from typing import Any

from distill.judging.figures.figures import Judged


class EntityFigures:
    """See `distill.judging.figures.figures.Figures`."""

    def quality(self, judged: Judged) -> dict[str, Any]:
        """Give micro precision, recall and F1, overall and by label."""
        return {**judged.scores.as_dict(), "f1_interval": judged.f1_interval.as_dict()}

    def metrics(self, judged: Judged) -> dict[str, float]:  # noqa: ARG002 - the port's
        """Give none: what all kinds have says all."""
        return {}
