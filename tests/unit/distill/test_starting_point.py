from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from distill.rollback import rollback
from distill.starting_point import TEACHER_CHANGED, Stand, take_stand, what_is_missing, why_wait
from distill.testing.fakes import NAMES, Loop
from schemas.canaries.holds import Hold
from schemas.errors import ConfigError, GateError
from schemas.files.bundle_store import open_bundle_store
from schemas.files.prompt_file import InUse, PromptVersion
from schemas.files.prompt_words import PromptWords, words_of
from schemas.files.task import LabelSpec, Task, TaskExample
from schemas.files.task_file import task_yaml
from schemas.files.task_in_use import asked_task, prompt_folder
from schemas.likeness import in_judging_half
from schemas.settings import ExamplesSettings
from schemas.types import SilverLabel, text_digest
from stream.teacher.prompt import prompt_version
from stream.testing.messages import a_promotion

MakeLabel = Callable[..., SilverLabel]


def stand_of(loop: Loop, task: Task | None = None) -> Stand:
    return take_stand(
        loop.settings,
        task or loop.task,
        journal=loop.journal,
        archive=loop.archive,
        store=open_bundle_store(loop.settings.student),
        now_ms=int(loop.now_s * 1000),
    )


def test_the_first_stand_has_no_champion_and_no_parent(loop: Loop) -> None:
    loop.learn(NAMES[:20])
    stand = stand_of(loop)
    assert (stand.champion, stand.parent, stand.new_labels) == (None, "", 20)
    assert stand.judges.source == "gold"


def test_a_first_student_waits_for_records_to_judge_by_and_for_no_answers(loop: Loop) -> None:
    loop.with_distill(gold=None, min_new_labels=10)
    assert loop.settings.questions_per_record
    loop.learn(NAMES[:60], source="bootstrap", record_id="")
    stand = stand_of(loop)
    reason = why_wait(stand, loop.settings.distill, force=False)
    missing = what_is_missing(stand, loop.settings, reason)
    assert missing is not None
    assert (missing.have, missing.need, missing.eta_s) == (len(stand.judges.examples), 30, None)
    assert 0 < missing.have < 30
    assert what_is_missing(stand, loop.settings, "no labels to train on") is None


def test_the_student_in_force_is_champion_unless_it_is_of_another_task_version(loop: Loop) -> None:
    loop.learn(NAMES[:100])
    first = loop.round()
    changed = Task("people", "en", (LabelSpec("PER"), LabelSpec("LOC")))
    stand, other = stand_of(loop), stand_of(loop, changed)
    assert stand.champion == first.promotion
    assert other.champion is None
    assert stand.parent == other.parent == first.student


def test_a_student_that_was_gone_back_to_has_waited_for_no_winner_yet(loop: Loop) -> None:
    loop.learn(NAMES[:100])
    loop.round()
    assert stand_of(loop).without_winner == 0
    loop.learn(NAMES[100:150])
    assert loop.round().status == "promoted"
    loop.now_s += 60
    rollback(loop.settings, journal=loop.journal, clock=lambda: loop.now_s)
    assert stand_of(loop).without_winner == 0
    loop.maker.forgets = frozenset(NAMES)
    loop.learn(NAMES[150:180])
    assert loop.round().status == "refused"
    assert stand_of(loop).without_winner == 1


def test_labelled_and_frozen_texts_are_known(loop: Loop) -> None:
    loop.learn(NAMES[:1])
    texts = (f"{NAMES[0]} laughs", f"{NAMES[7]} sings")
    assert stand_of(loop).known_texts >= {text_digest(text) for text in texts}


@pytest.mark.parametrize(
    ("new_labels", "force", "reason"),
    [(9, False, "too few new labels"), (9, True, ""), (10, False, "")],
)
def test_a_round_waits_for_labels_unless_it_is_forced(
    loop: Loop, new_labels: int, reason: str, *, force: bool
) -> None:
    loop.learn(NAMES[:100])
    loop.round()
    stand = replace(stand_of(loop), new_labels=new_labels)
    assert why_wait(stand, loop.settings.distill, force=force) == reason


def test_labels_of_a_teacher_that_had_changed_are_left_out(loop: Loop) -> None:
    loop.learn(NAMES[:100])
    loop.round()
    loop.now_s += 60
    changed_ms = int(loop.now_s * 1000)
    loop.now_s += 60
    loop.learn(NAMES[100:120])
    assert stand_of(loop).new_labels == 20
    loop.journal.held = [Hold(changed_ms, changed_ms + 10**6)]
    with capture_logs() as logs:
        stand = stand_of(loop)
    assert (len(stand.labels), stand.new_labels) == (100, 0)
    assert {one["labels"] for one in logs if one["event"] == "labels_withheld"} == {20}
    loop.journal.held = [Hold(changed_ms, changed_ms + 10**6, released=True)]
    assert stand_of(loop).new_labels == 20


def test_while_the_teacher_is_doubted_a_round_waits_even_if_it_is_forced(loop: Loop) -> None:
    loop.learn(NAMES[:100])
    loop.journal.held = [Hold(0)]
    assert why_wait(stand_of(loop), loop.settings.distill, force=True) == TEACHER_CHANGED
    assert loop.round().promotion is None


