from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from distill.labels.bootstrap import BootstrapResult, check_labels, label_by_teacher, take_labels
from schemas.categories import of_labels
from schemas.errors import (
    BrokerUnavailableError,
    ConfigError,
    TeacherPermanentError,
    TeacherUnavailableError,
)
from schemas.files.corpus import Example
from schemas.files.task import LabelSpec, Task
from schemas.types import Entity, SilverLabel
from tests.unit.distill.labels.bootstrap_runs import (
    FakeTeacher,
    MakeLabel,
    Sink,
    examples,
    no_progress,
)


async def test_each_answer_becomes_a_label_that_no_record_asked_for(task: Task) -> None:
    sink, seen = Sink(), list[tuple[int, int]]()
    result = await label_by_teacher(
        examples("Ada went", "Bo ran"),
        task=task,
        teacher=FakeTeacher(),
        deliver=sink,
        concurrency=2,
        now_ms=lambda: 77,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert {label.text: label.entities[0].surface for label in sink} == {
        "Ada went": "Ada",
        "Bo ran": "Bo",
    }
    first = sink[0]
    assert (first.source, first.record_id, first.audit, first.weight) == ("bootstrap", "", False, 1)
    assert (first.task_digest, first.teacher_model, first.labelled_at_ms) == (
        task.digest,
        "sim",
        77,
    )
    assert result.labelled == 2
    assert seen == [(1, 2), (2, 2)]


async def test_failures_are_passed_over_and_counted_by_reason(task: Task) -> None:
    sink = Sink()
    result = await label_by_teacher(
        examples("refuse a", "Ada", "break b", "refuse c", "Bo", "down d"),
        task=task,
        teacher=FakeTeacher(),
        deliver=sink,
        concurrency=1,
        now_ms=lambda: 0,
        progress=no_progress,
    )
    assert [label.text for label in sink] == ["Ada", "Bo"]
    assert result.failed == {"refused": 2, "invalid_answer": 1, "teacher_unavailable": 1}


async def test_no_more_calls_run_at_once_than_allowed(task: Task) -> None:
    teacher = FakeTeacher()
    await label_by_teacher(
        examples(*(f"Ada {i}" for i in range(40))),
        task=task,
        teacher=teacher,
        deliver=Sink(),
        concurrency=5,
        now_ms=lambda: 0,
        progress=no_progress,
    )
    assert teacher.most_at_once == 5
    assert len(teacher.asked) == 40


async def test_a_spent_budget_ends_the_run(task: Task) -> None:
    teacher = FakeTeacher()
    result = await label_by_teacher(
        examples("Ada", "broke", *(f"Bo {i}" for i in range(50))),
        task=task,
        teacher=teacher,
        deliver=Sink(),
        concurrency=1,
        now_ms=lambda: 0,
        progress=no_progress,
    )
    assert len(teacher.asked) == 2
    assert (result.labelled, result.failed) == (1, {"budget_exhausted": 1, "not_asked": 50})


async def test_a_teacher_that_is_down_ends_the_run_with_an_error(task: Task) -> None:
    teacher = FakeTeacher()
    with pytest.raises(TeacherUnavailableError, match="run the command again"):
        await label_by_teacher(
            examples(*(f"down {i}" for i in range(500))),
            task=task,
            teacher=teacher,
            deliver=Sink(),
            concurrency=4,
            now_ms=lambda: 0,
            progress=no_progress,
        )
    assert len(teacher.asked) < 30


async def test_a_teacher_that_is_down_for_every_text_of_a_few_is_an_error_too(task: Task) -> None:
    with pytest.raises(TeacherUnavailableError, match="0 labels are written"):
        await label_by_teacher(
            examples("down 1", "down 2"),
            task=task,
            teacher=FakeTeacher(),
            deliver=Sink(),
            concurrency=1,
            now_ms=lambda: 0,
            progress=no_progress,
        )


async def test_a_teacher_that_refuses_us_ends_the_run_at_once_and_counts_no_text(
    task: Task,
) -> None:
    teacher, sink = FakeTeacher(), Sink()
    with pytest.raises(TeacherPermanentError, match="it answered 402; 1 labels are written"):
        await label_by_teacher(
            examples("Ada", *(f"unpaid {i}" for i in range(500))),
            task=task,
            teacher=teacher,
            deliver=sink,
            concurrency=4,
            now_ms=lambda: 0,
            progress=no_progress,
        )
    assert len(teacher.asked) <= 5


async def test_every_refusal_says_its_reason_in_the_log(task: Task) -> None:
    with capture_logs() as logs:
        await label_by_teacher(
            examples("break a"),
            task=task,
            teacher=FakeTeacher(),
            deliver=Sink(),
            concurrency=1,
            now_ms=lambda: 0,
            progress=no_progress,
        )
    (refused,) = logs
    assert (refused["event"], refused["code"]) == ("answer_refused", "invalid_answer")
    assert refused["reason"] == "not JSON"


@pytest.mark.parametrize(
    ("labelled", "failed", "mostly"),
    [
        (2, {"refused": 1, "invalid_answer": 2}, True),
        (3, {"invalid_answer": 3}, False),
        (0, {"invalid_answer": 4}, False),
        (2, {"teacher_unavailable": 9}, False),
        (0, {}, False),
    ],
)
def test_over_half_of_at_least_five_answers_is_most(
    labelled: int, failed: dict[str, int], *, mostly: bool
) -> None:
    assert BootstrapResult(labelled, failed=failed).mostly_refused is mostly


async def test_a_broker_that_is_away_ends_the_run_with_its_own_error(task: Task) -> None:
    async def deliver(_label: SilverLabel) -> None:
        raise BrokerUnavailableError("away")

    with pytest.raises(BrokerUnavailableError, match="away"):
        await label_by_teacher(
            examples("Ada", "Bo", "Cy"),
            task=task,
            teacher=FakeTeacher(),
            deliver=deliver,
            concurrency=2,
            now_ms=lambda: 0,
            progress=no_progress,
        )


async def test_labelled_examples_become_human_labels(task: Task) -> None:
    sink = Sink()
    gold = [Example("1", "Ada", (Entity(0, 3, "PER", "Ada"),)), Example("2", "rain", ())]
    result = await take_labels(
        gold, task=task, deliver=sink, now_ms=lambda: 5, progress=no_progress
    )
    assert result.labelled == 2
    assert [(label.source, label.entities) for label in sink] == [
        ("human", gold[0].entities),
        ("human", ()),
    ]


def test_labels_that_the_task_does_not_know_are_refused_by_name(task: Task) -> None:
    with pytest.raises(ConfigError, match="lacks: LOC, SPELL"):
        check_labels(
            [Example("1", "ab", (Entity(0, 1, "SPELL", "a"), Entity(1, 2, "LOC", "b")))], task
        )


@pytest.mark.parametrize(
    ("example", "why"),
    [
        (Example("f.jsonl:3", "Ada", (), categories=of_labels(["glad", "sad"])), "2 categories"),
        (Example("f.jsonl:3", "Ada", ()), "0 categories"),
        (Example("f.jsonl:3", "Ada", (Entity(0, 3, "sad", "Ada"),)), "entities"),
    ],
)
def test_what_is_no_choice_of_one_is_refused_with_its_place(example: Example, why: str) -> None:
    moods = (LabelSpec("glad"), LabelSpec("sad"))
    mood = Task("mood", "en", moods, kind="categories", choose="one")
    check_labels([Example("1", "Bo", (), categories=of_labels(["sad"]))], mood)
    with pytest.raises(ConfigError, match=rf"f\.jsonl:3: .*{why}"):
        check_labels([example], mood)
    with pytest.raises(ConfigError, match="lacks: joy"):
        check_labels([Example("1", "Bo", (), categories=of_labels(["joy"]))], mood)


async def test_a_corrected_audit_stays_an_audit(task: Task, make_label: MakeLabel) -> None:
    audit = make_label("Ada", audit=True, record_id="text-0-7", source="teacher")
    sink = Sink()
    await take_labels(
        examples("Ada", "Bo"),
        task=task,
        deliver=sink,
        now_ms=lambda: 5,
        progress=no_progress,
        replacing=[audit],
    )
    assert [(label.source, label.audit, label.record_id) for label in sink] == [
        ("human", True, "text-0-7"),
        ("human", False, ""),
    ]


@dataclass
class FakeLot(FakeTeacher):
    texts: list[str] = field(default_factory=list)


@dataclass
class FakeLane:
    """Gives two texts a lot."""

    begun: int = 0
    sink: Sink = field(default_factory=Sink)
    written: list[int] = field(default_factory=list)

    async def lots(self, texts: Sequence[str]) -> AsyncGenerator[FakeLot]:
        for at in range(0, len(texts), 2):
            self.begun += 1
            self.written.append(len(self.sink))
            yield FakeLot(texts=[*texts[at : at + 2]])


@pytest.mark.parametrize("last", ["Cy sat", "broke it"])
async def test_in_batches_labels_are_written_as_each_ends_until_the_money_is_spent(
    task: Task, last: str
) -> None:
    lane, refused = FakeLane(), list[tuple[str, str]]()
    more = ["Di ate"] if last == "broke it" else []
    result = await label_by_teacher(
        examples("Ada went", "refuse this", last, *more, *["Ed"] * 2 * len(more)),
        task=task,
        teacher=FakeTeacher(),
        deliver=lane.sink,
        concurrency=1,
        now_ms=lambda: 77,
        progress=no_progress,
        lane=cast("Any", lane),
        refused=lambda text, code: refused.append((text, code)),
    )
    assert (lane.begun, lane.written) == (2, [0, 1])
    assert refused == [("refuse this", "refused")]
    assert result.labelled == (1 if more else 2)
    assert result.failed.get("not_asked", 0) == (3 if more else 0)
