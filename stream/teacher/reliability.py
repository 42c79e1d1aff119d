"""Who was right where student and teacher disagreed, by label and the student's confidence: pure.

Counted on texts whose truth people told, that no student learnt from, and that the teacher answered
too. A disagreement is one of three cases: a fact that only the student says, one that only the
teacher says, or one of each in the same place. In each case, for each label and band of confidence,
the student is followed when it was right more often than the teacher: when an exact binomial test
refuses "right half of the time at most", at one error in twenty for all cells (Bonferroni).
Of a text and cell one disagreement counts, for those of one text are not independent.

Source: C. J. Clopper and E. S. Pearson (1934), https://doi.org/10.1093/biomet/26.4.404, of whose
interval this is one side.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import comb
from typing import Literal, TypeAlias, get_args

from schemas.types import Annotated, Category, Entity, Fact

ERROR = 0.05
"""The chance that the evidence deceives us in any cell at all."""
BANDS = (0.5, 0.9)
"""Where the bands of the student's confidence in a fact begin, the lowest at 0."""

Case = Literal["added", "missed", "instead"]
"""Only the student says it; only the teacher does; one of each, that overlap each other alone."""
Part: TypeAlias = Entity | Category

_PREFIX, _TEACHER = "merge", "merge_teacher"


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """What is counted together; the label is the student's, in `missed` the teacher's."""

    case: Case
    label: str
    band: int


