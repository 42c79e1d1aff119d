"""What `tests.benchmarks.recorded` counts: a promise that is broken is seen to be broken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmarks.recorded import Counts, Ended, Recorded, counted, recorded_in, refusals

ORG, PER, INNER = (0, 9, "ORG"), (10, 13, "PER"), (0, 4, "LOC")
BOTH = frozenset({ORG, PER})


def count(*pairs: tuple[Recorded, Ended | None]) -> Counts:
    return counted([record for record, _ in pairs], [end for _, end in pairs])


def test_the_first_answer_to_a_text_is_expected_of_all_and_others_are_contradictions() -> None:
    first, other = Recorded("a", BOTH), Recorded("a", frozenset({PER}))
    found = count((first, Ended(BOTH, BOTH)), (other, Ended(BOTH, BOTH)))
    assert (found.repeated, found.contradictions) == (1, 1)
    assert (found.labels, found.as_recorded, found.broken) == (2, 1, 0)


def test_what_a_longer_mention_holds_may_be_missing_and_nothing_else() -> None:
    record = Recorded("a", BOTH | {INNER})
    found = count((record, Ended(BOTH, BOTH)))
    assert (found.nested, found.broken) == (1, 0)
    assert count((record, Ended(BOTH - {PER}, BOTH - {PER}))).broken == 1


@pytest.mark.parametrize(
    "end",
    [None, Ended(BOTH | {INNER}, BOTH | {INNER}), Ended(BOTH, BOTH - {PER}), Ended(None, None)],
    ids=["no end", "more than was said", "another correction", "no reason"],
)
def test_a_broken_promise_is_counted(end: Ended | None) -> None:
    assert count((Recorded("a", BOTH), end)).broken == 1


def test_refusals_count_by_the_words_of_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    told = {"event": "answer_refused", "record_id": "r", "reason": "two mentions overlap"}
    log.write_text(f"no JSON\n{json.dumps(told)}\n")
    assert refusals(log) == {"r": "two mentions overlap"}
    found = count((Recorded("a", None), Ended(None, None, "invalid_answer: two mentions overlap")))
    assert (found.refused, found.broken) == ({"invalid_answer: two mentions overlap": 1}, 0)


def test_files_are_read_as_they_are_and_those_without_answers_are_none(tmp_path: Path) -> None:
    answers, questions = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    spans = [{"start": 10, "end": 13, "label": "PER"}]
    lines = [{"text": "a", "llm_entities": spans}, {"text": "b", "llm_entities": None}]
    answers.write_text("\n".join(map(json.dumps, lines)))
    questions.write_text(json.dumps({"text": "a", "llm": "PER"}))
    assert recorded_in(answers) == [Recorded("a", frozenset({PER})), Recorded("b", None)]
    assert recorded_in(questions) == []
