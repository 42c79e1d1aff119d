from __future__ import annotations

from pathlib import Path

import pytest

from distill.judging.evaluation import evaluate
from schemas.categories import Choose, of_labels
from schemas.files.corpus import Example
from stream.student import Student
from stream.testing.bundles import write_category_bundle


def student(folder: Path, choose: Choose) -> Student:
    write_category_bundle(
        folder, labels=["a", "b", "c"], choose=choose, words={"ax": "a", "bx": "b", "cx": "c"}
    )
    return Student.load(folder)


def example(text: str, *labels: str) -> Example:
    return Example(text, text, (), categories=of_labels(labels))


def test_to_choose_one_the_accuracy_is_told_with_its_interval(tmp_path: Path) -> None:
    examples = [example("ax", "a"), example("bx", "a"), example("bx x", "b"), example("cx", "c")]
    found = evaluate(student(tmp_path, "one"), examples)
    told = found.as_dict()
    assert told["accuracy"] == told["exact_share"] == found.scores.f1 == 0.75
    assert told["accuracy_interval"]["estimate"] == 0.75
    assert told["macro_f1"] == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    assert told["per_label"]["a"]["recall"] == 0.5
    assert not {"micro_f1", "f1", "f1_interval", "precision"} & told.keys()


def test_to_choose_any_the_accuracy_is_that_of_the_exact_set(tmp_path: Path) -> None:
    examples = [example("ax bx", "a", "b"), example("ax", "a", "c"), example("x")]
    told = evaluate(student(tmp_path, "any"), examples).as_dict()
    assert told["accuracy"] == told["accuracy_interval"]["estimate"] == pytest.approx(2 / 3)
    assert told["micro_f1"] == pytest.approx(6 / 7)
    assert told["macro_f1"] == pytest.approx(2 / 3)
