"""What a file held and what was done to it: comes with each import, for machines and people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from schemas.files.corpus.example import Example
from schemas.files.corpus.options import Format
from schemas.files.kind import Kind
from schemas.types import facts


@dataclass(frozen=True, slots=True, kw_only=True)
class DataReport:
    """`mended` and `dropped` count by reason; `duplicates` are texts that come again.

    `contradictions` are those of them whose labels differ from the first time's. `records`,
    `spans` and `categories` count what the corpus has, after mending and dropping; `per_label`
    counts those of its kind. `unchanged` are texts whose labels stand already as they come:
    nothing is written for them.
    """

    format: Format
    records: int
    spans: int
    per_label: dict[str, int] = field(default_factory=dict)
    mended: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    duplicates: int = 0
    contradictions: int = 0
    unchanged: int = 0
    kind: Kind = "entities"
    categories: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Give the facts for JSON."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Tell a person, in two or three lines."""
        labels = ", ".join(f"{name} {n:,}" for name, n in self.per_label.items())
        n, what = (
            (self.spans, "spans") if self.kind == "entities" else (self.categories, "categories")
        )
        said = f"{n:,} {what} ({labels})" if labels else f"no {what}"
        found = [f"{self.format}: {self.records:,} texts, {said}"]
        done = [("mended", self.mended), ("dropped", self.dropped)]
        if told := [f"{what}: {_listed(counts)}" for what, counts in done if counts]:
            found.append("; ".join(told))
        if self.duplicates:
            found.append(
                f"{self.duplicates:,} texts come again, {self.contradictions:,} of them with "
                "other labels"
            )
        if self.unchanged:
            found.append(f"{self.unchanged:,} texts have their labels already, as they come")
        return found


def make_report(
    form: Format,
    examples: Sequence[Example],
    *,
    kind: Kind,
    mended: Mapping[str, int],
    dropped: Mapping[str, int],
) -> DataReport:
    """Count what a corpus holds."""
    spans = Counter(entity.label for example in examples for entity in example.entities)
    categories = Counter(one.label for example in examples for one in example.categories)
    first: dict[str, Example] = {}
    again = [one for one in examples if first.setdefault(one.text, one) is not one]
    return DataReport(
        format=form,
        records=len(examples),
        spans=spans.total(),
        categories=categories.total(),
        kind=kind,
        per_label=dict(sorted((spans + categories).items())),
        mended={reason: n for reason, n in sorted(mended.items()) if n},
        dropped={reason: n for reason, n in sorted(dropped.items()) if n},
        duplicates=len(again),
        contradictions=sum(facts(one) != facts(first[one.text]) for one in again),
    )


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {n:,}" for name, n in counts.items())
