from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from distill.explain.lineage import lineage, parents
from distill.explain.rounds import RoundRecord, finished_rounds
from distill.explain.words import lineage_lines
from distill.testing.fakes import NAMES, Loop
from schemas.errors import ConfigError
from schemas.types import SilverLabel, Tagging
from stream.testing.messages import a_promotion


def looked_back(loop: Loop, student: str, **changes: Any) -> dict[str, Any]:
    gold = loop.settings.distill.gold
    assert gold is not None
    known: dict[str, Any] = {
        "history": loop.journal.promotions,
        "rounds": finished_rounds(loop.archive),
        "manifest": None,
        "gold_digest": hashlib.sha256(gold.read_bytes()).hexdigest(),
    }
    return lineage(student, **{**known, **changes})


def test_a_student_is_traced_back_to_its_labels_its_judge_and_its_parents(loop: Loop) -> None:
    loop.learn(NAMES[:60])
    first = loop.round()
    loop.learn(NAMES[60:90], source="bootstrap", audit=False)
    loop.learn(NAMES[90:120])
    second = loop.round()
    assert (first.status, second.status) == ("promoted", "promoted")
    facts = looked_back(loop, second.student)
    assert facts["parents"] == [first.student]
    assert facts["in_force"]
    assert [one["action"] for one in facts["promotions"]] == ["promote"]
    assert facts["promotions"][0]["policy"]["threshold"] == 0.8
    assert facts["round"]["champion"] == first.student
    assert facts["round"]["judged_on"] == "gold"
    assert facts["round"]["verdict"]["reason"] == "promoted"
    assert facts["snapshot"]["labels"] == 120
    assert facts["snapshot"]["by_source"] == {"teacher": 90, "bootstrap": 30}
    assert facts["snapshot"]["by_teacher"] == {"sim": 120}
    assert facts["gold"]["is_todays"]
    assert facts["missing"] == []
    assert any(second.student in line and "in force" in line for line in lineage_lines(facts))


def test_a_champion_tells_who_challenged_it_and_in_vain(loop: Loop) -> None:
    loop.learn(NAMES[:100])
    first = loop.round()
    loop.maker.forgets = frozenset(NAMES)
    loop.learn(NAMES[100:130])
    refused = loop.round()
    assert refused.status == "refused"
    facts = looked_back(loop, first.student)
    assert [(one["challenger"], one["status"]) for one in facts["defended"]] == [
        (refused.student, "refused")
    ]
    assert (facts["parents"], facts["in_force"]) == ([], True)
    never = looked_back(loop, refused.student)
    assert never["promotions"] == []
    assert not never["in_force"]
    assert never["parents"] == [first.student]
    assert never["missing"] == ["it was never promoted"]


def test_doubted_labels_are_counted_by_what_became_of_them(loop: Loop) -> None:
    loop.learn(NAMES[:100])
    doubted = [f"{NAMES[0]} laughs", f"{NAMES[1]} laughs"]
    loop.maker.doubted = {text: Tagging((), 0.9, 0.9) for text in doubted}
    made = loop.round()
    assert looked_back(loop, made.student)["doubts"] == {"contradicted": 2}


def test_other_gold_than_todays_is_told_apart(loop: Loop) -> None:
    loop.learn(NAMES[:100])
    made = loop.round()
    assert not looked_back(loop, made.student, gold_digest="0" * 64)["gold"]["is_todays"]
    assert not looked_back(loop, made.student, gold_digest=None)["gold"]["is_todays"]


def test_what_the_archive_has_lost_is_named(loop: Loop) -> None:
    loop.learn(NAMES[:100])
    made = loop.round()
    (snapshot,) = loop.archive.folder.glob("*.parquet")
    snapshot.unlink()
    facts = looked_back(loop, made.student)
    assert facts["missing"] == ["the labels that it was made from are not in the archive any more"]
    assert facts["snapshot"]["file"] == str(snapshot)
    gone = looked_back(loop, made.student, rounds=[])
    assert gone["round"] is None
    assert "does not have its round" in gone["missing"][0]
    assert lineage_lines(gone)


def test_a_student_that_nothing_names_is_a_user_error(loop: Loop) -> None:
    with pytest.raises(ConfigError, match="no student v9 is known here; there is none yet"):
        looked_back(loop, "v9")
    loop.learn(NAMES[:100])
    made = loop.round()
    with pytest.raises(ConfigError, match=f"these are: {made.student}"):
        looked_back(loop, "v9")


def test_a_rollback_makes_nobody_a_parent(loop: Loop) -> None:
    history = [
        a_promotion(student_version="v1"),
        a_promotion(sequence=2, student_version="v2", parent="v1"),
        a_promotion(sequence=3, student_version="v1", parent="v2", action="rollback"),
        a_promotion(sequence=4, student_version="v3", parent="v1"),
    ]
    rounds: list[RoundRecord] = []
    assert parents("v3", history=history, rounds=rounds, manifest=None) == ["v1"]
    assert parents("v2", history=history, rounds=rounds, manifest=None) == ["v1"]
    assert parents("v1", history=history, rounds=rounds, manifest=None) == []


def test_students_that_name_each_other_as_parents_end_the_chain(
    make_label: Callable[..., SilverLabel],
) -> None:
    history = [
        a_promotion(student_version="v1", parent="v2"),
        a_promotion(sequence=2, student_version="v2", parent="v1"),
    ]
    assert parents("v1", history=history, rounds=[], manifest=None) == ["v2", "v1"]
