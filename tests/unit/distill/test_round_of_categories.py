"""Rounds of categories, from labels to promotions, with real trainings of a tiny base."""

from __future__ import annotations

from pathlib import Path

import pytest

from distill.judging.evaluation import evaluate
from distill.result import RoundResult
from distill.round import run_round
from distill.testing.fakes import ListJournal
from distill.testing.tiny_base import write_tiny_base
from schemas.categories import Choose, check_chosen, of_labels
from schemas.files.corpus import Example
from schemas.files.task import LabelSpec, Task
from schemas.files.task_file import task_yaml
from schemas.settings import Settings
from schemas.types import SilverLabel
from stream.student import Student
from stream.testing.messages import a_label

WORDS = {"joy": ("smile", "party"), "fear": ("dark", "ghost"), "anger": ("shout", "insult")}
FILLERS = ["the", "a", "then", "we", "saw", "it", "was", "there", "some", "more"]


def a_text(number: int, *labels: str) -> str:
    """A text of its own with a word of each label."""
    words = [FILLERS[(number // 10**i) % 10] for i in range(4)]
    return " ".join([*words, *(WORDS[label][number % 2] for label in labels), words[0]])


def label_names(number: int, choose: Choose) -> list[str]:
    names = list(WORDS)
    if choose == "one":
        return [names[number % 3]]
    return [name for i, name in enumerate(names) if number >> i & 1]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = [*FILLERS, *(word for some in WORDS.values() for word in some)]
    return write_tiny_base(tmp_path_factory.mktemp("base"), words=words)


class Rounds:
    """A task of categories, its labels, and rounds on them."""

    def __init__(self, folder: Path, base: Path, choose: Choose, int8: str) -> None:
        labels = tuple(LabelSpec(name) for name in WORDS)
        self.task = Task("mood", "en", labels, kind="categories", choose=choose)
        self.choose: Choose = choose
        self.folder, self.journal = folder, ListJournal()
        (folder / "task.yaml").write_text(task_yaml(self.task))
        recipe = {"base": str(base), "layers": 1, "int8": int8, "max_tokens": 16, "stride": 4}
        knobs = {"epochs": 1, "min_steps": 120, "learning_rate": 1e-2, "train_embeddings": True}
        self.settings = Settings.model_validate(
            {
                "task": folder / "task.yaml",
                "student": {"registry": folder / "models"},
                "experiment": knobs,
                "distill": {
                    "snapshots": folder / "snapshots",
                    "min_new_labels": 10,
                    "recipe": recipe,
                    "gate": {"resamples": 100, "min_records": 20, "max_slowdown": 100},
                },
            }
        )

    def learn(self, numbers: range, *, wrong: bool = False) -> None:
        self.journal.kept += [self._label(number, wrong=wrong) for number in numbers]

    def _label(self, number: int, *, wrong: bool) -> SilverLabel:
        names = label_names(number, self.choose)
        return a_label(
            task=self.task.name,
            task_digest=self.task.digest,
            text=a_text(number, *names),
            entities=(),
            categories=of_labels(["joy"] if wrong else names),
            source="bootstrap",
            record_id="",
            student_version="",
            labelled_at_ms=number,
        )

    def round(self) -> RoundResult:
        return run_round(self.settings, force=True, journal=self.journal)


@pytest.mark.parametrize(("choose", "int8"), [("one", "on"), ("any", "off")])
def test_a_student_of_categories_is_trained_judged_promoted_and_serves(
    tmp_path: Path, base: Path, choose: Choose, int8: str
) -> None:
    rounds = Rounds(tmp_path, base, choose, int8)
    rounds.learn(range(300))

    result = rounds.round()

    assert (result.status, result.reason) == ("promoted", "first student")
    assert result.trial
    assert result.promotion
    assert result.promotion.metrics["accuracy"] > 0.7
    assert ("micro_f1" in result.promotion.metrics) is (choose == "any")
    told = result.as_dict()["trial"]["challenger"]
    assert told["accuracy_interval"]["low"] <= told["accuracy"]
    assert set(told["per_label"]) == set(WORDS)

    student = Student.load(tmp_path / "models" / result.promotion.location)
    assert (student.manifest.kind, student.manifest.choose) == ("categories", choose)
    assert student.manifest.precision == ("int8" if int8 == "on" else "fp32")
    assert student.manifest.metrics["parity_logit_difference"] < 1e-4
    unseen = range(1000, 1080)
    examples = [
        Example(str(n), a_text(n, *names), (), categories=of_labels(names))
        for n in unseen
        for names in [label_names(n, choose)]
    ]
    found = evaluate(student, examples)
    assert found.exact_share > 0.7
    texts = [example.text for example in examples] + ["we saw it " * 40 + "a ghost"]
    taggings = student.tag(texts)
    assert taggings == [student.tag([text])[0] for text in texts]
    for tagging in taggings:
        check_chosen(tagging.categories, labels=tuple(WORDS), choose=choose)


def test_a_student_that_learnt_worse_labels_does_not_replace_a_better_one(
    tmp_path: Path, base: Path
) -> None:
    rounds = Rounds(tmp_path, base, "one", "off")
    rounds.learn(range(300))
    champion = rounds.round().promotion
    rounds.journal.kept = [
        label for label in rounds.journal.kept if label.labelled_at_ms % 3 == 0
    ] + rounds.journal.kept[:100]
    rounds.learn(range(300, 900), wrong=True)

    result = rounds.round()

    assert champion
    assert result.status != "promoted"
    assert rounds.journal.promotions == [champion]
