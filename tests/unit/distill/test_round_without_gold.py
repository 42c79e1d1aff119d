"""Rounds that judge by asking the teacher where two students differ."""

from __future__ import annotations

import json

import pytest

from distill.judging.allowance import Allowance
from distill.labels.examiner import open_examiner
from distill.labels.fold import in_fold
from distill.testing.fakes import NAMES, Loop
from schemas.errors import BrokerUnavailableError
from schemas.types import Tagging
from tests.unit.distill.asking_rounds import (
    GATE,
    hummed,
    judge_by,
    judged,
    lineage_served,
    people,
    serving,
    stream,
)


@pytest.fixture
def loop(loop: Loop) -> Loop:
    return serving(loop)


def test_a_better_student_is_promoted_by_answers_where_the_two_differ(loop: Loop) -> None:
    people(loop, NAMES[60:160])
    result = loop.round()
    assert (result.status, result.reason) == ("promoted", "promoted")
    found = judged(result)
    assert (found["by"], found["differing"]) == ("differing", len(hummed(NAMES[60:160])))
    assert len(hummed(NAMES)) - 3 <= found["texts"] <= len(hummed(NAMES))  # without audits
    assert found["asked"] == len(loop.examiner.asked) <= 40  # a clear gain: more might be asked
    assert set(loop.examiner.asked) <= set(hummed(NAMES[60:160]))
    assert result.promotion is not None
    assert result.promotion.metrics["gain_low"] > 0
    assert result.evidence is None


def test_audits_judge_beside_the_questions_and_cost_none(loop: Loop) -> None:
    people(loop, NAMES[60:160])
    loop.journal.kept += [
        loop.make_label(f"{name} hums", audit=True, labelled_at_ms=int(loop.now_s * 1000))
        for name in NAMES[60:100]
    ]
    result = loop.round()
    assert result.status == "promoted"
    found = judged(result)
    assert found["known"] > 0
    assert found["asked"] <= 40  # as above


def test_second_opinions_leave_the_judge_a_batch(loop: Loop) -> None:
    stream(loop, 300)  # earn twelve questions, of which a batch takes ten
    loop.with_distill(
        gold=None,
        min_new_labels=1,
        gate=GATE,
        judging={"texts": 400, "batch": 10},
        doubt={"folds": 2, "ask_again": 1.0},
    )
    people(loop, NAMES[60:160])
    loop.maker.forgets = frozenset(NAMES[:55])  # so close that the judge asks all it may
    texts = [label.text for label in loop.journal.kept[:5]]
    loop.maker.doubted = dict.fromkeys(texts, Tagging((), 0.9, 0.9))
    result = loop.round()
    assert loop.second.asked == texts[:2]
    assert judged(result)["asked"] == 10


def test_a_worse_student_is_refused_for_no_gain(loop: Loop) -> None:
    loop.maker.forgets = frozenset(NAMES[:30])
    people(loop, NAMES[60:65])
    result = loop.round()
    assert (result.status, result.reason) == ("refused", "no gain")
    assert judged(result)["differing"] == len(hummed(NAMES[:30])) + len(hummed(NAMES[60:65]))


def test_students_that_never_differ_are_no_gain_and_cost_no_question(loop: Loop) -> None:
    people(loop, ["stranger"])
    result = loop.round()
    assert (result.reason, loop.examiner.asked) == ("no gain", [])


def test_what_was_answered_judges_every_challenger_until_one_wins_and_is_learnt_then(
    loop: Loop,
) -> None:
    loop.maker.forgets = frozenset(NAMES[:45])
    people(loop, NAMES[60:100])
    refused = loop.round()
    assert (refused.status, judged(refused)["known"]) == ("refused", 0)
    answers = set(loop.examiner.asked)
    assert answers
    loop.maker.forgets = frozenset()
    people(loop, NAMES[100:160])
    promoted = loop.round()
    assert promoted.status == "promoted"
    assert judged(promoted)["known"]
    assert not answers & set(loop.examiner.asked[len(answers) :])
    answers |= set(loop.examiner.asked)
    *_, then, now = ({x.text for x in splits.training} for splits in loop.maker.trained_on)
    assert not answers & then
    assert answers <= now


def test_what_judges_first_is_learnt_after_two_rounds_though_nobody_wins(loop: Loop) -> None:
    loop.maker.forgets = frozenset(NAMES[:30])  # so that it takes all labels to be any good
    loop.learn(NAMES[60:90])
    waiting = {f"{name} laughs" for name in NAMES[60:90] if in_fold(f"{name} laughs")}
    assert waiting
    learnt, statuses = [], []
    for number in range(3):
        people(loop, [f"stranger{number}"])
        statuses.append(loop.round(force=True).status)
        learnt.append({label.text for label in loop.maker.trained_on[-1].training})
    assert statuses == ["refused", "refused", "promoted"]
    assert [bool(waiting & texts) for texts in learnt] == [False, False, True]
    assert waiting <= learnt[-1]