@dataclass(frozen=True, slots=True)
class Count:
    """Disagreements in which exactly one of the two was right."""

    student: int = 0
    teacher: int = 0


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One case: `students` is None in `missed`, `teachers` in `added`."""

    students: Part | None
    teachers: Part | None

    @property
    def cell(self) -> Cell:
        """Tell what it is counted with."""
        if self.students is None:
            return Cell("missed", self.teachers.label if self.teachers else "", 0)
        case: Case = "added" if self.teachers is None else "instead"
        band = sum(self.students.confidence >= start for start in BANDS)
        return Cell(case, self.students.label, band)

    def judged(self, gold: Collection[Fact]) -> Count:
        """Hold it against the truth; of two that are wrong nobody was right."""
        student = self.students is not None and fact_of(self.students) in gold
        teacher = self.teachers is not None and fact_of(self.teachers) in gold
        if self.students is None:
            student = not teacher
        elif self.teachers is None:
            teacher = not student
        return Count(int(student and not teacher), int(teacher and not student))


@dataclass(frozen=True, slots=True)
class Reliability:
    """The counts of one student beside one teacher, who is a model with a prompt."""

    counts: Mapping[Cell, Count] = field(default_factory=dict)
    model: str = ""
    prompt_version: str = ""

    def beside(self, model: str, prompt_version: str) -> Reliability:
        """Name the teacher; nothing stays known where nothing is."""
        return replace(self, model=model, prompt_version=prompt_version) if self.counts else self

    def follows_student(self, cell: Cell) -> bool:
        """Whether it is proved that the student is right more often than the teacher there."""
        count = self.counts.get(cell)
        if count is None:
            return False
        return chance(count.student, of=count.student + count.teacher) <= ERROR / len(self.counts)

    def metrics(self) -> dict[str, float]:
        """Write as a promotion carries figures; see `reliability_in`."""
        figures = {
            f"{_PREFIX}/{cell.case}/{cell.label}/{cell.band}/{who}": float(n)
            for cell, count in sorted(self.counts.items())
            for who, n in (("student", count.student), ("teacher", count.teacher))
        }
        return figures | (
            {f"{_TEACHER}/{self.prompt_version}/{self.model}": 1.0} if self.counts else {}
        )


NOTHING_KNOWN = Reliability()
"""Without evidence: the teacher wins."""


@lru_cache(maxsize=1024)
def chance(hits: int, *, of: int) -> float:
    """Tell how likely so many hits, or more, are when each is as likely as a miss."""
    return sum(comb(of, k) for k in range(hits, of + 1)) / (1 << of)


def reliability_in(metrics: Mapping[str, float]) -> Reliability:
    """Read what `Reliability.metrics` wrote; whatever else stands there is passed over."""
    found: dict[Cell, dict[str, int]] = {}
    model = prompt_version = ""
    for name, value in metrics.items():
        if (parsed := _parsed(name)) is not None:
            cell, who = parsed
            found.setdefault(cell, {})[who] = int(value)
        elif name.startswith(f"{_TEACHER}/"):
            _, prompt_version, model = name.split("/", 2)
    counts = {cell: Count(n.get("student", 0), n.get("teacher", 0)) for cell, n in found.items()}
    return Reliability(counts, model, prompt_version)


def measured(
    records: Iterable[tuple[Annotated, Annotated, Collection[Fact]]], *, choose_one: bool
) -> Reliability:
    """Count over texts: what the student says, what the teacher, and the true facts.

    `choose_one` is of a task of categories that asks for one of them.
    """
    counts: dict[Cell, Count] = {}
    for student, teacher, gold in records:
        seen: set[Cell] = set()
        for one in disagreements(student, teacher, choose_one=choose_one):
            judged, cell = one.judged(gold), one.cell
            if cell in seen or judged == Count():
                continue
            seen.add(cell)
            old = counts.get(cell, Count())
            counts[cell] = Count(old.student + judged.student, old.teacher + judged.teacher)
    return Reliability(counts)


def disagreements(
    student: Annotated, teacher: Annotated, *, choose_one: bool
) -> Iterator[Disagreement]:
    """Find where they disagree; tangles of more than two spans are left to the teacher."""
    yield from _of_categories(student.categories, teacher.categories, choose_one=choose_one)
    yield from _of_entities(student.entities, teacher.entities)


def fact_of(part: Part) -> Fact:
    """Reduce to what is right or wrong."""
    if isinstance(part, Entity):
        return part.start, part.end, part.label
    return 0, 0, part.label


def _of_categories(
    students: Collection[Category], teachers: Collection[Category], *, choose_one: bool
) -> Iterator[Disagreement]:
    known, said = {one.label for one in teachers}, {one.label for one in students}
    added = [one for one in students if one.label not in known]
    missed = [one for one in teachers if one.label not in said]
    if choose_one:
        yield from (Disagreement(a, b) for a, b in zip(added, missed, strict=False))
        return
    yield from (Disagreement(one, None) for one in added)
    yield from (Disagreement(None, one) for one in missed)


def _of_entities(
    students: Collection[Entity], teachers: Collection[Entity]
) -> Iterator[Disagreement]:
    agreed = {fact_of(one) for one in students} & {fact_of(one) for one in teachers}
    ours = [one for one in students if fact_of(one) not in agreed]
    theirs = [one for one in teachers if fact_of(one) not in agreed]
    for one in ours:
        rivals = [other for other in theirs if _overlap(one, other)]
        if not rivals:
            yield Disagreement(one, None)
        elif len(rivals) == 1 and sum(_overlap(other, rivals[0]) for other in ours) == 1:
            yield Disagreement(one, rivals[0])
    for other in theirs:
        if not any(_overlap(one, other) for one in ours):
            yield Disagreement(None, other)


def _overlap(one: Entity, other: Entity) -> bool:
    return one.start < other.end and other.start < one.end


def _parsed(name: str) -> tuple[Cell, str] | None:
    prefix, _, rest = name.partition("/")
    case, _, rest = rest.partition("/")
    label, *numbers = rest.rsplit("/", 2)
    if prefix != _PREFIX or case not in get_args(Case) or len(numbers) != 2:  # noqa: PLR2004  band and who
        return None
    band, who = numbers
    if not (band.isascii() and band.isdecimal()) or who not in {"student", "teacher"}:
        return None
    return Cell(case, label, int(band)), who  # type: ignore[arg-type]  # looked up above
