"""What an evaluation asks of its figures: the port `Figures`."""

from __future__ import annotations

from typing import Any, Protocol

from distill.judging.scoring import Interval, Scores


class Judged(Protocol):
    """What was found: see `distill.judging.evaluation.Evaluation`."""

    @property
    def scores(self) -> Scores:
        """F1 over facts, overall and by label."""
        ...

    @property
    def f1_interval(self) -> Interval:
        """How sure one may be of the F1."""
        ...

    @property
    def exact_share(self) -> float:
        """Share of the records that are right as a whole."""
        ...

    @property
    def exact_interval(self) -> Interval:
        """How sure one may be of that share."""
        ...


class Figures(Protocol):
    """Names the figures as the kind has them."""

    def quality(self, judged: Judged) -> dict[str, Any]:
        """Give those of quality, for JSON."""
        ...

    def metrics(self, judged: Judged) -> dict[str, float]:
        """Give those that manifests and promotions carry beside what all kinds have."""
        ...
