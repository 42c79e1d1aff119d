from __future__ import annotations

from stream.revise.result import RevisionResult
from stream.revise.times import TimeRange


def test_the_facts_are_told_as_json() -> None:
    result = RevisionResult(times=TimeRange(1, 9), student_version="v2", dry_run=False)
    result.read = 5
    result.published = 2
    result.changed_by.update({"person": 1, "student": 1})
    result.kept.update({"same": 3})

    assert result.as_dict() == {
        "from_ms": 1,
        "to_ms": 9,
        "student": "v2",
        "dry_run": False,
        "read": 5,
        "changed": 2,
        "published": 2,
        "changed_by": {"person": 1, "student": 1},
        "kept": {"same": 3},
        "refused": 0,
        "complete": True,
        "next_from_ms": None,
    }


def test_a_run_goes_on_where_the_partition_that_is_farthest_behind_was_left() -> None:
    result = RevisionResult(times=TimeRange(1, 9), student_version="v2", dry_run=False)
    result.stopped_at(7)
    result.stopped_at(4)
    result.stopped_at(8)
    assert result.next_from_ms == 4
    assert result.as_dict()["complete"] is False
