"""Several teachers compared, on audits about which all of them and the student were asked: pure.

Two things are counted. *Agreement*: of the texts in which one of two says a label at all, those in
which both say the same of it; the two are teachers, a teacher and the student, or a teacher and
people, where gold has the text. And what it would cost to ask another teacher than the *first*,
which is the best until something else is proved: whole texts in which the other makes more
mistakes, or fewer. A mistake is counted against people where they told the truth (`gold`), else
against the first's own answer, which then makes none (`first`).

The latter counts only records that would be deferred, under each label that the student proposes,
for that is what a request says; and under all of them together. Where another teacher refuses, or
cannot be read, the student's tagging stands, and counts as what it said. A teacher is good enough
for a request if it is for each label that the student proposes there: if the upper bound of its
loss, the share in which it is the worse one less that in which it is the better, is no more than
tolerated. That may be proved for the label itself, or for all records together where the label's
own count does not speak against it. Each bound errs in one case of twenty.

Source of the bound: A. Agresti and Y. Min, Simple improved confidence intervals for comparing
matched proportions, Statistics in Medicine 24, 2005; it is too narrow where hardly anybody was
worse, so that the exact bound of the difference (`schemas.promises.bounds`) is taken too.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Final, Literal, TypeAlias, get_args

from schemas.promises.bounds import lower_bound
from schemas.types import Fact, SilverLabel, facts, text_digest

RISK: Final = 0.05
_Z: Final = 1.6449
"""The normal quantile of `1 - RISK`."""
STUDENT: Final = "@student"
GOLD: Final = "@gold"
"""Beside the names of teachers, none of which begins so."""
_PREFIX: Final = "teachers"

Against = Literal["gold", "first"]
Of: TypeAlias = str | None
"""A label that the student proposes, "" where it proposes none; None for all records together."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Records in which a teacher made more mistakes than the first, or fewer."""

    records: int = 0
    worse: int = 0
    better: int = 0

    def __add__(self, other: Tally) -> Tally:
        """Count both."""
        return Tally(
            self.records + other.records, self.worse + other.worse, self.better + other.better
        )

    @property
    def loss(self) -> float:
        """The share in which it was worse, less that in which it was better."""
        return (self.worse - self.better) / self.records if self.records else 0.0

    @property
    def loss_bound(self) -> float:
        """The most that the loss may be, but for a chance of `RISK`; 1 where nothing is counted."""
        if not self.records:
            return 1.0
        net = max(self.worse - self.better, 0)
        return max(self._of_matched, 1 - lower_bound(net, self.records, risk=RISK))

    @property
    def _of_matched(self) -> float:
        n, worse, better = self.records + 2, self.worse + 0.5, self.better + 0.5
        spread = math.sqrt(max(worse + better - (worse - better) ** 2 / n, 0.0)) / n
        return (worse - better) / n + _Z * spread


