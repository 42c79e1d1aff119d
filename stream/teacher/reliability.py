"""Who was right where student and teacher disagreed, by label and the student's confidence: pure.

Counted on texts whose truth people told, that no student learnt from, and that the teacher answered
too. A disagreement is one of three cases: a fact that only the student says, one that only the
teacher says, or one of each in the same place. In each case, for each label and band of confidence,
the student is followed when it was right more often than the teacher: when an exact binomial test
refuses "right half of the time at most", for the label or for all labels together, at one error in
twenty for all these tests (Bonferroni). Of a text and cell one disagreement counts, for those of
one text are not independent.

One more test looks at whole texts: in which of them the student made fewer mistakes than the
teacher. Where it is proved to be the better of the two there, the student *leads*: it is followed
wherever nothing is counted that speaks for the teacher, but for labels and cases of which nothing
is counted at all. Without that, the teacher leads.

Source: C. J. Clopper and E. S. Pearson (1934), https://doi.org/10.1093/biomet/26.4.404, of whose
interval this is one side.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, get_args

from schemas.promises.bounds import sign_test
from schemas.types import Annotated, Category, Entity, Fact, facts

ERROR = 0.05
"""The chance that the evidence deceives us in any cell at all."""
BANDS = (0.5, 0.9)
"""Where the bands of the student's confidence in a fact begin, the lowest at 0."""

Case = Literal["added", "missed", "instead"]
"""Only the student says it; only the teacher does; one of each, that overlap each other alone."""
Part: TypeAlias = Entity | Category

_PREFIX, _TEACHER, _TEXTS = "merge", "merge_teacher", "merge_texts"


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """What is counted together; the label is the student's, in `missed` the teacher's."""

    case: Case
    label: str
    band: int

    @property
    def pool(self) -> tuple[Case, int]:
        """What it has in common with the cells of other labels."""
        return self.case, self.band


@dataclass(frozen=True, slots=True)
class Count:
    """How often the one was right and the other was not, or made fewer mistakes."""

    student: int = 0
    teacher: int = 0

    def __add__(self, other: Count) -> Count:
        """Count both."""
        return Count(self.student + other.student, self.teacher + other.teacher)


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
    texts: Count = Count()
    """Texts in which the one made fewer mistakes than the other."""
    model: str = ""
    prompt_version: str = ""

    def beside(self, model: str, prompt_version: str) -> Reliability:
        """Name the teacher; nothing stays known where nothing is."""
        return replace(self, model=model, prompt_version=prompt_version) if self.counts else self

    @property
    def student_leads(self) -> bool:
        """Whether it is proved that the student makes fewer mistakes than the teacher."""
        return self._proves(self.texts)

    def follows_student(self, cell: Cell) -> bool:
        """Whether the student is right more often than the teacher there, as far as is known.

        That is proved for the label itself; or for all labels together, or by the student's lead,
        where its own counts do not speak against it, nor, under the lead, those of all labels.
        """
        own, of_all = self.counts.get(cell, Count()), self._of_all_labels(cell)
        if self._proves(own):
            return True
        if own.student < own.teacher:
            return False
        if self._proves(of_all):
            return True
        known = cell.label in {one.label for one in self.counts} and of_all != Count()
        return known and self.student_leads and of_all.student >= of_all.teacher

    def _proves(self, count: Count) -> bool:
        return sign_test(count.student, count.teacher) <= ERROR / self._tests()

    def _of_all_labels(self, cell: Cell) -> Count:
        return sum((n for one, n in self.counts.items() if one.pool == cell.pool), Count())

    def _tests(self) -> int:
        """How many tests share the error: one a cell, one for those of many labels, one for all."""
        labels = Counter(cell.pool for cell in self.counts)
        of_texts = self.texts != Count()
        return max(len(self.counts) + sum(n > 1 for n in labels.values()) + of_texts, 1)

    def metrics(self) -> dict[str, float]:
        """Write as a promotion carries figures; see `reliability_in`."""
        if not self.counts:
            return {}
        named = {
            f"{_PREFIX}/{cell.case}/{cell.label}/{cell.band}": count
            for cell, count in sorted(self.counts.items())
        }
        figures = {
            f"{name}/{who}": float(n)
            for name, count in {**named, _TEXTS: self.texts}.items()
            for who, n in (("student", count.student), ("teacher", count.teacher))
        }
        return figures | {f"{_TEACHER}/{self.prompt_version}/{self.model}": 1.0}


NOTHING_KNOWN = Reliability()
"""Without evidence: the teacher wins."""


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
    better = (int(metrics.get(f"{_TEXTS}/{who}", 0)) for who in ("student", "teacher"))
    return Reliability(counts, Count(*better), model, prompt_version)


def measured(
    records: Iterable[tuple[Annotated, Annotated, Collection[Fact]]], *, choose_one: bool
) -> Reliability:
    """Count over texts: what the student says, what the teacher, and the true facts.

    `choose_one` is of a task of categories that asks for one of them.
    """
    counts: dict[Cell, Count] = {}
    texts = Count()
    for student, teacher, gold in records:
        seen: set[Cell] = set()
        texts += _better(mistakes(student, gold), mistakes(teacher, gold))
        for one in disagreements(student, teacher, choose_one=choose_one):
            judged, cell = one.judged(gold), one.cell
            if cell in seen or judged == Count():
                continue
            seen.add(cell)
            counts[cell] = counts.get(cell, Count()) + judged
    return Reliability(counts, texts)


def mistakes(said: Annotated, gold: Collection[Fact]) -> int:
    """Count what is said wrongly, and what is missing."""
    return len(facts(said) ^ set(gold))


def _better(student: int, teacher: int) -> Count:
    return Count(int(student < teacher), int(teacher < student))


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
