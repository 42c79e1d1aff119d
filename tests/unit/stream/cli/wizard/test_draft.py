from __future__ import annotations

from typing import Any

import pytest

from schemas.files.task import LabelSpec
from schemas.settings import TeacherSettings
from stream.cli.wizard.draft import Draft, edited
from stream.cli.wizard.wish import Wish

WISH = Wish(
    name="t",
    kind="entities",
    choose=None,
    looking_for="people and places",
    labels=(),
    language="en",
    examples=(),
    topic="text",
    bootstrap_servers="here:1",
    teacher=TeacherSettings(),
    key_variable="",
    max_usd=1.0,
    n_texts=0,
)
DRAFT = Draft((LabelSpec("PER", "Who."), LabelSpec("LOC")), ("With titles.",), ("Pronouns",))


@pytest.mark.parametrize(
    ("command", "changed"),
    [
        ("2 Where  it is.", {"labels": (DRAFT.labels[0], LabelSpec("LOC", "Where it is."))}),
        ("3: Without titles.", {"edge_cases": ("Without titles.",)}),
        ("4 They", {"negatives": ("They",)}),
        ("-1", {"labels": DRAFT.labels[1:]}),
        ("- 3", {"edge_cases": ()}),
        ("+ Each mention.", {"edge_cases": ("With titles.", "Each mention.")}),
        ("! Brands", {"negatives": ("Pronouns", "Brands")}),
        ("label ORG: A firm.", {"labels": (*DRAFT.labels, LabelSpec("ORG", "A firm."))}),
    ],
)
def test_each_command_changes_what_it_names(command: str, changed: dict[str, Any]) -> None:
    after = edited(DRAFT, command, WISH)
    before = {"labels": DRAFT.labels, "edge_cases": DRAFT.edge_cases, "negatives": DRAFT.negatives}
    assert after == Draft(**before | changed)


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ("9 words", "there is no 9"),
        ("-0", "there is no 0"),
        ("words", "Enter takes them all"),
        ("+", "Enter takes them all"),
        ("label PER: again", "same name"),
        ("label A B: spaces", "no spaces"),
    ],
)
def test_a_command_that_cannot_be_says_why(command: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        edited(DRAFT, command, WISH)


def test_the_last_label_stays() -> None:
    with pytest.raises(ValueError, match="at least one label"):
        edited(Draft((LabelSpec("PER"),)), "-1", WISH)


def test_a_task_says_it_all_in_sentences() -> None:
    task = DRAFT.task(WISH)
    assert task.labels == DRAFT.labels
    assert task.guidelines == "Looked for: people and places. With titles. Not meant: Pronouns."
