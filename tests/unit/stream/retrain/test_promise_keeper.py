from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, cast

from structlog.testing import capture_logs

from schemas.canaries.holds import Hold
from schemas.errors import BrokerUnavailableError
from schemas.files.task import LabelSpec, Task
from schemas.promises.record import LabelBound, promised_by
from schemas.types import Promotion, Tagging
from stream.retrain.promise_keeper import PromiseKeeper
from stream.student import Student
from stream.testing.messages import POLICY, a_promotion
from stream.watch.metrics import Metrics
from tests.unit.stream.retrain.promise_logs import PROMISED, TASK, Lists, audits


async def test_a_student_of_another_version_of_the_task_is_not_watched_and_that_is_told_once(
    keeper: PromiseKeeper, log: Lists
) -> None:
    keeper.task = Task(name="test", language="en", labels=(LabelSpec("PER"), LabelSpec("LOC")))
    log.audits = audits(10, wrong=True)
    with capture_logs() as logs:
        await keeper.tick()
        await keeper.tick()
    assert len(log.promotions) == 1
    [told] = [entry for entry in logs if entry["event"] == "promise_unwatched"]
    assert (told["student"], "nobody watches" in told["error"]) == ("v1", True)


async def test_nobody_is_told_that_a_promise_is_kept_until_the_task_is_the_students_again(
    log: Lists, student: Student
) -> None:
    """What the topic says already is not said again, however often the keeper starts."""

    def started(task: Task) -> PromiseKeeper:
        return PromiseKeeper(
            task=task, log=log, load=lambda _: student, metrics=Metrics(), now_ms=lambda: 5000
        )

    promised = replace(PROMISED, per_label={"PER": LabelBound(0.7, 0.9, 180, 0, 0.98, "kept")})
    log.promotions = [replace(log.promotions[0], metrics=promised.metrics())]
    edited = replace(TASK, labels=(*TASK.labels, LabelSpec("LOC")))
    for task in (TASK, edited, edited, TASK):
        keeper = started(task)
        await keeper.tick()
        await keeper.tick()
    kept = [("", "kept"), ("PER", "kept")]
    unproven = [("", "unproven"), ("PER", "unproven")]
    assert [(one.label, one.state) for one in log.published] == [*kept, *unproven, *kept]
    assert log.published[:2] == log.published[4:]
    assert len(log.promotions) == 1


async def test_audits_that_another_teacher_answered_break_nothing(
    keeper: PromiseKeeper, log: Lists
) -> None:
    keeper.first_teacher = "best"
    log.audits = [replace(one, teacher="cheap") for one in audits(10, wrong=True)]
    await keeper.tick()
    assert len(log.promotions) == 1


async def test_a_promise_that_breaks_is_withdrawn_under_another_policy_at_once(
    keeper: PromiseKeeper, log: Lists
) -> None:
    log.audits = audits(10, wrong=True)
    with capture_logs() as logs:
        await keeper.tick()
    first, changed = log.promotions
    assert (changed.action, changed.sequence, changed.parent) == ("policy", 2, "v1")
    assert (changed.student_version, changed.digest) == ("v1", first.digest)
    assert changed.policy.threshold > first.policy.threshold
    assert changed.policy_digest != first.policy_digest
    assert changed.metrics["f1"] == 0.8
    promised = promised_by(changed)
    assert promised is not None
    assert promised.proof.state == "broken"
    assert [one.state for one in log.published] == ["kept", "broken"]
    assert [entry["log_level"] for entry in logs if entry["event"] == "promise_broken"] == ["error"]
    value = keeper.metrics.registry.get_sample_value(
        "silverstream_promise_state_info", {"state": "broken"}
    )
    assert value == 1


async def test_while_the_teacher_is_doubted_the_last_policy_stands(
    keeper: PromiseKeeper, log: Lists
) -> None:
    holds = [Hold(10**6)]  # nor does what was said before the change change it

    async def held() -> Sequence[Hold]:
        return holds

    keeper.holds = held
    log.audits = audits(10, wrong=True)
    await keeper.tick()
    assert len(log.promotions) == 1
    holds[:] = [Hold(50)]
    await keeper.tick()
    assert len(log.promotions) == 1
    holds[:] = [Hold(50, 10**6)]  # another teacher is asked: these are no audits for good
    await keeper.tick()
    assert len(log.promotions) == 1
    holds[:] = [Hold(50, 10**6, released=True)]
    await keeper.tick()
    assert len(log.promotions) == 2


