from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stream.lab.replay.report import render_report, write_report
from stream.lab.replay.result import (
    ReplayedRound,
    ReplayResult,
    StreamResult,
    TeacherResult,
)

ROUND = ReplayedRound(
    records=100,
    deferred=10,
    wanted=30,
    labels=9,
    labels_total=59,
    stream_f1=0.7,
    student="v2",
    student_f1=0.6,
    student_f1_interval=(0.55, 0.65),
    promoted=True,
    reason="promoted",
    serving="v1",
    distill_s=3.0,
)
RESULT = ReplayResult(
    records=200,
    lost=0,
    duplicated=0,
    uncorrected=0,
    dead_lettered=0,
    seed=7,
    routing="uncertainty",
    teacher=TeacherResult(
        f1=1.0, calls=70, labels=68, refused=2, tokens_in=9000, tokens_out=700, bill_usd=0.005
    ),
    stream=StreamResult(
        f1=0.7,
        precision=0.8,
        recall=0.6,
        wanted_share=0.3,
        deferred_share=0.1,
        records_per_s=400.0,
        cpu_s_per_1000=2.0,
    ),
    students={"cold": {"f1": 0.5, "labels": 50}, "last": {"f1": 0.6}},
    rounds=(ROUND, replace(ROUND, promoted=False, reason="no gain", student="v3")),
    options={"order": "shuffled"},
    seconds=12.0,
)


def test_the_json_has_the_agreed_shape() -> None:
    values = RESULT.as_dict()
    assert values.keys() >= {
        *("records", "lost", "duplicated", "uncorrected", "seed", "routing"),
        *("teacher", "stream", "students", "rounds"),
    }
    assert values["teacher"].keys() == {
        *("f1", "calls", "labels", "refused", "tokens_in", "tokens_out", "bill_usd"),
    }
    assert values["stream"].keys() == {
        *("f1", "precision", "recall", "wanted_share", "deferred_share"),
        *("records_per_s", "cpu_s_per_1000"),
    }
    assert values["rounds"][0].keys() >= {
        *("records", "deferred", "labels", "stream_f1", "student", "student_f1"),
        *("student_f1_interval", "promoted", "reason"),
    }


def test_the_report_is_one_page_that_fetches_nothing(tmp_path: Path) -> None:
    page = write_report(tmp_path / "report", RESULT).read_text(encoding="utf-8")
    assert page.count("<svg") == 3
    fetching = ("<script", "<link", "<img", "src=", "url(http", "@import")
    assert [words for words in fetching if words in page] == []


def test_the_report_shows_refusals_as_refusals() -> None:
    assert "refused: no gain" in render_report(RESULT)


def test_the_report_escapes_what_it_is_given() -> None:
    page = render_report(replace(RESULT, options={"order": "<script>alert(1)</script>"}))
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_the_same_result_gives_the_same_page() -> None:
    assert render_report(RESULT) == render_report(RESULT)


def test_a_round_without_a_candidate_is_drawn_too() -> None:
    none = replace(ROUND, student="", student_f1=None, student_f1_interval=None, promoted=False)
    assert "no candidate" in render_report(
        replace(RESULT, rounds=(replace(none, reason="no candidate"),))
    )


def test_the_ceiling_stands_beside_the_students() -> None:
    students = RESULT.students | {"ceiling": {"f1": 0.8, "epochs": 5.0}, "plain": {"f1": 0.75}}
    page = render_report(replace(RESULT, students=students))
    assert "epochs 5.0" in page
    assert "plain" in page
