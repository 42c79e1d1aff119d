from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from distill.labels.examiner import Examiner, asked_second
from distill.labels.splits import purpose_of
from schemas.errors import (
    BrokerUnavailableError,
    BudgetExhaustedError,
    RefusedError,
    TeacherUnavailableError,
)
from schemas.files.task import Task
from schemas.settings import Settings
from schemas.types import Entity, SilverLabel, facts, text_digest
from schemas.wire.codec import Codec
from stream.teacher.prompt import prompt_version
from stream.testing.teachers import Recorded, RecordedTeacher

ADA = (Entity(0, 3, "PER", "Ada"),)


class Bench:
    """An examiner, its teacher and what it delivered."""

    def __init__(
        self, task: Task, answers: Mapping[str, Recorded], *, concurrency: int = 1
    ) -> None:
        self.teacher = RecordedTeacher(answers)
        self.delivered: list[SilverLabel] = []
        self.error: Exception | None = None
        self.examiner = Examiner(
            task, self.teacher, self.deliver, concurrency=concurrency, now_s=lambda: 5.0
        )

    async def deliver(self, label: SilverLabel) -> None:
        if self.error is not None:
            raise self.error
        self.delivered.append(label)

    def ask(self, *texts: str) -> Mapping[str, object]:
        return asyncio.run(self.examiner.ask(texts))


def test_an_answer_judges_and_is_a_label_to_train_on(task: Task) -> None:
    bench = Bench(task, {"Ada sings": ADA, "nobody": ()}, concurrency=3)
    said = bench.ask("Ada sings", "nobody")
    assert said == {"Ada sings": {(0, 3, "PER")}, "nobody": set()}
    (label,) = (one for one in bench.delivered if one.text == "Ada sings")
    assert (label.source, label.audit, label.record_id) == ("judging", False, "")
    assert (label.labelled_at_ms, label.task_digest) == (5000, task.digest)
    assert facts(label) == said["Ada sings"]
    assert {purpose_of(one, text_digest(one.text)) for one in bench.delivered} == {"training"}


def test_a_second_opinion_is_another_models_or_is_asked_for_in_another_order(task: Task) -> None:
    settings, turned = asked_second(Settings(), task)
    assert settings.teacher == Settings().teacher
    assert turned.label_names == task.label_names[::-1]
    assert prompt_version(turned) != prompt_version(task)

    doubt = {"base_url": "http://127.0.0.1:9/v1", "model": "b"}
    other = Settings.model_validate({"distill": {"doubt": doubt}})
    settings, told = asked_second(other, task)
    assert (settings.teacher.base_url, settings.teacher.model) == (doubt["base_url"], "b")
    assert told == task


def test_its_labels_travel(task: Task) -> None:
    bench = Bench(task, {"Ada sings": ADA})
    bench.ask("Ada sings")
    codec = Codec()
    (label,) = bench.delivered
    assert codec.decode(SilverLabel, codec.encode(label, "labels")) == label


def test_a_refused_answer_judges_nothing(task: Task) -> None:
    bench = Bench(task, {"Ada sings": RefusedError("no"), "Ada": ADA})
    assert bench.ask("Ada sings", "Ada") == {"Ada sings": None, "Ada": {(0, 3, "PER")}}
    assert [one.text for one in bench.delivered] == ["Ada"]


@pytest.mark.parametrize("error", [BudgetExhaustedError("spent"), TeacherUnavailableError("away")])
def test_where_no_answer_can_be_had_no_more_is_asked(task: Task, error: Exception) -> None:
    assert isinstance(error, BudgetExhaustedError | TeacherUnavailableError)
    bench = Bench(task, {"Ada": ADA, "Bo": error, "Cy": ADA})
    assert bench.ask("Ada", "Bo", "Cy") == {"Ada": {(0, 3, "PER")}}
    assert bench.ask("Cy") == {}
    assert bench.teacher.asked == ["Ada", "Bo"]


def test_an_answer_that_cannot_be_written_judges_nothing(task: Task) -> None:
    bench = Bench(task, {"Ada": ADA})
    bench.error = BrokerUnavailableError("away")
    with pytest.raises(BrokerUnavailableError):
        bench.ask("Ada")
