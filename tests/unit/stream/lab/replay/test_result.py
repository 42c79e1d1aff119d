from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stream.lab.replay.report import render_report, write_report
from stream.lab.replay.result import OverallResult, ReplayResult


def test_the_json_has_the_agreed_shape(result: ReplayResult) -> None:
    values = result.as_dict()
    assert values.keys() >= {
        *("records", "lost", "duplicated", "uncorrected", "seed", "routing"),
        *("teacher", "stream", "students", "rounds"),
    }
    assert values["teacher"].keys() == {
        *("f1", "calls", "labels", "refused", "tokens_in", "tokens_out", "bill_usd"),
    }
    assert values["stream"].keys() == {
        *("f1", "precision", "recall", "wanted_share", "deferred_share"),
        *("records_per_s", "cpu_s_per_1000", "student_alone", "teacher_alone"),
    }
    assert values["kind"] == "entities"
    assert values["overall"] == {"records": 250, "calls": 70, "f1": 0.75}
    assert not {"stream_accuracy", "student_accuracy"} & values["rounds"][0].keys()
    assert values["rounds"][0].keys() >= {
        *("records", "deferred", "labels", "stream_f1", "student", "student_f1"),
        *("student_f1_interval", "promoted", "reason"),
    }


@pytest.fixture
def moods(result: ReplayResult) -> ReplayResult:
    """The same of categories."""
    of_categories = {"accuracy": 0.9, "macro_f1": 0.8}
    return replace(
        result,
        kind="categories",
        teacher=replace(result.teacher, of_categories=of_categories),
        stream=replace(result.stream, of_categories=of_categories),
        overall=OverallResult(records=250, calls=70, accuracy=0.85),
        students={"cold": {"f1": 0.5, "accuracy": 0.5, "labels": 50}, "last": {"f1": 0.6}},
        rounds=tuple(
            replace(one, stream_accuracy=0.9, student_accuracy=0.7) for one in result.rounds
        ),
    )


def test_the_json_of_categories_tells_accuracies_beside_f1(moods: ReplayResult) -> None:
    values = moods.as_dict()
    assert values["kind"] == "categories"
    assert values["overall"] == {"records": 250, "calls": 70, "accuracy": 0.85}
    for part in ("teacher", "stream"):
        assert (values[part]["accuracy"], values[part]["macro_f1"]) == (0.9, 0.8)
        assert "of_categories" not in values[part]
    assert values["rounds"][0]["stream_accuracy"] == 0.9
    assert values["rounds"][0]["student_accuracy"] == 0.7


def test_the_report_of_categories_draws_accuracies(moods: ReplayResult) -> None:
    page = render_report(moods)
    assert "accuracy of last revisions" in page
    assert "accuracy, held out" in page


def test_the_report_is_one_page_that_fetches_nothing(result: ReplayResult, tmp_path: Path) -> None:
    page = write_report(tmp_path / "report", result).read_text(encoding="utf-8")
    assert page.count("<svg") == 3
    fetching = ("<script", "<link", "<img", "src=", "url(http", "@import")
    assert [words for words in fetching if words in page] == []


def test_the_report_shows_refusals_as_refusals(result: ReplayResult) -> None:
    assert "refused: no gain" in render_report(result)


def test_the_report_escapes_what_it_is_given(result: ReplayResult) -> None:
    page = render_report(replace(result, options={"order": "<script>alert(1)</script>"}))
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_the_same_result_gives_the_same_page(result: ReplayResult) -> None:
    assert render_report(result) == render_report(result)


def test_a_round_without_a_candidate_is_drawn_too(result: ReplayResult) -> None:
    none = replace(
        result.rounds[0], student="", student_f1=None, student_f1_interval=None, promoted=False
    )
    assert "no candidate" in render_report(
        replace(result, rounds=(replace(none, reason="no candidate"),))
    )


def test_the_ceiling_stands_beside_the_students(result: ReplayResult) -> None:
    students = result.students | {"ceiling": {"f1": 0.8, "epochs": 5.0}, "plain": {"f1": 0.75}}
    page = render_report(replace(result, students=students))
    assert "epochs 5.0" in page
    assert "plain" in page
