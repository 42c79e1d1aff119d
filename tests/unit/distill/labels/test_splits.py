from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.labels.splits import cap_sources, largest_cap, split
from schemas.files.task import LabelSpec, Task
from schemas.types import Entity, LabelSource, SilverLabel, text_digest

MakeLabel = Callable[..., SilverLabel]


def letters(number: int) -> str:
    """Tell numbers apart by letters: texts that differ in digits alone are alike."""
    return str(number).translate({ord("0") + i: letter for i, letter in enumerate("abcdefghij")})


def texts(labels: Sequence[SilverLabel]) -> set[str]:
    return {label.text for label in labels}


def test_audit_labels_are_never_trained_on_and_half_of_them_judge(
    task: Task, make_label: MakeLabel
) -> None:
    splits = split([make_label(f"Ada {letters(i)}", audit=True) for i in range(1000)], task=task)
    assert not splits.training
    assert 430 < len(splits.judge) < 570
    assert len(splits.judge) + len(splits.calibration) == 1000


@pytest.mark.parametrize("source", ["bootstrap", "human"])
def test_a_fifth_of_the_cold_start_labels_calibrates(
    task: Task, make_label: MakeLabel, source: LabelSource
) -> None:
    splits = split([make_label(f"Ada {i}", source=source) for i in range(1000)], task=task)
    assert 150 < len(splits.calibration) < 250
    assert len(splits.training) + len(splits.calibration) == 1000
    assert not splits.judge


def test_labels_that_uncertainty_chose_only_train(task: Task, make_label: MakeLabel) -> None:
    labels = [make_label(f"Ada {i}") for i in range(200)]
    labels += [make_label(f"Bo {i}", source="human", record_id="text-0-7") for i in range(200)]
    assert len(split(labels, task=task).training) == 400


def test_a_text_keeps_its_purpose_when_more_labels_arrive(
    task: Task, make_label: MakeLabel
) -> None:
    labels = [
        make_label(f"Ada {letters(i)}", source="bootstrap", audit=i % 3 == 0) for i in range(300)
    ]
    early, late = split(labels[:100], task=task), split(labels, task=task)
    assert texts(early.training) <= texts(late.training)
    assert texts(early.calibration) <= texts(late.calibration)
    assert texts(early.judge) <= texts(late.judge)


def test_the_order_of_the_labels_plays_no_part(task: Task, make_label: MakeLabel) -> None:
    labels = [make_label(f"Ada {i}", source="bootstrap", audit=i % 2 == 0) for i in range(50)]
    assert split(labels, task=task) == split(labels[::-1], task=task)


def test_spans_are_fitted_to_words_for_training_and_judging_alike(
    task: Task, make_label: MakeLabel
) -> None:
    half = Entity(0, 5, "PER", " Ada ")
    labels = [
        make_label(f" Ada {letters(n)}", entities=(half,), audit=n % 2 == 0) for n in range(20)
    ]
    splits = split(labels, task=task)
    found = [*splits.training, *splits.calibration, *splits.judge]
    assert splits.training
    assert splits.judge
    assert {one.entities[0].surface for one in found} == {"Ada"}


def test_texts_of_gold_and_held_out_serve_nothing(task: Task, make_label: MakeLabel) -> None:
    labels = [make_label("Ada"), make_label("Bo", audit=True), make_label("Cy")]
    frozen = {text_digest("Ada"), text_digest("Bo")}
    splits = split(labels, task=task, frozen_texts=frozen)
    assert texts(splits.training) == {"Cy"}
    assert splits.left_out == {"frozen_text": 2}
    assert not [*splits.judge, *splits.calibration]


def test_labels_of_another_task_version_are_left_out_and_counted(
    task: Task, make_label: MakeLabel
) -> None:
    splits = split([make_label("Ada"), make_label("Bo", task_digest="f" * 64)], task=task)
    assert texts(splits.training) == {"Ada"}
    assert splits.counts()["left_out_other_task_version"] == 1


@pytest.mark.parametrize(
    ("entity", "reason"),
    [
        (Entity(0, 3, "SPELL", "Ada"), "unknown_label"),
        (Entity(0, 3, "PER", "Bob"), "not_grounded"),
        (Entity(0, 99, "PER", "Ada"), "not_grounded"),
    ],
)
def test_unsound_labels_are_left_out(
    task: Task, make_label: MakeLabel, entity: Entity, reason: str
) -> None:
    splits = split([make_label("Ada", entities=(entity,))], task=task)
    assert (splits.training, splits.left_out) == ((), {reason: 1})


@pytest.mark.parametrize("weight", [0.0, -1.0, 1.5, float("nan")])
def test_a_weight_outside_its_range_is_left_out(
    task: Task, make_label: MakeLabel, weight: float
) -> None:
    assert split([make_label("Ada", weight=weight)], task=task).left_out == {"bad_weight": 1}


