from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from distill.explain.record import Learnt, Rationale, explanation, ranked
from distill.explain.traces import Traces, placed
from distill.explain.words import record_lines
from schemas.errors import ConfigError
from schemas.settings import KafkaSettings, Settings
from schemas.types import Category, Entity, Opinion
from schemas.wire.record_ids import Place
from stream.kafka.looking import Look
from stream.teacher.spending import Asked
from stream.testing.messages import TASK_DIGEST, TEXT, a_label, a_promotion, a_request, an_event

ADA = (Entity(0, 3, "PER", "Ada"),)
WHOLE = Look([], 5, cut=False, first=0)
FIRST = an_event(status="provisional", reason="low_confidence", confidence=0.4)
SECOND = an_event(
    revision=2,
    reason="low_confidence",
    decided_by="teacher",
    teacher_model="sim",
    prompt_version="p1",
    entities=ADA,
)
PLAYED = Traces(
    "text-0-0",
    Place("text", 0, 0),
    "there",
    [a_promotion()],
    text=TEXT,
    timestamp_ms=1,
    events=(FIRST, SECOND),
    requests=(a_request(audit=True),),
    labels=(a_label(entities=ADA),),
    looks={"entities": WHOLE},
)
ASKED = Asked("2026-01-31", "test", "stream", 2, 20, 10, 0.5)
LEARNT = Learnt(
    student="v2",
    status="promoted",
    reason="promoted",
    started_at_ms=5,
    used_for="training",
    weight=0.2,
    because=("contested: x",),
    label=a_label(entities=ADA, text="archived"),
)


def explained(traces: Traces = PLAYED, **changes: Any) -> dict[str, Any]:
    known: dict[str, Any] = {
        "learnt": [LEARNT],
        "todays": {TASK_DIGEST},
        "asked": ASKED,
        "prices": {"": (0.4, 1.6), "cheap": (0.1, 0.2)},
        "rationale": None,
    }
    return explanation(traces, **{**known, **changes})


def test_the_way_of_a_record_is_told_step_by_step() -> None:
    facts = explained()
    assert (facts["text"]["value"], facts["text"]["from"]) == (TEXT, "text topic")
    assert facts["student"]["version"] == "v1"
    assert facts["student"]["confidence"] == 0.4
    assert (facts["policy"]["promotion"], facts["policy"]["threshold"]) == (1, 0.8)
    assert (facts["teacher"]["answered"], facts["teacher"]["audit"]) == (True, True)
    assert facts["teacher"]["model"] == "sim"
    assert facts["labels"][0]["stands"]
    assert facts["students"][0]["weight"] == 0.2
    assert facts["cost"]["ledger"]["usd"] == 0.5
    assert facts["cost"]["label_usd_today"] == pytest.approx((11 * 0.4 + 3 * 1.6) / 1e6)
    assert facts["missing"] == []
    lines = record_lines(facts)
    steps = [line.split(maxsplit=1)[0] for line in lines]
    assert steps == [
        "record", "text", "student", "policy", "teacher", "event", "event", "label", "learnt",
        "cost",
    ]  # fmt: skip


def test_of_several_teachers_it_is_told_who_answered_at_what_price_and_who_disagreed() -> None:
    others = (
        Opinion("", "v1", ((0, 3, "ORG"),), 0.4),
        Opinion("best", "big", ((0, 3, "PER"),)),
        Opinion("third", "", (), refused=True),
    )
    label = a_label(entities=ADA, teacher="cheap", asked="several", opinions=others)
    facts = explained(replace(PLAYED, labels=(label,)))
    assert facts["cost"]["label_usd_today"] == pytest.approx((11 * 0.1 + 3 * 0.2) / 1e6)
    assert [(x["teacher"], x["refused"]) for x in facts["labels"][0]["opinions"]] == [
        ("", False), ("best", False), ("third", True),
    ]  # fmt: skip
    lines = "\n".join(record_lines(facts))
    assert "cheap, sim, prompt p1, asked as several" in lines.replace("  ", " ")
    assert "opinion   the student v1: Ada [ORG]" in lines
    assert "opinion   best, big: Ada [PER]" in lines
    assert "opinion   third, : no answer" in lines
    gone = replace(label, teacher="gone")
    assert explained(replace(PLAYED, labels=(gone,)))["cost"]["label_usd_today"] is None


def test_machines_get_these_keys_and_no_others() -> None:
    assert set(explained()) == {
        "record_id", "text", "student", "policy", "teacher", "events", "dead_letters", "labels",
        "rationale", "students", "cost", "missing", "read",
    }  # fmt: skip


def test_an_expired_text_is_taken_from_its_request_or_its_label_and_named() -> None:
    gone = replace(PLAYED, whereabouts="expired", timestamp_ms=None)
    facts = explained(gone)
    assert facts["text"]["from"] == "teacher request"
    assert facts["missing"] == ["the text has expired from partition 0 of text"]
    no_request = replace(gone, text=None, requests=(), events=(SECOND,))
    facts = explained(no_request)
    assert (facts["text"]["value"], facts["text"]["from"]) == (TEXT, "label")
    assert facts["text"]["digest"] == SECOND.text_digest
    assert "its first revision has expired" in facts["missing"]


