"""Rounds whose gold is too little to judge alone."""

from __future__ import annotations

import json

import pytest

from distill.testing.fakes import NAMES, Loop
from tests.unit.distill.asking_rounds import GATE, judged, people, serving


@pytest.fixture
def loop(loop: Loop) -> Loop:
    return serving(loop)


def little_gold(loop: Loop, lines: slice) -> None:
    """Of the gold about all names only these lines are left, and rounds may ask."""
    gold = loop.folder / "gold.jsonl"
    gold.write_text("".join(gold.read_text().splitlines(keepends=True)[lines]))
    loop.with_distill(
        min_new_labels=1, gate=GATE, judging={"batch": 10, "share": 0.4, "texts": 400}
    )
    people(loop, NAMES[60:160])


def test_with_little_gold_and_a_share_of_its_own_answers_decide(loop: Loop) -> None:
    """The two differ on 60 of the gold texts, and the teacher says of these what people do."""
    little_gold(loop, slice(40, 120))
    result = loop.round()
    assert (result.status, judged(result)["by"]) == ("promoted", "differing")
    assert judged(result)["gold"] == 60
    assert {f"{name} sings" for name in NAMES[60:120]} <= set(loop.examiner.asked)
    assert result.promotion is not None
    assert len(result.promotion.gold_digest) == 64


def test_little_gold_refuses_what_a_teacher_who_errs_would_promote(loop: Loop) -> None:
    """People find nobody in these texts; the teacher finds the names, as the challenger does."""
    little_gold(loop, slice(40, 120))
    gold = loop.folder / "gold.jsonl"
    wrong = [json.loads(line) | {"entities": []} for line in gold.read_text().splitlines()[20:]]
    kept = gold.read_text().splitlines()[:20]
    gold.write_text("\n".join([*kept, *map(json.dumps, wrong)]) + "\n")
    result = loop.round()
    assert (result.status, judged(result)["gold"]) == ("refused", 60)
    assert result.reason == "no gain"


def test_little_gold_of_which_nothing_differs_cannot_tell(loop: Loop) -> None:
    little_gold(loop, slice(40))
    result = loop.round()
    assert (result.reason, judged(result)["gold"]) == ("insufficient evidence", 0)
    assert result.evidence is not None
    assert result.evidence.need is None