def test_of_two_labels_of_one_text_the_later_counts(task: Task, make_label: MakeLabel) -> None:
    splits = split([make_label("Ada"), make_label("Ada", entities=())], task=task)
    assert [label.entities for label in splits.training] == [()]


def many(make_label: MakeLabel, **sizes: int) -> list[SilverLabel]:
    return [
        make_label(f"{source} {i}", source=source)
        for source, size in sizes.items()
        for i in range(size)
    ]


def test_no_source_holds_more_than_its_share(make_label: MakeLabel) -> None:
    kept = cap_sources(many(make_label, teacher=900, bootstrap=100, human=50), max_share=0.6)
    sizes = Counter(label.source for label in kept)
    assert sizes == {"teacher": 225, "bootstrap": 100, "human": 50}


def test_a_share_of_one_caps_nothing(make_label: MakeLabel) -> None:
    labels = many(make_label, teacher=30, bootstrap=1)
    assert cap_sources(labels, max_share=1.0) == labels


def test_a_single_source_has_nothing_to_be_balanced_with(make_label: MakeLabel) -> None:
    labels = many(make_label, bootstrap=30)
    assert cap_sources(labels, max_share=0.5) == labels


def test_the_same_labels_are_capped_whatever_their_order(make_label: MakeLabel) -> None:
    labels = many(make_label, teacher=90, bootstrap=30)
    shuffled = random.Random(1).sample(labels, len(labels))
    kept = cap_sources(labels, max_share=0.5)
    assert {label.text for label in kept} == {
        label.text for label in cap_sources(shuffled, max_share=0.5)
    }
    assert len(kept) == 60


@settings(max_examples=60)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=3), st.floats(0.05, 1))
def test_the_cap_is_the_largest_that_keeps_the_share(sizes: list[int], share: float) -> None:
    def fits(cap: int) -> bool:
        kept = [min(cap, size) for size in sizes]
        return max(kept) <= share * sum(kept)

    fitting = [cap for cap in range(1, max(sizes) + 1) if fits(cap)]
    assert largest_cap(sizes, share) == (max(fitting) if fitting else None)


def test_labels_from_before_a_label_was_added_train_on_and_are_counted(
    task: Task, make_label: MakeLabel
) -> None:
    wider = replace(task, labels=(*task.labels, LabelSpec("NEW", added=True)))
    labels = [
        make_label(f"Bo {n}", source="teacher", record_id=f"t-0-{n}", task_digest=x.digest)
        for n, x in enumerate([task, task, wider])
    ]
    counts = split(labels, task=wider).counts()
    assert (counts["training"], counts["partly_asked"]) == (3, 2)
    assert "partly_asked" not in split(labels[:2], task=task).counts()


def test_one_of_the_audits_that_are_alike_stands_for_all_and_nothing_like_it_is_learnt(
    task: Task, make_label: MakeLabel
) -> None:
    audits = [make_label(f"Ada {n}", audit=True) for n in range(20)]
    stream = [make_label("ada  77"), make_label("Ada sings")]
    people = [make_label("ADA 78", source="human", record_id="text-0-7")]
    splits = split([*audits, *stream, *people], task=task)
    assert len(splits.judge) + len(splits.calibration) == 1
    assert texts(splits.training) == {"Ada sings", "ADA 78"}
    assert splits.left_out == {"like_an_audit": 20}


def test_of_too_many_labels_the_newest_are_learnt_and_what_people_say(
    task: Task, make_label: MakeLabel
) -> None:
    labels = [make_label(f"Ada {letters(at)}", labelled_at_ms=at) for at in range(1, 30)]
    labels.append(make_label("Bo", source="human", record_id="text-0-7", labelled_at_ms=0))
    splits = split(labels, task=task, most=4)
    assert sorted(one.labelled_at_ms for one in splits.training) == [0, 27, 28, 29]
    assert splits.left_out == {"training_cap": 26}
    assert split(labels, task=task, most=30).training == split(labels, task=task).training


def test_an_audit_that_another_teacher_answered_is_left_out(
    task: Task, make_label: MakeLabel
) -> None:
    audits = [make_label(f"Ada {letters(n)}", audit=True) for n in range(3)]
    said = [replace(one, teacher=name) for one, name in zip(audits, ("best", "", "x"), strict=True)]
    splits = split(said, task=task, first_teacher="best")
    assert len(splits.judge) + len(splits.calibration) == 2
    assert splits.left_out == {"audit_of_another_teacher": 1}
    assert not split(said, task=task).left_out  # one teacher, as it was before there was a list
