from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import permutations

import pytest

from distill.labels.standing import Entry, standing_labels
from schemas.files.task import LabelSpec, Task
from schemas.files.task_identity import Version
from schemas.types import SilverLabel
from schemas.wire.record_ids import label_key, silver_key

MakeLabel = Callable[..., SilverLabel]


@pytest.fixture
def stands(task: Task) -> Callable[[Sequence[Entry]], Sequence[SilverLabel]]:
    return lambda entries: standing_labels(entries, versions=task.versions)


def put(label: SilverLabel, written_ms: int = 0, key: bytes | None = None) -> Entry:
    return Entry(key or label_key(label), label, written_ms)


Stands = Callable[[Sequence[Entry]], Sequence[SilverLabel]]


def test_the_newest_label_of_a_key_counts_and_null_forgets(
    stands: Stands, make_label: MakeLabel
) -> None:
    old, new, other = make_label("Ada"), make_label("Ada", entities=()), make_label("Bo")
    null = Entry(label_key(old), None, 0)
    assert stands([put(old), put(other), put(new)]) == [new, other]
    assert stands([put(old), put(other), null]) == [other]
    assert stands([null, put(new)]) == [new]


def test_a_persons_label_stands_against_the_teachers_in_any_order(
    stands: Stands, make_label: MakeLabel
) -> None:
    person = make_label("Ada", source="human", entities=(), labelled_at_ms=2)
    log = [
        put(make_label("Ada", source="bootstrap", labelled_at_ms=1)),
        put(person),
        put(make_label("Ada", labelled_at_ms=3)),
    ]
    for entries in permutations(log):
        assert stands(entries) == [person]


def test_labels_under_the_one_key_of_0_1_0_are_read_as_they_were(
    stands: Stands, task: Task, make_label: MakeLabel
) -> None:
    """There a teacher's label lies under the text's own key too."""
    key = silver_key(task.name, "Ada")
    old = put(make_label("Ada", labelled_at_ms=1), key=key)
    newer = make_label("Ada", entities=(), labelled_at_ms=2)
    person = make_label("Ada", entities=(), source="human", labelled_at_ms=0)

    assert stands([put(newer), old]) == stands([old, put(newer)]) == [newer]
    assert stands([put(person, key=key), put(newer)]) == [person]
    assert stands([put(person, key=key), old]) == [person], "compaction has not come to it"


def test_another_task_versions_label_hides_none_of_todays_and_stands_again_when_it_is_back(
    task: Task, make_label: MakeLabel
) -> None:
    person = make_label("Ada", source="human", task_digest="f" * 64, labelled_at_ms=1)
    teacher = make_label("Ada", labelled_at_ms=2)
    log = [put(person), put(teacher)]
    assert standing_labels(log, versions=task.versions) == [teacher]
    assert standing_labels(log, versions={"f" * 64: Version()}) == [person]


def test_a_late_answer_of_a_worker_from_before_a_label_was_added_hides_no_whole_answer(
    task: Task, make_label: MakeLabel
) -> None:
    wider = replace(task, labels=(*task.labels, LabelSpec("NEW", added=True)))
    whole = put(make_label("Ada", task_digest=wider.digest, labelled_at_ms=1))
    late = put(make_label("Ada", task_digest=task.digest, labelled_at_ms=2))
    person = put(make_label("Ada", source="human", labelled_at_ms=0))
    for log in permutations([whole, late]):
        assert standing_labels(log, versions=wider.versions) == [whole.label]
    for log in permutations([whole, late, person]):
        assert standing_labels(log, versions=wider.versions) == [person.label]


@pytest.mark.parametrize("forgets", ["human", "teacher"])
def test_null_under_either_key_forgets_what_was_written_before_under_both(
    stands: Stands, make_label: MakeLabel, forgets: str
) -> None:
    person, teacher = make_label("Ada", source="human"), make_label("Ada")
    later = make_label("Ada", entities=())
    null = Entry(label_key(make_label("Ada", source=forgets)), None, 20)
    log = [put(person, 10), put(teacher, 10)]
    assert stands([*log, null]) == []
    assert stands([*log, null, put(later, 30)]) == [later]
    assert stands([*log, put(later, 30), null]) == ([later] if forgets == "human" else [])


def test_labels_are_given_in_the_names_of_today(task: Task, make_label: MakeLabel) -> None:
    per, *others = task.labels
    renamed = replace(task, labels=(replace(per, name="PERSON", was=("PER",)), *others))
    old = make_label("Ada", task_digest=task.digest)
    assert {entity.label for entity in old.entities} == {"PER"}
    (stands,) = standing_labels([put(old)], versions=renamed.versions)
    assert [entity.label for entity in stands.entities] == ["PERSON"]
    assert replace(stands, entities=old.entities) == old
