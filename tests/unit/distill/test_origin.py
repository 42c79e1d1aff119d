from __future__ import annotations

from pathlib import Path

from distill.labels.snapshot import Snapshot
from distill.labels.table import LabelTable
from distill.origin import student_version


def test_the_names_of_students_sort_by_age_and_tell_labels_apart() -> None:
    one, other = (Snapshot(Path("snapshot"), digest * 64, LabelTable.of([])) for digest in "9a")
    names = [student_version(at_ms, one) for at_ms in (999_999_999_000, 1_000_000_000_000)]
    assert names == ["20010909T014639Z-99999999", "20010909T014640Z-99999999"]
    assert student_version(999_999_999_000, other) == "20010909T014639Z-aaaaaaaa"
