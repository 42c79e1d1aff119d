from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from distill.judging.promise import PromiseAsked, Proved, Seen, per_label, proved
from distill.labels.judges import Judges
from distill.labels.splits import Splits
from schemas.files.bundle import read_bundle
from schemas.files.corpus import Example
from schemas.files.task import Task
from schemas.promises.bounds import lower_bound
from schemas.promises.proving import Asked, Sighting
from schemas.promises.settings import PromiseSettings
from schemas.types import Entity, SilverLabel, Tagging
from stream.student import Student
from stream.testing.bundles import write_bundle
from stream.testing.messages import a_promised, a_promotion

MakeLabel = Callable[..., SilverLabel]


@pytest.fixture
def student(tmp_path: Path, task: Task) -> Student:
    """Knows Ada as PER, and no other name."""
    write_bundle(
        tmp_path,
        labels=task.label_names,
        words={"ada": "B-PER"},
        version="v1",
        task=task.name,
        task_digest=task.digest,
    )
    return Student(read_bundle(tmp_path))


@pytest.fixture
def audits(make_label: MakeLabel) -> Callable[..., tuple[SilverLabel, ...]]:
    """Labels of texts about Ada: right by the student, or `wrong` with nobody in them."""

    def make(n: int, *, wrong: int = 0, audit: bool = True) -> tuple[SilverLabel, ...]:
        return tuple(
            make_label(
                f"Ada sings {audit} {i}",
                entities=() if i < wrong else (Entity(0, 3, "PER", "Ada"),),
                audit=audit,
                record_id=f"text-0-{i}" if audit else "",
                labelled_at_ms=i,
            )
            for i in range(n)
        )

    return make


def test_both_halves_of_the_audits_prove_what_is_promised(
    student: Student, task: Task, audits: Callable[..., tuple[SilverLabel, ...]]
) -> None:
    found = audits(300, wrong=1)
    splits = Splits(training=(), calibration=found[:150], judge=found[150:])
    promised = proved(student, splits, PromiseAsked(), task).promised
    assert (promised.proof.state, promised.proof.audited, promised.proof.errors) == ("kept", 300, 1)
    assert (promised.against, promised.stream, promised.watched) == ("teacher", 300, 0.98)
    assert promised.overall == pytest.approx(lower_bound(1, 300, risk=0.05))
    assert promised.per_label.keys() == {"PER"}
    of_person = promised.per_label["PER"]
    assert (of_person.audited, of_person.errors, of_person.accepted_share) == (300, 1, 1.0)
    assert of_person.bound == pytest.approx(lower_bound(1, 300, risk=0.05))


def test_of_what_nobody_promises_nothing_is_saved_on(
    student: Student, task: Task, audits: Callable[..., tuple[SilverLabel, ...]]
) -> None:
    def found(wrong: int, unproved_share: float) -> Proved:
        asked = PromiseAsked(unproved_share=unproved_share)
        return proved(student, Splits((), audits(200, wrong=wrong), ()), asked, task)

    half, fifth = found(60, 0.5), found(60, 0.2)
    assert half.promised == fifth.promised  # what is known of the student is the same
    assert half.promised.proof.state == "unproven"
    assert half.threshold == half.promised.proof.threshold < fifth.threshold
    assert found(0, 0.2).threshold == found(0, 0.5).threshold  # proved


def test_each_label_has_a_threshold_of_its_own() -> None:
    """Persons are right when they are sure, places never; wrong persons make no place wrong."""

    def seen(person: float, place: float, *, right: bool) -> Seen:
        said = frozenset({(0, 3, "PER"), (7, 11, "LOC")})
        truth = frozenset({(0, 3, "PER" if right else "ORG"), (7, 11, "ORG")})
        sighting = Sighting(min(person, place), right=False)
        return Seen(sighting, said, truth, {"PER": person, "LOC": place})

    evidence = [seen(0.9, 0.5, right=True)] * 400 + [seen(0.4, 0.8, right=False)] * 100
    found = per_label(evidence, Asked(agreement=0.98, confidence=0.95))

    person, place = found["PER"], found["LOC"]
    assert (person.threshold, person.accepted_share) == (0.9, 0.8)
    assert (person.audited, person.errors) == (400, 0)
    assert person.bound >= 0.98
    assert (place.bound, place.errors) == (0.0, place.audited)


class Unsure:
    """A student that is surer of the first mention than of the second."""

    def tag(self, texts: Sequence[str]) -> list[Tagging]:
        both = (Entity(0, 3, "PER", "Ada", 0.9), Entity(8, 11, "PER", "Ada", 0.6))
        return [Tagging(both, confidence=0.6, score=0.6) for _ in texts]


