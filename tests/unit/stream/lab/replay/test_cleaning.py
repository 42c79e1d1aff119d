from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from schemas.files.corpus import Example
from schemas.types import Entity
from stream.lab.replay.cleaning import cleaning_played, weighted_f1
from stream.testing.messages import a_label

ADA = Entity(0, 3, "PER", "Ada")
PLACE = Entity(0, 3, "LOC", "Ada")
COUNTS = {"doubted": 2, "changed": 1, "dropped": 0, "asked_again": 1}


@dataclass
class Round:
    cleaning: dict[str, int] | None
    doubts: Path | None


def shown(*entities: Entity) -> dict[str, Any]:
    return {"entities": [{"start": x.start, "end": x.end, "label": x.label} for x in entities]}


@pytest.fixture
def doubts(tmp_path: Path) -> Path:
    lines = [
        {
            "text": "Ada",
            "reason": "changed",
            "weight": 1.0,
            "label": shown(PLACE),
            "student": shown(ADA),
        },
        {
            "text": "Ada?",
            "reason": "contradicted",
            "weight": 0.2,
            "label": shown(PLACE),
            "student": shown(),
        },
    ]
    path = tmp_path / "doubts.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)) + "\n")
    return path


def test_the_gain_is_that_of_what_is_learnt_above_the_labels_as_they_came(doubts: Path) -> None:
    stream = [Example(text, text, (ADA,)) for text in ("Ada", "Ada?", "Ada!")]
    labels = [a_label(text=text, entities=(PLACE,)) for text in ("Ada", "Ada?")]
    labels += [a_label(text="Ada!", entities=(ADA,)), a_label(text="elsewhere", entities=())]
    rounds = [Round(None, None), Round(COUNTS, doubts), Round(None, None)]
    found = cleaning_played(rounds, stream, labels)
    assert found is not None
    # One of three right before; then two of 2.2.
    assert found == COUNTS | {"gain": pytest.approx(2 / 2.2 - 1 / 3)}


def test_where_nothing_was_doubted_nothing_is_said() -> None:
    assert cleaning_played([Round(None, None)], [], []) is None


def test_of_nothing_the_f1_is_nothing() -> None:
    assert weighted_f1([]) == 0.0
