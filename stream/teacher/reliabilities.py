"""Who was right, apart for records that are deferred and for those that the student settles alone.

Student and teacher differ in other ways where the student is sure, so what was counted there tells
little of what is deferred, and the other way round. Of the sure records only audits are
corrected.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from schemas.types import Annotated, Fact, Tagging
from stream.teacher.reliability import NOTHING_KNOWN, Reliability, measured, reliability_in

_SURE = "sure_"
_THRESHOLD = "merge_threshold"

Told = tuple[Tagging, Annotated, Collection[Fact]]
"""What the student says of a text, what the teacher, and the true facts."""


@dataclass(frozen=True, slots=True)
class Reliabilities:
    """`deferred` is of records under the `threshold`, `sure` of those at or above it.

    Each has the whole of the error for its tests (`stream.teacher.reliability.ERROR`).
    """

    deferred: Reliability = NOTHING_KNOWN
    sure: Reliability = NOTHING_KNOWN
    threshold: float = math.inf

    def of(self, confidence: float) -> Reliability:
        """Give what was counted on records that the student is as sure of."""
        return self.deferred if confidence < self.threshold else self.sure

    def beside(self, model: str, prompt_version: str) -> Reliabilities:
        """Name the teacher, as `Reliability.beside`."""
        deferred, sure = (one.beside(model, prompt_version) for one in (self.deferred, self.sure))
        return Reliabilities(deferred, sure, self.threshold)

    def metrics(self) -> dict[str, float]:
        """Write as a promotion carries figures; see `reliabilities_in`."""
        sure = {f"{_SURE}{name}": value for name, value in self.sure.metrics().items()}
        found = self.deferred.metrics() | sure
        return found | {_THRESHOLD: self.threshold} if found else {}


NOBODY_KNOWN = Reliabilities()
"""Without evidence: the teacher wins."""


def reliabilities_in(metrics: Mapping[str, float]) -> Reliabilities:
    """Read what `metrics` wrote; without a threshold all records were counted together."""
    sure = {
        name.removeprefix(_SURE): value for name, value in metrics.items() if name.startswith(_SURE)
    }
    threshold = metrics.get(_THRESHOLD, math.inf)
    return Reliabilities(reliability_in(metrics), reliability_in(sure), threshold)


def measured_apart(records: Iterable[Told], *, threshold: float, choose_one: bool) -> Reliabilities:
    """Count over texts, as `stream.teacher.reliability.measured`."""
    known = list(records)
    deferred = [one for one in known if one[0].confidence < threshold]
    sure = [one for one in known if one[0].confidence >= threshold]
    return Reliabilities(
        measured(deferred, choose_one=choose_one), measured(sure, choose_one=choose_one), threshold
    )
