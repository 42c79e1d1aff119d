from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.judging.evaluation import auroc, compare_speed, evaluate
from schemas.files.corpus import Example
from schemas.types import Entity
from stream.student import Student
from stream.testing.bundles import write_bundle


@pytest.fixture
def student(tmp_path: Path) -> Student:
    """Knows Ada (surely) and Bo (not so surely) as PER, and is unsure about "maybe"."""
    write_bundle(
        tmp_path / "bundle",
        labels=("PER", "ORG"),
        words={"ada": "B-PER", "bo": "B-PER"},
        certainty=0.99,
        certainties={"bo": 0.6, "maybe": 0.5},
    )
    return Student.load(tmp_path / "bundle")


def example(text: str, *spans: tuple[int, int, str]) -> Example:
    return Example(text, text, tuple(Entity(a, b, label, text[a:b]) for a, b, label in spans))


EXAMPLES = [
    example("Ada sings", (0, 3, "PER")),
    example("Bo sings", (0, 2, "ORG")),
    example("maybe Cy sings", (6, 8, "PER")),
    example("rain"),
]


def test_the_figures_can_be_checked_by_hand(student: Student) -> None:
    found = evaluate(student, EXAMPLES)
    assert found.n_records == 4
    assert (found.scores.overall.correct, found.scores.overall.predicted) == (1, 2)
    assert found.scores.f1 == pytest.approx(2 / 5)
    assert found.exact_share == 0.5
    assert found.auroc == 1.0  # both wrong records are less sure than both right ones
    assert found.mean_confidence == pytest.approx((0.99 + 0.6 + 0.5 + 0.99) / 4, abs=1e-5)


def test_what_calibrated_a_student_says_by_halves_how_far_its_confidences_lie(
    student: Student,
) -> None:
    """Nine of ten are wrong where it says 0.5: a calibration would know, so that is no lie."""
    texts = [example(f"maybe {i}", *([(0, 5, "PER")] if i % 10 else [])) for i in range(200)]
    assert evaluate(student, texts).ece == pytest.approx(0.4, abs=0.01)
    assert evaluate(student, texts, calibrated_on=True).ece < 0.1
    assert evaluate(student, [], calibrated_on=True).ece == 0.0


def test_entities_come_in_the_order_of_the_examples(student: Student) -> None:
    found = evaluate(student, EXAMPLES)
    assert found.predicted == [{(0, 3, "PER")}, {(0, 2, "PER")}, set(), set()]


def test_confidences_that_say_what_happens_have_no_calibration_error(student: Student) -> None:
    """Every second record wrong, all said with 0.5."""
    half = [example(f"maybe {i}", *([(0, 5, "PER")] if i % 2 else [])) for i in range(100)]
    assert evaluate(student, half).ece < 0.02
    wrong = [example(f"maybe {i}", (0, 5, "PER")) for i in range(100)]
    assert evaluate(student, wrong).ece == pytest.approx(0.5, abs=0.02)


def test_an_empty_corpus_gives_zeros_not_errors(student: Student) -> None:
    found = evaluate(student, [])
    assert (found.n_records, found.scores.f1, found.ece, found.auroc) == (0, 0, 0, None)


def test_the_json_holds_the_gates_figures(student: Student) -> None:
    told = evaluate(student, EXAMPLES).as_dict()
    assert told["records"] == 4
    assert told["per_label"]["PER"]["recall"] == 0.5
    assert {"f1", "precision", "recall", "ece", "auroc", "exact_share", "cpu_s_per_1000"} <= set(
        told
    )
    assert told["f1_interval"]["low"] <= told["f1"] <= told["f1_interval"]["high"]


def test_speed_is_measured_for_each_student(student: Student) -> None:
    speeds = compare_speed([student, student], [e.text for e in EXAMPLES] * 20, turns=3)
    assert len(speeds) == 2
    assert all(speed > 0 for speed in speeds)


def test_no_texts_cost_nothing(student: Student) -> None:
    assert compare_speed([student], []) == [0.0]


def test_auroc_needs_right_and_wrong_records() -> None:
    assert auroc(np.array([0.1, 0.9]), np.array([True, True])) is None
    assert auroc(np.array([]), np.array([], dtype=np.bool_)) is None


def test_auroc_of_one_confidence_for_all_is_a_coin() -> None:
    assert auroc(np.full(6, 0.7), np.array([True, False, True, False, True, True])) == 0.5


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=20))
def test_auroc_is_the_share_of_pairs_in_the_right_order(pairs: list[tuple[int, bool]]) -> None:
    confidences = np.array([confidence / 5 for confidence, _ in pairs])
    right = np.array([truth for _, truth in pairs])
    contests = [
        (a > b) + 0.5 * (a == b)
        for a in confidences[right].tolist()
        for b in confidences[~right].tolist()
    ]
    found = auroc(confidences, right)
    assert found == (pytest.approx(sum(contests) / len(contests)) if contests else None)
