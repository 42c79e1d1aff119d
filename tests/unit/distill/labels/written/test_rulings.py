from __future__ import annotations

from dataclasses import replace

import pytest

from distill.labels.written.rulings import doubted_of, ruled
from schemas.categories import of_labels
from schemas.files.task import LabelSpec, Task
from schemas.types import Entity, facts
from stream.teacher.writing.verdicts import Doubted, Verdict
from stream.testing.messages import a_label

TEXT = "Dr. Ada Lovelace met Bo"
TITLED = (0, 16, "PER")
BO = (21, 23, "PER")
LABEL = a_label(text=TEXT, entities=(Entity(0, 16, "PER", TEXT[:16]), Entity(21, 23, "PER", "Bo")))
MOODS = Task("m", "en", (LabelSpec("glad"), LabelSpec("sad")), kind="categories", choose="one")
MOOD = a_label(text=TEXT, entities=(), categories=of_labels(["glad"]))


@pytest.mark.parametrize(
    ("fact", "verdict", "effect", "after"),
    [
        (BO, Verdict("right"), "confirmed", {TITLED, BO}),
        (BO, Verdict("wrong"), "removed", {TITLED}),
        (BO, Verdict("other_label", "ORG"), "relabelled", {TITLED, (21, 23, "ORG")}),
        (TITLED, Verdict("other_span", "", "Ada Lovelace"), "respanned", {(4, 16, "PER"), BO}),
        (TITLED, Verdict("other_span", "ORG", "Ada"), "respanned", {(4, 7, "ORG"), BO}),
        (TITLED, Verdict("other_span", "", "Grace"), "unusable", {TITLED, BO}),
        (TITLED, Verdict("other_span", "", "Bo"), "unusable", {TITLED, BO}),
        ((17, 20, "ORG"), Verdict("right"), "added", {TITLED, (17, 20, "ORG"), BO}),
        ((17, 20, "ORG"), Verdict("wrong"), "confirmed", {TITLED, BO}),
        ((4, 7, "ORG"), Verdict("right"), "unusable", {TITLED, BO}),
    ],
)
def test_a_verdict_does_what_it_says_unless_the_rest_contradicts_it(
    task: Task,
    fact: tuple[int, int, str],
    verdict: Verdict,
    effect: str,
    after: set[tuple[int, int, str]],
) -> None:
    label, effects = ruled(LABEL, [(fact, verdict)], task)
    assert label is not None
    assert facts(label) == after
    assert [str(one) for one in effects] == [effect]
    assert replace(label, entities=LABEL.entities) == LABEL


def test_a_single_category_is_changed_or_no_answer_is_left() -> None:
    fact = (0, 0, "glad")
    label, effects = ruled(MOOD, [(fact, Verdict("other_label", "sad"))], MOODS)
    assert label is not None
    assert facts(label) == {(0, 0, "sad")}
    assert effects == ["relabelled"]
    assert ruled(MOOD, [(fact, Verdict("wrong"))], MOODS) == (None, ["removed"])


def test_a_repeated_mention_is_asked_about_by_its_number() -> None:
    text = "Bo met Bo"
    assert doubted_of(text, (7, 9, "PER")) == Doubted(text, "PER", "Bo", 2)
    assert doubted_of(text, (0, 0, "glad")) == Doubted(text, "glad")