def test_where_all_topics_have_lost_it_the_archive_still_tells() -> None:
    lost = Traces("text-0-0", Place("text", 0, 0), "expired", [])
    facts = explained(lost, asked=None)
    assert facts["text"]["value"] == "archived"
    assert (facts["student"], facts["policy"], facts["teacher"]) == (None, None, None)
    assert any("no event and no dead letter" in one for one in facts["missing"])
    bare = explained(lost, learnt=[], asked=None)
    assert bare["text"]["value"] is None
    assert any("no topic and no snapshot has the text" in one for one in bare["missing"])
    assert record_lines(bare)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"whereabouts": "gone", "text": None}, "is no record: it was compacted away"),
        ({"whereabouts": "to come", "text": None}, "has not come to offset 0 yet"),
        ({"text": None, "fault": "bad_text: null"}, "no text that could be read (bad_text: null)"),
        ({"events": (FIRST,)}, "the teacher's revision 2 is not there yet"),
        ({"requests": ()}, "its request to the teacher has expired"),
        (
            {"looks": {"entities": Look([], 7, cut=True, first=0)}},
            "entities was not read whole: 7 records (--max-records)",
        ),
    ],
)
def test_what_is_not_there_is_named(changes: Any, words: str) -> None:
    missing = explained(replace(PLAYED, **changes))["missing"]
    assert any(words in one for one in missing), missing


def test_a_question_that_this_ledger_does_not_know_is_named() -> None:
    (one,) = explained(asked=None)["missing"]
    assert "ledger" in one
    settled = an_event()
    alone = replace(PLAYED, events=(settled,), requests=(), labels=())
    assert explained(alone, asked=None, learnt=[])["missing"] == []


def test_a_record_that_the_student_settled_alone_has_no_teacher() -> None:
    alone = replace(PLAYED, events=(an_event(),), requests=(), labels=())
    facts = explained(alone, asked=None, learnt=[])
    assert facts["teacher"] is None
    assert facts["student"]["reason"] == "confident"
    assert facts["cost"]["ledger"] is None


def test_an_answer_that_never_came_says_why() -> None:
    kept = an_event(revision=2, reason="budget_exhausted")
    facts = explained(replace(PLAYED, events=(FIRST, kept), labels=()), learnt=[], asked=None)
    assert (facts["teacher"]["answered"], facts["teacher"]["outcome"]) == (
        False,
        "budget_exhausted",
    )
    assert any("no answer: budget_exhausted" in line for line in record_lines(facts))


def test_a_policy_that_no_promotion_names_keeps_its_name() -> None:
    facts = explained(replace(PLAYED, history=[]))
    assert facts["policy"] == {"version": FIRST.policy_version, "promotion": None}
    assert any("no promotion here names" in line for line in record_lines(facts))


def test_of_the_labels_of_a_text_that_of_a_person_for_todays_task_stands() -> None:
    teacher = a_label(labelled_at_ms=9)
    newer = a_label(labelled_at_ms=12, source="judging")
    person = a_label(labelled_at_ms=5, source="human")
    old_task = a_label(labelled_at_ms=20, source="human", task_digest="9" * 64)
    order = ranked([teacher, old_task, newer, person], {TASK_DIGEST})
    assert order == [person, newer, teacher, old_task]


def test_a_rationale_is_marked_as_said_afterwards() -> None:
    why = Rationale(said="Ada is a name.", model="sim", at_ms=7, usd=0.1)
    facts = explained(rationale=why)
    assert facts["rationale"]["said"] == "Ada is a name."
    assert "afterwards" in facts["rationale"]["note"]
    (line,) = (line for line in record_lines(facts) if line.startswith("rationale"))
    assert "afterwards" in line


def test_categories_are_explained_as_entities_are() -> None:
    glad = (Category("glad"),)
    second = replace(SECOND, entities=(), categories=glad)
    moody = replace(
        PLAYED,
        events=(FIRST, second),
        labels=(a_label(categories=glad),),
    )
    facts = explained(moody)
    assert [one["label"] for one in facts["teacher"]["categories"]] == ["glad"]
    assert any("glad" in line for line in record_lines(facts) if line.startswith("label"))


def test_a_dead_letter_tells_why_there_is_no_event() -> None:
    letter = {"code": "undecodable", "message": "not JSON", "at_ms": "5"}
    buried = Traces(
        "text-0-0", Place("text", 0, 0), "there", [], fault="undecodable: x", letters=(letter,)
    )
    facts = explained(buried, learnt=[], asked=None)
    assert any("undecodable, not JSON" in line for line in record_lines(facts))
    assert not any("no dead letter" in one for one in facts["missing"])


def test_an_id_of_another_topic_or_none_is_a_user_error() -> None:
    settings = Settings(kafka=KafkaSettings(text_topic="news"))
    assert placed("news-1-17", settings) == Place("news", 1, 17)
    with pytest.raises(ConfigError, match=r"not a record id.*news-0-17"):
        placed("news", settings)
    with pytest.raises(ConfigError, match=r"of the topic mail, but kafka\.text_topic is news"):
        placed("mail-1-17", settings)