async def test_a_stream_that_changes_takes_the_promise_back_before_it_breaks(
    keeper: PromiseKeeper, log: Lists
) -> None:
    """All that the student gets wrong is what it would not have settled alone."""
    promised = replace(PROMISED, proof=replace(PROMISED.proof, threshold=0.999), overall=0.8)
    policy = replace(POLICY, threshold=0.999)
    log.promotions = [replace(log.promotions[0], policy=policy, metrics=promised.metrics())]
    log.audits = audits(20, wrong=True)
    with capture_logs() as logs:
        await keeper.tick()
    _, changed = log.promotions
    assert (changed.action, changed.policy.threshold) == ("policy", 0.999)
    assert changed.reason.startswith("the stream has changed")
    found = promised_by(changed)
    assert found is not None
    assert (found.proof.state, found.since_ms, found.overall) == ("unproven", 100, 0.0)
    assert "promise_stream_changed" in {entry["event"] for entry in logs}
    assert {one.state for one in log.published if one.policy_version == changed.policy_digest} >= {
        "unproven"
    }
    await keeper.tick()
    assert len(log.promotions) == 2


async def test_it_mends_itself_when_the_audits_since_prove_it(
    keeper: PromiseKeeper, log: Lists
) -> None:
    log.audits = audits(3, wrong=True)
    await keeper.tick()
    log.audits = audits(100, wrong=False, since=6000)
    await keeper.tick()
    assert [one.action for one in log.promotions] == ["promote", "policy"]
    log.audits = audits(900, wrong=False, since=7000)
    await keeper.tick()
    last = promised_by(log.promotions[-1])
    assert last is not None
    assert (last.proof.state, last.proof.errors) == ("kept", 3)
    assert [one.state for one in log.published] == ["kept", "broken", "kept"]


async def test_audits_that_agree_change_nothing_and_the_promise_is_said_once(
    keeper: PromiseKeeper, log: Lists
) -> None:
    log.audits = audits(50, wrong=False)
    await keeper.tick()
    await keeper.tick()
    assert len(log.promotions) == 1
    assert [(one.label, one.state) for one in log.published] == [("", "kept")]


class Noting(float):
    """A confidence that notes which threads compare it."""

    threads: ClassVar[set[threading.Thread]] = set()

    def __ge__(self, other: float) -> bool:
        self.threads.add(threading.current_thread())
        return super().__ge__(other)


async def test_however_many_audits_there_are_they_hold_up_no_probe(
    keeper: PromiseKeeper, log: Lists, student: Student
) -> None:
    class Sure:
        digest = student.digest

        def tag(self, texts: Sequence[str]) -> list[Tagging]:
            return [replace(one, confidence=Noting(0.9)) for one in student.tag(texts)]

    keeper.load = lambda _: cast("Student", Sure())
    log.audits = audits(20, wrong=False)
    await keeper.tick()
    assert Noting.threads
    assert threading.main_thread() not in Noting.threads


async def test_a_text_that_is_audited_again_counts_once(keeper: PromiseKeeper, log: Lists) -> None:
    log.audits = audits(1, wrong=True) * 50
    await keeper.tick()
    assert len(log.promotions) == 1


async def test_whoever_was_slower_looks_again_and_says_nothing_false(
    keeper: PromiseKeeper, log: Lists
) -> None:
    log.rival = log.promotions[0]
    log.audits = audits(10, wrong=True)
    await keeper.tick()
    assert len(log.promotions) == 1
    log.rival = None
    await keeper.tick()
    assert log.promotions[-1].action == "policy"


async def test_a_broker_that_is_away_is_waited_for(keeper: PromiseKeeper, log: Lists) -> None:
    log.error = BrokerUnavailableError("away")
    with capture_logs() as logs:
        await keeper.tick()
    assert logs[0]["event"] == "promise_unwatched"


async def test_a_student_of_before_promises_is_left_alone(
    keeper: PromiseKeeper, log: Lists
) -> None:
    log.promotions = [replace(log.promotions[0], metrics={})]
    log.audits = audits(50, wrong=True)
    await keeper.tick()
    assert len(log.promotions) == 1
    assert log.published == []


def never(_promotion: Promotion) -> Student:
    raise AssertionError("nothing is promised, so nothing is loaded")


async def test_a_history_that_is_shorter_than_it_was_is_told_once(tmp_path: Path) -> None:
    log = Lists(a_promotion())
    log.promotions.append(a_promotion(sequence=2, parent="v1"))
    keeper = PromiseKeeper(task=TASK, log=log, load=never, metrics=Metrics(), now_ms=lambda: 1)
    with capture_logs() as logs:
        await keeper.tick()
        log.promotions.clear()
        await keeper.tick()
        await keeper.tick()
    told = [(x["entries"], x["before"]) for x in logs if x["event"] == "promotions_lost"]
    assert told == [(0, 2)]