def test_the_winner_has_learnt_what_judged_it_and_names_the_labels(loop: Loop) -> None:
    people(loop, NAMES[60:160])
    before = len(loop.journal.kept)
    result = loop.round()
    answers = len(loop.examiner.asked)
    assert (result.status, answers > 0) == ("promoted", True)
    assert result.promotion is not None
    lineage = lineage_served(loop)
    assert lineage["splits"]["training"] == before + answers
    assert result.splits["training"] == before
    digest = lineage["snapshot"][:16]
    assert f"labels-{digest}" in result.snapshot
    assert len(list(loop.archive.folder.glob("labels-*.parquet"))) == 3  # the first student's too


def test_where_learning_the_answers_goes_wrong_the_winner_serves(loop: Loop) -> None:
    people(loop, NAMES[60:160])
    loop.journal.kept += [
        loop.make_label(f"{name} hums", audit=True, labelled_at_ms=int(loop.now_s * 1000))
        for name in NAMES[60:100]
    ]
    loop.maker.spoils_at = 3  # the first student, the challenger, the challenger of all labels
    result = loop.round()
    assert result.status == "promoted"
    assert len(loop.maker.trained_on) == 3
    assert lineage_served(loop)["splits"]["training"] == result.splits["training"]
    assert result.trial is not None
    assert result.trial.challenger.scores.recall == 1.0


def test_after_two_rounds_that_cannot_tell_a_challenger_is_presumed_better(loop: Loop) -> None:
    stream(loop, 300)  # earn twelve answers: with those nothing is proved
    loop.maker.forgets = frozenset(NAMES[:20])
    people(loop, NAMES[60:85])
    first = loop.round(force=True)
    assert (first.reason, judged(first)["presumed"]) == ("insufficient evidence", False)
    stream(loop, 600)
    people(loop, ["stranger"])
    second = loop.round(force=True)
    assert judged(second)["presumed"]
    assert (second.status, second.reason) == ("promoted", "presumed better")
    assert second.promotion is not None
    assert second.promotion.metrics["gain_low"] < -0.01
    assert second.promotion.metrics["gain_expected_bound"] == 0.0


def test_where_the_stream_has_changed_the_burden_turns_at_once_and_once(loop: Loop) -> None:
    stream(loop, 300)  # with twelve answers nothing is proved, as above
    loop.maker.forgets = frozenset(NAMES[:20])
    loop.maker.stream_changed = True
    people(loop, NAMES[60:85])
    first = loop.round(force=True)
    assert (judged(first)["changed"], judged(first)["presumed"]) == (True, True)
    assert first.reason == "presumed better"
    stream(loop, 600)
    loop.maker.forgets = frozenset(NAMES[20:40])
    people(loop, NAMES[85:95])
    second = loop.round(force=True)  # the champion has aged the older labels already
    assert (judged(second)["changed"], judged(second)["presumed"]) == (False, False)
    assert second.status == "refused"


def test_a_stream_that_has_changed_presumes_nothing_against_the_answers(loop: Loop) -> None:
    loop.maker.forgets = frozenset(NAMES[:30])
    loop.maker.stream_changed = True
    people(loop, NAMES[60:65])
    result = loop.round()
    assert (result.status, result.reason) == ("refused", "no gain")
    assert judged(result)["presumed"]


def test_who_has_learnt_no_more_than_the_champion_is_not_presumed_better(loop: Loop) -> None:
    stream(loop, 300)
    loop.maker.forgets = frozenset(NAMES[:20])
    people(loop, NAMES[60:85])
    loop.round(force=True)
    stream(loop, 600)
    loop.journal.kept = [one for one in loop.journal.kept if one.source != "human"]
    second = loop.round(force=True)
    assert (second.status, judged(second)["presumed"]) == ("refused", False)


def test_who_has_no_patience_to_lose_waits_for_a_proof(loop: Loop) -> None:
    judge_by(loop, patience=0)
    loop.maker.stream_changed = True
    stream(loop, 300)
    loop.maker.forgets = frozenset(NAMES[:20])
    people(loop, NAMES[60:85])
    loop.round(force=True)
    stream(loop, 600)
    people(loop, ["stranger"])
    second = loop.round(force=True)
    assert (second.reason, judged(second)["presumed"]) == ("insufficient evidence", False)


def test_of_the_streams_labels_half_judge_first_and_the_others_are_learnt(loop: Loop) -> None:
    loop.learn(NAMES[60:160])
    result = loop.round()
    kept = [name for name in NAMES[60:160] if in_fold(f"{name} laughs")]
    assert 30 < len(kept) < 70
    assert result.splits["judging_first"] == len(kept)
    assert result.splits["training"] == 60 + 100 - len(kept)