class Surer(Unsure):
    """The other way round."""

    def tag(self, texts: Sequence[str]) -> list[Tagging]:
        both = (Entity(0, 3, "PER", "Ada", 0.6), Entity(8, 11, "PER", "Ada", 0.9))
        return [Tagging(both, confidence=0.6, score=0.6) for _ in texts]


@pytest.mark.parametrize("student", [Unsure(), Surer()])
def test_of_a_label_said_twice_the_less_sure_mention_counts(
    student: Unsure, task: Task, make_label: MakeLabel
) -> None:
    only = (Entity(0, 3, "PER", "Ada"),)
    half = make_label("Ada met Ada", entities=only, audit=True, record_id="text-0-1")
    splits = Splits(training=(), calibration=(half,), judge=())
    promised = proved(cast("Student", student), splits, PromiseAsked(), task).promised
    found = promised.per_label["PER"]
    assert (found.threshold, found.audited, found.errors) == (0.6, 1, 1)


def test_the_cold_start_counts_while_the_audits_are_few_and_is_told_apart(
    student: Student, task: Task, audits: Callable[..., tuple[SilverLabel, ...]]
) -> None:
    cold, few, many = audits(160, audit=False), audits(20), audits(298)

    def state(live: tuple[SilverLabel, ...]) -> tuple[str, int, int]:
        splits = Splits(training=(), calibration=cold + live, judge=())
        promised = proved(student, splits, PromiseAsked(), task).promised
        return promised.proof.state, promised.proof.audited, promised.stream

    assert state(few) == ("kept", 180, 20)
    assert state(many) == ("kept", 298, 298)


def test_without_evidence_it_is_unproven_and_the_missing_audits_are_counted(
    student: Student, task: Task
) -> None:
    promised = proved(student, Splits((), (), ()), PromiseAsked(), task).promised
    assert (promised.proof.state, promised.proof.need) == ("unproven", 149)
    assert promised.per_label == {}


def test_people_are_whom_it_agrees_with_where_gold_is_enough(
    student: Student, task: Task, audits: Callable[..., tuple[SilverLabel, ...]]
) -> None:
    gold = [Example(str(i), f"Ada reads {i}", (Entity(0, 3, "PER", "Ada"),)) for i in range(149)]
    splits = Splits(training=(), calibration=audits(50, wrong=5), judge=())
    asked = PromiseAsked.of(PromiseSettings(), Judges("gold", tuple(gold), "1"))
    promised = proved(student, splits, asked, task).promised
    assert (promised.against, promised.proof.state, promised.proof.audited) == (
        "people",
        "kept",
        149,
    )
    # The audits are the teacher's, who errs: what they showed is what is watched for.
    assert 0.7 < promised.watched < 0.9


def test_gold_of_before_the_stream_changed_proves_nothing_of_it_as_it_is(
    student: Student, task: Task, audits: Callable[..., tuple[SilverLabel, ...]]
) -> None:
    gold = [Example(str(i), f"Ada reads {i}", (Entity(0, 3, "PER", "Ada"),)) for i in range(149)]
    first = a_promotion(gold_digest="old", promoted_at_ms=10)
    broken = a_promised(since_ms=20, against="people").metrics()
    champion = replace(first, sequence=2, action="policy", promoted_at_ms=30, metrics=broken)
    learnt = replace(champion, sequence=3, gold_digest="new", action="promote", promoted_at_ms=40)
    history = [first, champion, learnt]
    splits = Splits(training=(), calibration=audits(50, wrong=5), judge=())

    def promised(against: str, digest: str) -> tuple[str, str, bool]:
        settings = PromiseSettings.model_validate({"against": against})
        judges = Judges("gold", tuple(gold), digest)
        asked = PromiseAsked.of(settings, judges, learnt, history)
        found = proved(student, splits, asked, task).promised
        assert found.since_ms == 20
        return found.against, found.proof.state, found.changed

    assert promised("people", "old") == ("people", "unproven", True)
    assert promised("auto", "old") == ("teacher", "unproven", False)
    assert promised("people", "new") == promised("auto", "new") == ("people", "kept", False)


def test_after_a_student_that_promises_nothing_it_is_known_that_the_stream_has_changed() -> None:
    broken = a_promotion(metrics=a_promised(since_ms=20).metrics())
    back = a_promotion(sequence=2, action="rollback")
    judges = Judges("audit", ())
    assert PromiseAsked.of(PromiseSettings(), judges, back, [broken, back]).since_ms == 20
    assert PromiseAsked.of(PromiseSettings(), judges, None, [broken]).since_ms == 0


@pytest.mark.parametrize(
    ("against", "n", "found"),
    [("auto", 149, "people"), ("auto", 148, "teacher"), ("teacher", 149, "teacher")],
)
def test_auto_means_people_where_they_can_prove_it(against: str, n: int, found: str) -> None:
    settings = PromiseSettings.model_validate({"against": against})
    assert PromiseAsked(settings, [Example("1", "Ada", ())] * n).against == found