@dataclass(frozen=True, slots=True)
class Agreement:
    """Texts in which one of two says a label, and those in which both say the same of it."""

    texts: int = 0
    agreed: int = 0

    @property
    def share(self) -> float:
        """The share that agrees, as far as is known: half where nothing is (Laplace's rule)."""
        return (self.agreed + 1) / (self.texts + 2)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was counted of all teachers; `models` are who they were, each with its prompt.

    A tally is of a teacher, what it was held against, and a label; an agreement of two, of whom the
    first is a teacher, and a label.
    """

    tallies: Mapping[tuple[str, Against, Of], Tally] = field(default_factory=dict)
    agreements: Mapping[tuple[str, str, str], Agreement] = field(default_factory=dict)
    models: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def is_good_enough(self, teacher: str, labels: Collection[str], *, tolerated: float) -> bool:
        """Whether to ask this teacher costs no more than `tolerated` where these are proposed."""
        return any(
            all(self._proves(teacher, against, of, tolerated) for of in labels or ("",))
            for against in get_args(Against)
        )

    def agreement(self, one: str, other: str, label: str) -> Agreement:
        """Give what was counted of two, in either order."""
        nothing = Agreement()
        found = self.agreements.get((one, other, label))
        return found or self.agreements.get((other, one, label), nothing)

    def _proves(self, teacher: str, against: Against, of: Of, tolerated: float) -> bool:
        own = self.tallies.get((teacher, against, of), Tally())
        if own.loss_bound <= tolerated:
            return True
        of_all = self.tallies.get((teacher, against, None), Tally())
        return own.records > 0 and own.loss <= tolerated and of_all.loss_bound <= tolerated

    def metrics(self) -> dict[str, float]:
        """Write as a promotion carries figures; see `comparison_in`."""
        found: dict[str, float] = {}
        for (teacher, against, of), tally in self.tallies.items():
            where = "all" if of is None else f"label/{of}"
            name = f"{_PREFIX}/loss/{teacher}/{against}/{where}"
            counts = {"records": tally.records, "worse": tally.worse, "better": tally.better}
            found |= {f"{name}/{what}": float(n) for what, n in counts.items()}
        for (one, other, label), agreement in self.agreements.items():
            name = f"{_PREFIX}/agreed/{one}/{other}/{label}"
            found |= {f"{name}/texts": float(agreement.texts), f"{name}/agreed": agreement.agreed}
        for teacher, (model, prompt) in self.models.items():
            found[f"{_PREFIX}/model/{teacher}/{prompt}/{model}"] = 1.0
        return found


NOTHING_COMPARED: Final = Comparison()
"""Without evidence the first teacher is asked."""


def comparison_in(metrics: Mapping[str, float]) -> Comparison:
    """Read what `Comparison.metrics` wrote; whatever else stands there is passed over."""
    tallies: defaultdict[tuple[str, Against, Of], dict[str, int]] = defaultdict(dict)
    agreements: defaultdict[tuple[str, str, str], dict[str, int]] = defaultdict(dict)
    models: dict[str, tuple[str, str]] = {}
    for name, value in metrics.items():
        match name.split("/", 2):
            case [prefix, "loss", rest] if prefix == _PREFIX:
                teacher, against, rest = rest.split("/", 2)
                where, _, count = rest.rpartition("/")
                of = None if where == "all" else where.removeprefix("label/")
                tallies[teacher, against, of][count] = int(value)  # type: ignore[index] # as written
            case [prefix, "agreed", rest] if prefix == _PREFIX:
                one, other, rest = rest.split("/", 2)
                label, _, count = rest.rpartition("/")
                agreements[one, other, label][count] = int(value)
            case [prefix, "model", rest] if prefix == _PREFIX:
                teacher, prompt, model = rest.split("/", 2)
                models[teacher] = (model, prompt)
    return Comparison(
        {of: Tally(**counts) for of, counts in tallies.items()},
        {of: Agreement(**counts) for of, counts in agreements.items()},
        models,
    )


@dataclass(frozen=True, slots=True)
class _Audit:
    """What all say of one text; `truth` is people's, None where they did not tell.

    Of those who `refused` the student's tagging stands.
    """

    said: Mapping[str, frozenset[Fact]]
    refused: frozenset[str]
    student: frozenset[Fact]
    confidence: float
    truth: frozenset[Fact] | None


def compared(
    labels: Iterable[SilverLabel],
    truths: Mapping[str, frozenset[Fact]],
    *,
    first: str,
    threshold: float,
) -> Comparison:
    """Count over the audits that the `first` teacher answered and others were asked about.

    `truths` are people's, by the text's digest. Records under the `threshold` are deferred. Of
    each teacher only what it said as the model, and to the prompt, that answered last counts.
    """
    audits = [x for x in labels if x.audit and x.opinions and x.teacher == first]
    models = _models(audits)
    tallies: defaultdict[tuple[str, Against, Of], Tally] = defaultdict(Tally)
    agreements: defaultdict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])
    for audit in _read(audits, models, truths):
        for teacher, against, tally in _tallied(audit, first):
            if audit.confidence < threshold:
                for of in (None, *({label for _, _, label in audit.student} or {""})):
                    tallies[teacher, against, of] += tally
        for one, other, label, agreed in _agreed(audit):
            counts = agreements[one, other, label]
            counts[0] += 1
            counts[1] += agreed
    return Comparison(
        dict(tallies), {of: Agreement(*counts) for of, counts in agreements.items()}, models
    )


def _models(audits: Sequence[SilverLabel]) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for audit in sorted(audits, key=lambda one: one.labelled_at_ms):
        found[audit.teacher] = (audit.teacher_model, audit.prompt_version)
        for one in audit.opinions:
            if one.teacher and not one.refused:
                found[one.teacher] = (one.model, audit.prompt_version)
    return found


def _read(
    audits: Iterable[SilverLabel],
    models: Mapping[str, tuple[str, str]],
    truths: Mapping[str, frozenset[Fact]],
) -> Iterator[_Audit]:
    for audit in audits:
        version = audit.prompt_version
        if models[audit.teacher] != (audit.teacher_model, version):
            continue
        student = next((one for one in audit.opinions if not one.teacher), None)
        if student is None:
            continue
        said = {
            one.teacher: frozenset(student.facts if one.refused else one.facts)
            for one in audit.opinions
            if one.teacher and (one.refused or models[one.teacher] == (one.model, version))
        }
        if said:
            yield _Audit(
                {audit.teacher: facts(audit), **said},
                frozenset(one.teacher for one in audit.opinions if one.refused),
                frozenset(student.facts),
                student.confidence,
                truths.get(text_digest(audit.text)),
            )


def _tallied(audit: _Audit, first: str) -> Iterator[tuple[str, Against, Tally]]:
    against: Against = "first" if audit.truth is None else "gold"
    truth = audit.said[first] if audit.truth is None else audit.truth
    least = len(audit.said[first] ^ truth)
    for teacher, said in audit.said.items():
        if teacher != first:
            more = len(said ^ truth) - least
            yield teacher, against, Tally(1, int(more > 0), int(more < 0))


def _agreed(audit: _Audit) -> Iterator[tuple[str, str, str, bool]]:
    others = {STUDENT: audit.student}
    if audit.truth is not None:
        others[GOLD] = audit.truth
    said = sorted(item for item in audit.said.items() if item[0] not in audit.refused)
    pairs = [
        *combinations(said, 2),
        *((one, other) for one in said for other in others.items()),
    ]
    for (one, ours), (other, theirs) in pairs:
        for label in sorted({label for _, _, label in ours | theirs}):
            yield one, other, label, _of(ours, label) == _of(theirs, label)


def _of(said: Iterable[Fact], label: str) -> frozenset[Fact]:
    return frozenset(fact for fact in said if fact[2] == label)
