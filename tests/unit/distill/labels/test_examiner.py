from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from distill.labels.examiner import Examiner, asked_second, asker_of
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
from stream.lab.teacher_sim.simulator import serving, teacher_sim_app
from stream.teacher.factory import make_teacher
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


def test_an_answers_label_says_who_sent_the_text(task: Task) -> None:
    bench = Bench(task, {"Ada": ADA, "nobody": ()})
    bench.examiner.producers = {"Ada": "p" * 64}
    bench.ask("Ada", "nobody")
    assert {one.text: one.producer for one in bench.delivered} == {"Ada": "p" * 64, "nobody": ""}


OTHER = "http://127.0.0.1:9/v1"


def doubting(**doubt: object) -> Settings:
    return Settings.model_validate(
        {"teacher": {"api_key": "the teacher's", "model": "a"}, "distill": {"doubt": doubt}}
    )


@pytest.mark.parametrize("doubt", [{}, {"model": "a"}])
def test_the_teacher_itself_is_asked_again_in_another_order(
    task: Task, doubt: dict[str, object]
) -> None:
    second = asked_second(doubting(**doubt), task)
    assert second.settings.teacher == doubting().teacher
    assert second.task.label_names == task.label_names[::-1]
    assert prompt_version(second.task) != prompt_version(task)


def test_another_endpoint_gets_its_own_key_and_prices_and_never_the_teachers(task: Task) -> None:
    second = asked_second(doubting(base_url=OTHER), task)
    assert (second.settings.teacher.base_url, second.task) == (OTHER, task)
    assert second.settings.teacher.api_key is None
    own = doubting(base_url=OTHER, model="b", api_key="its own", price_in_usd_per_million=9)
    teacher = asked_second(own, task).settings.teacher
    assert teacher.api_key is not None
    assert teacher.api_key.get_secret_value() == "its own"
    assert (teacher.model, teacher.price_in_usd_per_million) == ("b", 9)
    same_host = asked_second(doubting(model="b"), task).settings.teacher
    assert same_host.api_key == doubting().teacher.api_key


def test_of_several_teachers_the_best_of_the_others_is_asked_again(task: Task) -> None:
    teachers = [{"name": name, "model": name} for name in ("best", "next", "third")]
    settings = Settings.model_validate({"teachers": teachers})
    second = asked_second(settings, task)
    assert (second.settings.teacher.model, second.settings.teachers) == ("next", ())
    assert second.task == task
    assert asked_second(settings.led_by("next"), task).settings.teacher.model == "best"
    assert asked_second(settings.led_by("third"), task).settings.teacher.model == "best"
    assert len({asker_of(settings.led_by(name), task) for name in ("best", "next")}) == 2


async def test_another_endpoint_is_not_answered_by_what_the_teacher_said(
    task: Task, tmp_path: Path
) -> None:
    """Though model and prompt are the same by name, and the ledger is one."""
    answers = {"Ada sings": ADA}
    async with serving(teacher_sim_app(answers)) as first, serving(teacher_sim_app({})) as other:
        settings = Settings.model_validate(
            {
                "teacher": {"base_url": first, "state": tmp_path / "teacher.sqlite"},
                "distill": {"doubt": {"base_url": other}},
            }
        )
        teacher, _ = make_teacher(task, settings, purpose="stream")
        await teacher.label("Ada sings")
        await teacher.aclose()
        second = asked_second(settings, task)
        again, _ = make_teacher(
            second.task, second.settings, purpose="second opinions", apart=second.apart
        )
        with pytest.raises(RefusedError):
            await again.label("Ada sings")
        await again.aclose()


def test_who_is_asked_again_is_named_by_model_endpoint_and_prompt(task: Task) -> None:
    edited = replace(task, guidelines="Mark titles too.")
    assert edited.digest == task.digest
    names = {
        asker_of(doubting(), task),
        asker_of(doubting(), edited),
        asker_of(doubting(model="b"), task),
        asker_of(doubting(base_url=OTHER), task),
    }
    assert len(names) == 4


def test_an_opinion_is_fitted_to_words_as_labels_are(task: Task) -> None:
    bench = Bench(task, {"Ada, sings": (Entity(0, 4, "PER", "Ada,"),)})
    assert bench.ask("Ada, sings") == {"Ada, sings": {(0, 3, "PER")}}


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
