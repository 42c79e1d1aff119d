"""Labels about which the teacher is not asked: where the student is proved as good as it. Pure.

Told by records whose truth people told, that nobody learnt from, that the teacher answered, and
that would be deferred: the student's confidence is under the threshold. Each counts for every label
in which the student is unsure there: it says the label, or might have, with a confidence under
the threshold. For such a label a sign test asks whether the student, in those of its records
in which one of the two made fewer mistakes, was the better one more often than not. Whole records
count, for with the question all of the teacher's answer is forgone. All labels that have records
enough to prove anything share the risk (Holm's step-down procedure, which allows for any
dependence: a record may count for several labels). How many records a label has does not depend on
who was right.

A record that is unsure in trusted labels alone is then not asked about. As a further caution none
is trusted where, in the records that would be spared, the student made more mistakes in all.

The threshold may come from the same records. It was set above as many of the student's mistakes
as it could be, so what lies under it speaks against the student rather than for it.

Source: S. Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of
Statistics 6, 1979.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from schemas.promises.bounds import sign_test
from schemas.types import Promotion, Tagging

_PREFIX = "trust_"
_COUNTS = ("records", "student", "teacher")
Teacher = tuple[str, str]
"""The model, and the prompt's version."""
ANOTHER_TEACHER = "another teacher answers than the one beside whom labels were trusted"
"""Reason of a policy that trusts none any more."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A record that would be deferred: in which labels for want of sureness, and whose mistakes."""

    unsure: frozenset[str]
    student: int
    teacher: int


@dataclass(frozen=True, slots=True)
class Tally:
    """Of a label's records, those in which the student, or the teacher, made fewer mistakes."""

    records: int = 0
    student: int = 0
    teacher: int = 0

    @property
    def chance(self) -> float:
        """How likely so few, or fewer, are the teacher's, were both equally good."""
        return sign_test(self.student, self.teacher)


@dataclass(frozen=True, slots=True)
class Trust:
    """What the records tell of each label, and the `labels` that are trusted, sorted."""

    labels: tuple[str, ...] = ()
    tallies: Mapping[str, Tally] = field(default_factory=dict)
    teacher: Teacher = ("", "")
    """Beside whom the student was measured."""

    def metrics(self) -> dict[str, float]:
        """Give the figures that a promotion carries; see `trust_facts` and `trusts_beside`."""
        found = {
            f"{_PREFIX}{name}:{label}": float(value)
            for label, tally in self.tallies.items()
            for name, value in asdict(tally).items()
        }
        return found | {_beside(self.teacher): 1.0} if found else {}


NO_TRUST = Trust()
"""Without evidence: the teacher is asked."""


def unsure_labels(tagging: Tagging, labels: Sequence[str], threshold: float) -> frozenset[str]:
    """Tell in which of the student's `labels` it is less sure than the threshold."""
    if not tagging.label_confidences:
        return frozenset()
    pairs = zip(labels, tagging.label_confidences, strict=True)
    return frozenset(label for label, confidence in pairs if confidence < threshold)


def untrusted_confidence(
    tagging: Tagging, labels: Sequence[str], trusted: Collection[str]
) -> float:
    """Tell how sure the student is as to all of its `labels` but the trusted ones, in [0, 1]."""
    if not trusted or not tagging.label_confidences:
        return tagging.confidence
    pairs = zip(labels, tagging.label_confidences, strict=True)
    return min((confidence for label, confidence in pairs if label not in trusted), default=1.0)


def prove_trust(compared: Sequence[Compared], *, risk: float) -> Trust:
    """Find the labels to trust; that any of them is proved falsely has a chance of `risk`."""
    labels = sorted({label for one in compared for label in one.unsure})
    tallies = {label: _tally([x for x in compared if label in x.unsure]) for label in labels}
    return Trust(tuple(sorted(_unrefuted(_proved(tallies, risk), compared))), tallies)


def trust_facts(promotion: Promotion) -> dict[str, dict[str, int | bool]]:
    """Give by label what was counted for a promotion, and whether its policy trusts the label."""
    prefix, metrics = f"{_PREFIX}records:", promotion.metrics
    labels = [name.removeprefix(prefix) for name in metrics if name.startswith(prefix)]
    return {
        label: {
            **{name: int(metrics.get(f"{_PREFIX}{name}:{label}", 0)) for name in _COUNTS},
            "trusted": label in promotion.policy.trusted,
        }
        for label in labels
    }


def trusts_beside(promotion: Promotion, teacher: Teacher) -> bool:
    """Whether what the policy trusts was proved beside this very teacher, if it trusts any."""
    return not promotion.policy.trusted or _beside(teacher) in promotion.metrics


def without_trust(metrics: Mapping[str, float]) -> dict[str, float]:
    """Give a promotion's other figures."""
    return {name: value for name, value in metrics.items() if not name.startswith(_PREFIX)}


def _beside(teacher: Teacher) -> str:
    model, prompt_version = teacher
    return f"{_PREFIX}beside:{prompt_version}/{model}"


def _tally(compared: Sequence[Compared]) -> Tally:
    return Tally(
        len(compared),
        sum(one.student < one.teacher for one in compared),
        sum(one.teacher < one.student for one in compared),
    )


def _proved(tallies: Mapping[str, Tally], risk: float) -> set[str]:
    tested = [label for label, tally in tallies.items() if 0.5**tally.records <= risk]
    ranked = sorted(tested, key=lambda label: tallies[label].chance)
    for place, label in enumerate(ranked):
        if tallies[label].chance > risk / (len(ranked) - place):
            return set(ranked[:place])
    return set(ranked)


def _unrefuted(labels: set[str], compared: Sequence[Compared]) -> set[str]:
    spared = [one for one in compared if one.unsure and one.unsure <= labels]
    worse = sum(one.student for one in spared) > sum(one.teacher for one in spared)
    return set() if worse else labels
