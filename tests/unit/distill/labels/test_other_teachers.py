from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace

import pytest

from distill.judging.questions import Ask
from distill.labels.other_teachers import weighed_by_teachers
from distill.labels.splits import Splits
from distill.round import run_round
from distill.testing.fakes import NAMES, Loop
from schemas.files.task import Task
from schemas.settings import NamedTeacher, Settings
from schemas.types import Category, Entity, Opinion, SilverLabel, Tagging
from stream.teacher.comparison import GOLD, NOTHING_COMPARED, Agreement, Comparison, comparison_in
from stream.testing.messages import a_label


def label(teacher: str, *said: str) -> SilverLabel:
    return a_label(teacher=teacher, categories=tuple(map(Category, said)))


def weights(known: Comparison, *labels: SilverLabel) -> list[float]:
    splits = weighed_by_teachers(Splits(labels, (), ()), known, first="best")
    found = [one.weight for one in splits.training]
    assert splits.of_other_teachers == sum(weight < 1 for weight in found)
    return found


def test_the_first_and_people_and_a_teacher_alone_weigh_in_full() -> None:
    person = replace(label("cheap", "joy"), source="human")
    labels = (label("best", "joy"), label("", "joy"), person)
    assert weights(NOTHING_COMPARED, *labels) == [1, 1, 1]


def test_others_weigh_as_they_are_known_to_agree_with_the_first_in_what_they_say() -> None:
    known = Comparison(
        agreements={
            ("best", "cheap", "joy"): Agreement(98, 89),
            ("best", "cheap", "fear"): Agreement(98, 29),
        }
    )
    found = weights(
        known, label("cheap", "joy"), label("cheap", "fear", "joy"), label("cheap", "awe")
    )
    assert found == pytest.approx([0.9, 0.3, 0.5])
    assert weights(known, label("cheap")) == pytest.approx([119 / 198])
    assert weights(NOTHING_COMPARED, label("cheap"), label("cheap", "joy")) == [0.5, 0.5]


def test_what_was_counted_of_another_model_of_the_same_teacher_does_not_count() -> None:
    known = Comparison(
        agreements={("best", "cheap", "joy"): Agreement(98, 89)},
        models={"best": ("big", "p"), "cheap": ("small", "p")},
    )
    then, since = label("cheap", "joy"), label("cheap")
    labels = [replace(then, teacher_model=model) for model in ("small", "smaller")]
    found = weights(known, *labels, replace(since, teacher_model="smaller"))
    assert found == pytest.approx([0.9, 0.5, 0.5])


def test_what_people_say_counts_in_place_of_the_first_where_it_is_enough() -> None:
    agreed = {("best", "cheap", "joy"): Agreement(98, 0)}
    for texts, weight in ((98, 0.8), (10, 0.01)):
        gold = {
            ("best", GOLD, "joy"): Agreement(texts, round(texts * 0.5)),
            ("cheap", GOLD, "joy"): Agreement(texts, round(texts * 0.4)),
        }
        found = weights(Comparison(agreements=agreed | gold), label("cheap", "joy"))
        assert found == pytest.approx([weight], abs=0.01)


def learn(loop: Loop, names: list[str], teacher: str) -> None:
    loop.learn(names)
    new = loop.journal.kept[-len(names) :]
    loop.journal.kept[-len(names) :] = [replace(one, teacher=teacher) for one in new]


def test_a_round_compares_the_teachers_and_its_promotion_says_how_they_stand(loop: Loop) -> None:
    teachers = (NamedTeacher(name="best", model="b"), NamedTeacher(name="cheap", model="c"))
    loop.settings = loop.settings.model_copy(update={"teachers": teachers})
    learn(loop, NAMES[:100], "cheap")
    for number, name in enumerate(NAMES[:60]):
        right = ((0, len(name), "PER"),)
        loop.journal.kept.append(
            replace(
                loop.make_label(f"{name} sings"),
                entities=(Entity(0, len(name), "PER", name),),
                audit=True,
                teacher="best",
                opinions=(Opinion("", "v1", right, 0.0), Opinion("cheap", "c", right)),
                labelled_at_ms=number,
            )
        )
    result = loop.round()
    assert result.promotion is not None
    found = comparison_in(result.promotion.metrics)
    assert found.agreement("cheap", GOLD, "PER") == Agreement(60, 60)
    assert found.is_good_enough("cheap", ["PER"], tolerated=0.05)
    assert set(found.models) == {"best", "cheap"}


def test_a_doubted_label_is_asked_again_of_another_than_who_gave_it(loop: Loop) -> None:
    loop.journal.records = 0
    loop.learn(NAMES[:60])
    loop.with_distill(min_new_labels=1, judging={"share": 0.4}, doubt={"folds": 2, "ask_again": 1})
    teachers = (NamedTeacher(name="best", model="b"), NamedTeacher(name="cheap", model="c"))
    loop.settings = loop.settings.model_copy(update={"teachers": teachers})
    assert loop.round().cleaning is None
    loop.journal.records = 100
    learn(loop, NAMES[60:90], "cheap")
    learn(loop, NAMES[90:120], "best")
    texts = [f"{name} laughs" for name in (NAMES[60], NAMES[90])]
    loop.maker.doubted = dict.fromkeys(texts, Tagging((), 0.9, 0.9))
    opened: list[str] = []

    def second(
        settings: Settings, task: Task, producers: Mapping[str, str]
    ) -> AbstractContextManager[Ask]:
        opened.append(settings.first_teacher)
        return loop.second(settings, task, producers)

    run_round(
        loop.settings,
        journal=loop.journal,
        make=loop.maker,
        examiner=loop.examiner,
        second=second,
        clock=lambda: loop.now_s + 60,
    )
    assert loop.second.asked == texts
    assert opened == ["cheap", "best"]