def test_no_more_is_asked_than_the_stream_has_earned(loop: Loop) -> None:
    stream(loop, 500)
    people(loop, NAMES[60:160])
    loop.maker.forgets = frozenset(NAMES[:55])  # so close that it would ask for hours
    result = loop.round()
    assert judged(result)["asked"] == 20  # 0.4 of 0.1 of 500
    left = loop.archive.allowance()
    assert left is not None
    assert left.questions == 0


def test_what_was_not_asked_is_kept_for_the_next_round(loop: Loop) -> None:
    people(loop, NAMES[60:160])
    loop.round()
    left = loop.archive.allowance()
    assert left is not None
    assert left.questions == 80 - len(loop.examiner.asked)


def test_a_round_that_may_ask_too_little_waits_and_says_until_when(loop: Loop) -> None:
    stream(loop, 150)
    people(loop, NAMES[60:160])
    result = loop.round()
    assert (result.status, result.reason) == ("waiting", "insufficient evidence")
    assert len(loop.maker.trained_on) == 1
    assert result.evidence is not None
    assert (result.evidence.have, result.evidence.need, result.evidence.more) == (6, 10, 4)
    assert result.evidence.eta_s == pytest.approx(4 / (6 / 61), abs=1)  # 6 in a round's minute
    assert result.as_dict()["evidence"]["need"] == 10
    stream(loop, 260)
    assert loop.round().status != "waiting"


def test_a_gain_in_the_noise_says_how_many_answers_it_needs(loop: Loop) -> None:
    stream(loop, 300)
    loop.maker.forgets = frozenset(NAMES[:40])
    people(loop, NAMES[60:120])
    result = loop.round()
    assert (result.status, result.reason) == ("refused", "insufficient evidence")
    assert result.evidence is not None
    assert result.evidence.have == 12
    assert result.evidence.more is not None
    assert result.evidence.more > 0
    decision = json.loads(
        (loop.archive.bundle(result.student).parent / "decision.json").read_text()
    )
    assert decision["evidence"]["have"] == 12


def test_refused_answers_are_counted_and_judge_nothing(loop: Loop) -> None:
    loop.examiner.refuses = frozenset(loop.journal.texts)
    people(loop, NAMES[60:160])
    result = loop.round()
    assert (result.status, result.reason) == ("refused", "insufficient evidence")
    asked = len(loop.examiner.asked)
    assert (judged(result)["asked"], judged(result)["refused"]) == (asked, asked)
    assert asked > 50


def test_where_the_money_is_spent_what_was_answered_judges(loop: Loop) -> None:
    loop.examiner.answers_left = 7
    loop.maker.forgets = frozenset(NAMES[:20])
    people(loop, NAMES[60:160])
    result = loop.round()
    assert judged(result)["asked"] == 7
    assert result.trial is not None
    assert result.trial.verdict.interval.estimate > 0


def test_a_round_that_is_killed_among_its_questions_asks_nothing_twice(loop: Loop) -> None:
    people(loop, NAMES[60:160])
    loop.examiner.error = BrokerUnavailableError("killed")
    with pytest.raises(BrokerUnavailableError):
        loop.round()
    asked = list(loop.examiner.asked)
    assert asked
    left = loop.archive.allowance()
    assert left is not None
    # It may have asked all that it meant to.
    assert left.questions == 80 - len(hummed(NAMES[60:160]))
    loop.examiner.error = None
    stream(loop, 3000)
    assert loop.round().status == "promoted"
    assert not set(asked) & set(loop.examiner.asked[len(asked) :])


def test_texts_that_judge_are_neither_labelled_nor_gold_nor_audits(loop: Loop) -> None:
    people(loop, NAMES[60:160])
    loop.journal.texts += [f"{name} laughs" for name in NAMES[60:160]]
    loop.round()
    assert all(text.endswith("hums") for text in loop.examiner.asked)


def test_without_texts_the_evidence_is_insufficient(loop: Loop) -> None:
    loop.journal.texts = []
    people(loop, NAMES[60:160])
    assert loop.round().reason == "insufficient evidence"


def test_with_gold_nothing_is_asked(loop: Loop) -> None:
    loop.with_distill(min_new_labels=1)
    people(loop, NAMES[60:160])
    result = loop.round()
    assert (judged(result)["by"], loop.examiner.asked) == ("gold", [])


def test_a_student_that_served_before_anybody_counted_has_spent_its_budget(loop: Loop) -> None:
    (loop.archive.folder / "questions.json").unlink()
    people(loop, NAMES[60:160])
    assert loop.round().reason == "insufficient evidence"
    assert loop.archive.allowance() == Allowance({"0": 2000}, 0.0, int(loop.now_s * 1000))


def test_the_teacher_of_the_settings_is_asked_by_default() -> None:
    assert open_examiner.__module__ == "distill.labels.examiner"