def test_a_promotion_whose_bundle_is_nowhere_is_passed_over(loop: Loop) -> None:
    loop.learn(NAMES[:100])
    first = loop.round()
    ghost = replace(
        loop.journal.promotions[0],
        sequence=2,
        parent=first.student,
        student_version="ghost",
        location="people/ghost",
        digest="f" * 64,
    )
    loop.journal.record(ghost)
    with capture_logs() as logs:
        stand = stand_of(loop)
    assert stand.champion == first.promotion
    assert stand.parent == "ghost"
    assert ("promotion_without_bundle", "ghost") in [(x["event"], x.get("student")) for x in logs]
    loop.learn(NAMES[100:])
    better = loop.round()
    assert (better.status, better.champion) == ("promoted", first.student)
    assert better.promotion is not None
    assert (better.promotion.sequence, better.promotion.parent) == (3, "ghost")


def test_a_history_of_ghosts_alone_begins_with_a_first_student(loop: Loop) -> None:
    loop.learn(NAMES[:100])
    ghost = a_promotion(task="people", location="people/ghost", student_version="ghost")
    loop.journal.record(ghost)
    first = loop.round()
    assert (first.status, first.champion) == ("promoted", "")
    assert first.promotion is not None
    assert (first.promotion.sequence, first.promotion.parent) == (2, "ghost")


def test_a_store_that_has_lost_our_students_stops_the_round(loop: Loop) -> None:
    loop.learn(NAMES[:100])
    first = loop.round()
    loop.learn(NAMES[100:150])
    second = loop.round()
    loop.learn(NAMES[150:])
    for version in (second.student, first.student):
        shutil.rmtree(Path(loop.settings.student.registry) / "people" / version)
        with pytest.raises(
            GateError, match=f"the bundle of {second.student}.* is not in the store"
        ):
            loop.round()


def test_a_history_that_was_lost_is_told_and_nothing_is_learnt_in_its_place(loop: Loop) -> None:
    loop.learn(NAMES[:100])
    first = loop.round()
    loop.journal.promotions.clear()
    with pytest.raises(GateError, match=f"the student {first.student}: .*silverstream promote"):
        loop.round()
    assert loop.journal.promotions == []


IN_2050_MS = 2_524_608_000_000


def test_a_round_that_was_once_dated_in_the_future_does_not_stop_the_learning(loop: Loop) -> None:
    loop.learn(NAMES[:100])
    loop.round()
    (loop.archive.start("20500101T000000Z-0") / "manifest.json").write_text("{}")
    loop.archive.finish("20500101T000000Z-0", {"started_at_ms": IN_2050_MS})
    loop.now_s += 60
    loop.learn(NAMES[100:150])
    stand = stand_of(loop)
    assert stand.new_labels == 50
    assert stand.since_ms <= loop.now_s * 1000


def test_without_labels_a_round_waits_even_when_it_is_forced(loop: Loop) -> None:
    reason = why_wait(stand_of(loop), loop.settings.distill, force=True)
    assert reason == "no labels to train on"


def put_to_use(loop: Loop, words: PromptWords) -> None:
    folder, own = prompt_folder(loop.settings, loop.task), words_of(loop.task).version
    folder.add(PromptVersion(words_of(loop.task)))
    folder.add(PromptVersion(words, parent=own, agreement=0.5))
    folder.use(InUse(words.version, own))


def test_labels_of_an_older_prompt_weigh_what_it_agrees_with_the_one_in_use(loop: Loop) -> None:
    put_to_use(loop, replace(words_of(loop.task), guidelines="Better."))
    task = asked_task(loop.settings)
    loop.learn(NAMES[:8])
    asked_as = [prompt_version(loop.task)] * 5 + [prompt_version(task)] * 3
    loop.journal.kept = [
        replace(label, prompt_version=version, source="teacher", weight=1.0)
        for label, version in zip(loop.journal.kept, asked_as, strict=True)
    ]

    stand = stand_of(loop, task)

    weights = [label.weight for label in stand.splits.training]
    assert (weights.count(0.5), weights.count(1.0)) == (5, 3)


def test_gold_that_a_version_of_the_prompt_shows_does_not_judge(loop: Loop) -> None:
    shown = TaskExample(f"{NAMES[0]} sings")
    put_to_use(loop, replace(words_of(loop.task), examples=(shown,)))

    assert len(stand_of(loop, asked_task(loop.settings)).judges.examples) == len(NAMES) - 1


def test_gold_that_examples_may_be_chosen_from_does_not_judge(loop: Loop) -> None:
    examples = ExamplesSettings(choose="similar")
    teacher = loop.settings.teacher.model_copy(update={"examples": examples})
    loop.settings = loop.settings.model_copy(update={"teacher": teacher})

    judging = stand_of(loop).judges.examples

    assert 0 < len(judging) < len(NAMES)
    assert all(in_judging_half(one.text) for one in judging)


def test_a_round_that_cannot_know_which_words_are_meant_does_not_begin(loop: Loop) -> None:
    put_to_use(loop, replace(words_of(loop.task), guidelines="Better."))
    edited = replace(loop.task, guidelines="Edited.")
    loop.settings.task.write_text(task_yaml(edited), encoding="utf-8")

    with pytest.raises(ConfigError, match="were changed since prompt"):
        loop.round()
