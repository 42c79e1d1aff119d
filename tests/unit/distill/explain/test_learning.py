from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from distill.explain.learning import learnt_by
from distill.explain.record import Learnt
from distill.explain.rounds import finished_rounds
from distill.labels.fold import in_fold
from distill.testing.fakes import NAMES, Loop
from schemas.types import SilverLabel, Tagging, text_digest

MakeLabel = Callable[..., SilverLabel]
TEXT = f"{NAMES[0]} laughs"


def learnt(loop: Loop, text: str = TEXT, **changes: Any) -> tuple[list[Learnt], list[str]]:
    missing: list[str] = []
    known: dict[str, Any] = {
        "task": loop.task,
        "frozen": frozenset(),
        "history": loop.journal.promotions,
    }
    rounds = finished_rounds(loop.archive)
    return learnt_by(text_digest(text), rounds, missing=missing, **{**known, **changes}), missing


def test_every_round_that_had_the_label_says_what_it_made_of_it(loop: Loop) -> None:
    loop.learn(NAMES[:100])
    first = loop.round()
    loop.learn(NAMES[100:130])
    second = loop.round()
    found, missing = learnt(loop)
    assert [(one.student, one.used_for, one.weight) for one in found] == [
        (first.student, "training", 1.0),
        (second.student, "training", 1.0),
    ]
    assert found[0].label is not None
    assert found[0].label.text == TEXT
    assert missing == []
    later, _ = learnt(loop, f"{NAMES[100]} laughs")
    assert [one.student for one in later] == [second.student]
    assert learnt(loop, "never seen") == ([], [])


def test_a_doubted_label_weighs_less_and_says_why(loop: Loop) -> None:
    loop.with_distill(min_new_labels=10, doubt={"weight": 0.2})
    loop.learn(NAMES[:100], weight=0.5)
    loop.maker.doubted = {TEXT: Tagging((), 0.9, 0.9)}
    loop.round()
    ((one,), _) = learnt(loop)
    assert one.weight == 0.1
    assert one.doubt is not None
    assert one.doubt["reason"] == "contradicted"
    assert one.because == (
        "the label itself weighs 0.5",
        "contradicted: students who did not learn it said something else",
    )


def test_a_label_of_another_teacher_may_have_weighed_less_and_it_says_so(loop: Loop) -> None:
    loop.learn(NAMES[:100])
    loop.journal.kept = [replace(one, teacher="another") for one in loop.journal.kept]
    loop.round()
    ((one,), _) = learnt(loop)
    (why,) = one.because
    assert "other teachers than the first" in why


def test_what_judges_or_is_gold_is_not_learnt(loop: Loop) -> None:
    loop.learn(NAMES[:100])
    loop.learn(NAMES[100:101], audit=True)
    loop.round()
    ((audit,), _) = learnt(loop, f"{NAMES[100]} laughs")
    assert audit.used_for in {"judge", "calibration"}
    assert (audit.weight, audit.because) == (0.0, ())
    ((frozen,), _) = learnt(loop, frozen=frozenset({text_digest(TEXT)}))
    assert (frozen.used_for, frozen.weight) == ("left out: frozen text", 0.0)


def test_a_label_of_another_task_is_left_out(loop: Loop) -> None:
    loop.learn(NAMES[:100])
    loop.learn(NAMES[100:101], task_digest="9" * 64)
    loop.round()
    ((one,), _) = learnt(loop, f"{NAMES[100]} laughs")
    assert one.used_for == "left out: other task version"


def test_a_label_of_the_fold_judges_first_and_is_learnt_once_a_challenger_has_won(
    loop: Loop,
) -> None:
    """As the round itself had it: it counts what it keeps from training."""
    loop.with_distill(min_new_labels=1, judging={"share": 0.4})
    loop.learn(NAMES[:40])
    assert loop.round().status == "promoted"
    loop.learn(NAMES[40:140])
    second = loop.round()
    kept = second.splits["judging_first"]
    texts = [f"{name} laughs" for name in NAMES[40:140]]
    uses = {text: learnt(loop, text)[0][-1].used_for for text in texts}
    first_to_judge = [text for text, use in uses.items() if use.startswith("judging first")]
    assert len(first_to_judge) == kept > 0
    assert all(map(in_fold, first_to_judge))


def test_who_won_by_answers_has_learnt_what_judged_it(loop: Loop) -> None:
    loop.with_distill(min_new_labels=1, judging={"share": 0.4})
    loop.learn(NAMES[:60])
    loop.round()
    judging = {"texts": 400, "batch": 10}
    loop.with_distill(gold=None, min_new_labels=1, judging=judging, gate={"max_slowdown": 100})
    loop.journal.texts, loop.journal.records = [f"{name} hums" for name in NAMES], 2000
    loop.learn(NAMES[60:160], source="human", record_id="t-0-1")
    won = loop.round()
    assert (won.status, won.splits.get("judging_first", 0)) == ("promoted", 0)
    asked = loop.examiner.asked[0]
    ((one,), _) = learnt(loop, asked)
    assert (one.student, one.used_for) == (won.student, "training")


def test_a_text_without_a_label_may_be_learnt_by_the_students_own_tags(loop: Loop) -> None:
    loop.journal.texts = ["rain today"]
    loop.learn(NAMES[:100])
    made = loop.round()
    ((one,), _) = learnt(loop, "rain today")
    assert (one.student, one.label) == (made.student, None)
    assert one.used_for.startswith("self-training")


def test_a_snapshot_that_is_gone_or_damaged_is_named(loop: Loop) -> None:
    loop.learn(NAMES[:100])
    made = loop.round()
    (snapshot,) = loop.archive.folder.glob("*.parquet")
    snapshot.write_bytes(b"PAR1 but no more")
    found, missing = learnt(loop)
    assert found == []
    assert f"round {made.student}: cannot read the snapshot" in missing[0]
    snapshot.unlink()
    _, missing = learnt(loop)
    assert missing == [f"the labels of the round {made.student} are not in the archive any more"]
