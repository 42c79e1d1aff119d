from __future__ import annotations

from dataclasses import replace

import pytest

from distill.labels.bootstrap import estimate_tokens, price, select
from schemas.files.corpus import Example
from schemas.files.task import LabelSpec, Task
from schemas.settings import Settings
from schemas.types import Entity
from tests.unit.distill.labels.bootstrap_runs import MakeLabel, examples


def test_answers_with_categories_are_estimated_by_the_text_not_at_all() -> None:
    moods = (LabelSpec("glad"), LabelSpec("sad"))
    mood = Task("mood", "en", moods, kind="categories", choose="one")
    short, long = (estimate_tokens(examples("Ada went out" * n), mood) for n in (1, 100))
    assert short[0] < long[0]
    assert short[1] == long[1]


def test_what_is_labelled_already_is_not_asked_again(task: Task, make_label: MakeLabel) -> None:
    known = [make_label("Ada"), make_label("Bo", task_digest="f" * 64)]
    chosen, skipped = select(examples("Ada", "Bo", "Cy"), known=known, task=task, max_chars=100)
    assert [example.text for example in chosen] == ["Bo", "Cy"]
    assert skipped == {"labelled_before": 1}


def test_the_teacher_is_asked_again_for_a_label_that_was_added_a_person_is_not(
    task: Task, make_label: MakeLabel
) -> None:
    wider = replace(task, labels=(*task.labels, LabelSpec("NEW", added=True)))
    known = [
        make_label("Ada", task_digest=task.digest),
        make_label("Bo", task_digest=task.digest, source="human"),
        make_label("Cy", task_digest=wider.digest),
    ]
    chosen, skipped = select(examples("Ada", "Bo", "Cy"), known=known, task=wider, max_chars=100)
    assert [example.text for example in chosen] == ["Ada"]
    assert skipped == {"labelled_before": 2}
    brought = select(examples("Bo"), known=known, task=wider, max_chars=100, human=True)
    assert [example.text for example in brought[0]] == ["Bo"]


ADA = Entity(0, 3, "PER", "Ada")


@pytest.mark.parametrize(("confirm", "taken"), [(False, ["Ada is"]), (True, ["Ada", "Ada is"])])
def test_a_persons_label_replaces_what_says_otherwise_and_the_teachers_when_confirmed(
    task: Task, make_label: MakeLabel, *, confirm: bool, taken: list[str]
) -> None:
    known = [
        make_label("Ada", source="teacher", entities=(ADA,)),
        make_label("Ada too", source="human", entities=(ADA,)),
        make_label("Ada is", source="human", entities=()),
    ]
    said = [Example(text, text, (ADA,)) for text in ("Ada", "Ada too", "Ada is")]
    chosen, skipped = select(
        said, known=known, task=task, max_chars=100, human=True, confirm=confirm
    )
    assert [example.text for example in chosen] == taken
    assert skipped == {"unchanged": 3 - len(taken)}


def test_blank_repeated_and_over_long_texts_are_passed_over(task: Task) -> None:
    chosen, skipped = select(
        examples("Ada", " \n", "", "Ada", "x" * 11), known=[], task=task, max_chars=10
    )
    assert [example.text for example in chosen] == ["Ada"]
    assert skipped == {"blank": 2, "repeated": 1, "too_long": 1}


def test_the_limit_counts_what_will_be_labelled(task: Task, make_label: MakeLabel) -> None:
    chosen, skipped = select(
        examples("Ada", "Bo", "Cy", "Di"),
        known=[make_label("Ada"), make_label("elsewhere")],
        task=task,
        max_chars=10,
        limit=2,
    )
    assert [example.text for example in chosen] == ["Bo", "Cy"]
    assert skipped == {"labelled_before": 1, "over_limit": 1}


def test_the_estimate_grows_with_the_texts_and_is_priced_by_the_settings(task: Task) -> None:
    few, many = (estimate_tokens(examples(*["Ada went out"] * n), task) for n in (1, 10))
    assert many[0] == pytest.approx(10 * few[0], rel=0.05)
    assert many[1] == 10 * few[1]
    settings = Settings()
    usd = price(settings, tokens_in=1_000_000, tokens_out=500_000)
    assert usd == pytest.approx(0.40 + 0.80)
