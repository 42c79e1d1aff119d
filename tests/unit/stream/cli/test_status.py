from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from schemas.audit import AuditKeys, key_digest
from schemas.promises.keeping import Audit, next_promise, next_proof
from schemas.promises.proving import Sighting
from schemas.promises.record import LabelBound, Promised
from schemas.promises.trust import ANOTHER_TEACHER, Tally, Trust
from stream.cli.status import Facts, report, words
from stream.retrain.last_decision import LastDecision
from stream.retrain.promise_keeper import under_another_policy, with_audit_share
from stream.teacher import comparison
from stream.teacher.batch_rows import Batch
from stream.teacher.comparison import STUDENT, Agreement, Comparison
from stream.teacher.retries import Outage
from stream.testing.messages import POLICY, TASK_DIGEST, a_promised, a_promotion, a_proof

KEYS = {
    "student",
    "policy_version",
    "promise",
    "evidence",
    "trust",
    "teachers",
    "audits",
    "budget",
    "canary",
    "outages",
    "batches",
    "alarms",
}
PROMISED = a_promised(
    proof=a_proof(state="unproven", accepted_share=0.5, audited=49, bound=0.91, need=100),
    stream=49,
    per_label={"PER": LabelBound(0.6, 1.0, 30, 0, 0.9)},
)


def facts(promised: Promised | None = PROMISED, **changes: Any) -> Facts:
    promotion = a_promotion(metrics=promised.metrics() if promised else {}, promoted_at_ms=0)
    found = Facts(
        promotion=promotion,
        audits_ms=range(20),
        spent_usd=1.5,
        limit_usd=10.0,
        now_ms=100_000,
        task_digest=TASK_DIGEST,
    )
    return replace(found, **changes)


def standing(state: Any) -> Promised:
    return replace(PROMISED, proof=replace(PROMISED.proof, state=state, errors=7))


def test_a_promise_that_nobody_watches_since_the_task_was_edited_is_an_alarm() -> None:
    kept = report(facts(standing("kept"), task_digest="another"))
    [alarm] = kept["alarms"]
    assert "nobody watches" in alarm
    assert (kept["promise"]["state"], kept["promise"]["bound"]) == ("unproven", 0.0)
    broken = report(facts(standing("broken"), task_digest="another"))
    assert broken["promise"]["state"] == "broken"
    assert report(facts(None, task_digest="another"))["alarms"] == []


def test_machines_get_these_keys_and_no_others() -> None:
    found = report(facts())
    assert set(found) == KEYS
    assert set(found["promise"]) == {
        "agreement",
        "confidence",
        "against",
        "state",
        "accepted_share",
        "audited",
        "errors",
        "bound",
        "per_label",
    }
    assert found["promise"]["per_label"] == {
        "PER": {
            "threshold": 0.6,
            "accepted_share": 1.0,
            "audited": 30,
            "errors": 0,
            "bound": 0.9,
            "state": "unproven",
        }
    }
    assert found["canary"] is None
    assert found["alarms"] == []


def test_the_missing_audits_come_at_the_pace_of_those_since_the_promotion() -> None:
    # 20 audits in 100 s, half of them of records settled alone: one such in 10 s.
    look = next_proof(PROMISED, 20)
    assert look is not None
    found = report(facts())["evidence"]
    assert found == {"have": 10, "need": math.ceil((look - 20) / 2), "eta_s": (look - 20) * 5.0}
    later = report(facts(audits_ms=range(60), now_ms=300_000))["evidence"]
    assert later == {"have": 30, "need": found["need"] - 20, "eta_s": found["eta_s"] - 200}
    assert report(facts(audits_ms=()))["evidence"]["eta_s"] is None


def test_audits_of_before_a_student_served_prove_nothing_of_it() -> None:
    found = report(facts(audits_ms=range(60), proving_ms=40))["evidence"]
    assert found["have"] == 10


def test_of_gold_nobody_knows_when_it_comes() -> None:
    people = replace(PROMISED, against="people")
    assert report(facts(people))["evidence"] == {"have": 49, "need": 100, "eta_s": None}


def test_what_is_proved_needs_nothing_more() -> None:
    proved = replace(PROMISED, proof=replace(PROMISED.proof, state="kept", need=0))
    assert report(facts(proved))["evidence"] == {"have": 49, "need": 0, "eta_s": 0.0}
    assert any(line.startswith("promise   kept") for line in words(report(facts(proved))))


def test_a_teacher_that_does_not_answer_is_an_alarm_while_somebody_tries_it() -> None:
    outage = Outage(since_s=60.0, tried_s=90.0, why="it answered 500", refuses=False)
    found = report(facts(outages={"http://teacher/v1": outage}))
    [alarm] = found["alarms"]
    assert "http://teacher/v1 does not answer, since 1970-01-01T00:01" in alarm
    assert found["outages"]["http://teacher/v1"]["why"] == "it answered 500"
    later = facts(outages={"http://teacher/v1": outage}, now_ms=3_600_000)
    assert (report(later)["alarms"], report(later)["outages"]) == ([], {})


def test_a_batch_that_waits_is_told_with_its_end() -> None:
    sent = Batch("b", "people", "bootstrap", "http://teacher/v1", "file", 1.0, "b_1", 2.0, 60.0, 7)
    found = report(facts(batches=[sent, replace(sent, id="")]))
    assert found["batches"][0]["until_s"] == 60.0
    told, unsent = [line for line in words(found) if line.startswith("batch ")]
    assert "7 texts of bootstrap wait in b_1 at http://teacher/v1, until 1970-01-01T00:01" in told
    assert "run the command again" in unsent


def test_a_last_round_that_found_a_trigger_is_an_alarm_until_a_person_promotes_its_student() -> (
    None
):
    found = facts(last_round=LastDecision("v9", "trigger found"))
    [alarm] = report(found)["alarms"]
    assert alarm.startswith("trigger found: the last round refused v9")
    assert found.promotion is not None
    promoted = replace(found.promotion, student_version="v9")
    assert report(replace(found, promotion=promoted))["alarms"] == []
    assert report(facts(last_round=LastDecision("v9", "no gain")))["alarms"] == []


def test_a_broken_promise_and_a_spent_budget_are_alarms() -> None:
    found = report(facts(standing("broken"), spent_usd=10.0))
    assert len(found["alarms"]) == 2
    assert "7 did not agree" in found["alarms"][0]
    assert sum(line.startswith("ALARM") for line in words(found)) == 2


def test_a_stream_that_changed_under_a_promise_is_an_alarm_until_it_is_proved_anew() -> None:
    kept = a_promised(proof=a_proof(threshold=POLICY.threshold), overall=0.8)
    calm = [Audit(i, Sighting(0.95, right=True)) for i in range(100)]
    wrong = [Audit(i, Sighting(0.1, right=False)) for i in range(100, 130)]
    promised = next_promise(kept, [*calm, *wrong], in_force_ms=0, since_ms=0)
    assert promised is not None
    history = [a_promotion(metrics=kept.metrics())]
    history.append(under_another_policy(history, promised, now_ms=200))
    history.append(with_audit_share(history, replace(promised, short=False), 0.01, now_ms=300))
    for entry in history[1:]:
        found = report(facts(promotion=entry))
        assert found["promise"]["state"] == "unproven"
        assert [alarm.partition(":")[0] for alarm in found["alarms"]] == ["the stream has changed"]
    audits = [Audit(i, Sighting(0.95, right=True)) for i in range(100, 400)]
    proved = next_promise(promised, audits, in_force_ms=200, since_ms=100)
    assert proved is not None
    assert report(facts(proved))["alarms"] == []


@pytest.mark.parametrize("reason", [ANOTHER_TEACHER, "the evidence suffices"])
def test_a_policy_of_an_unproven_student_is_no_alarm_of_itself(reason: str) -> None:
    promotion = a_promotion(metrics=PROMISED.metrics(), action="policy", reason=reason)
    assert report(facts(promotion=promotion))["alarms"] == []


def test_people_read_what_can_be_promised_and_what_is_missing() -> None:
    text = "\n".join(words(report(facts())))
    assert "91.0% can be promised of the surest 50%" in text
    assert f"{report(facts())['evidence']['need']} more without an error are needed" in text


@pytest.mark.parametrize("found", [facts(None), facts(promotion=None)])
def test_without_a_promise_or_a_student_it_says_so(found: Facts) -> None:
    said = report(found)
    assert said["promise"] is None
    assert said["evidence"] is None
    assert words(said)


def test_a_ledger_that_is_elsewhere_is_not_guessed_at() -> None:
    assert report(facts(spent_usd=None))["budget"] is None
    assert report(facts())["budget"] == {
        "day": "1970-01-01",
        "spent_usd": 1.5,
        "limit_usd": 10.0,
    }


def test_labels_that_are_trusted_are_told_with_what_was_counted() -> None:
    trust = Trust(("PER",), {"LOC": Tally(9, 3, 2), "PER": Tally(12, 8, 0)})
    promotion = a_promotion(
        policy=replace(POLICY, trusted=trust.labels), metrics=PROMISED.metrics() | trust.metrics()
    )
    found = report(facts(promotion=promotion))
    assert found["trust"] == {
        "LOC": {"records": 9, "student": 3, "teacher": 2, "trusted": False},
        "PER": {"records": 12, "student": 8, "teacher": 0, "trusted": True},
    }
    assert [line for line in words(found) if line.startswith("trusted")] == [
        "trusted   PER: unsure in these alone, nobody is asked"
    ]
    assert report(facts())["trust"] == {}


def test_a_lost_history_is_an_alarm_that_says_what_to_do() -> None:
    found = report(facts(promotion=None, task="people", stored=["v1", "v2"]))
    (alarm,) = found["alarms"]
    assert "the student v2" in alarm
    assert "silverstream promote" in alarm
    assert "silverstream promote" in "\n".join(words(found))
    assert report(facts(promotion=None, task="people"))["alarms"] == []


CANARY = {
    "state": "changed",
    "noticed_by": "answers",
    "texts": 40,
    "before": {"agreed": 99, "compared": 100, "latency_s": 0.5},
    "since": {"agreed": 2, "compared": 20, "latency_s": 1.25},
}


def test_a_teacher_that_has_changed_is_an_alarm_for_machines_and_people() -> None:
    found = report(facts(canary=CANARY))
    assert found["canary"] == CANARY
    (alarm,) = found["alarms"]
    assert alarm.startswith("canary: the teacher has changed: 99 of 100 ")
    told = words(found)
    assert "canary    2 of 20 answers as at first, in 1.2 s" in told
    assert f"ALARM     {alarm}" in told


def test_canaries_that_see_nothing_are_no_alarm() -> None:
    calm = CANARY | {"state": "watching", "since": None}
    found = report(facts(canary=calm))
    assert found["alarms"] == []
    assert "canary    99 of 100 answers as at first, in 0.5 s" in words(found)
    assert any(
        "nothing is compared" in line
        for line in words(report(facts(canary=calm | {"state": "gathering"})))
    )


OUR_KEY, ANOTHER_KEY = "k" * 32, "x" * 32


@pytest.mark.parametrize(
    ("in_force", "alarm"),
    [(OUR_KEY, ""), (ANOTHER_KEY, "the audit sample is drawn with the key"), ("", "public")],
)
def test_who_holds_another_key_than_the_policy_names_is_told(in_force: str, alarm: str) -> None:
    policy = AuditKeys.of(in_force).own(POLICY) if in_force else POLICY
    found = report(
        facts(promotion=a_promotion(policy=policy), keys=AuditKeys.of(OUR_KEY), spent_usd=None)
    )
    assert found["audits"] == {
        "share": POLICY.audit_share,
        "key": policy.audit_key_digest or None,
        "held": key_digest(OUR_KEY),
    }
    assert [alarm in said for said in found["alarms"]] == ([True] if alarm else [])
    assert OUR_KEY not in "\n".join(words(found))


def test_who_holds_no_key_cannot_tell() -> None:
    policy = AuditKeys.of(ANOTHER_KEY).own(POLICY)
    assert not report(facts(promotion=a_promotion(policy=policy), spent_usd=None))["alarms"]


def test_of_several_teachers_it_tells_how_they_stand_to_the_first() -> None:
    known = Comparison(
        {
            ("cheap", "first", None): comparison.Tally(80, 2, 0),
            ("cheap", "first", "PER"): comparison.Tally(70, 0, 0),
        },
        {("best", "cheap", "PER"): Agreement(90, 88), ("cheap", STUDENT, "PER"): Agreement(90, 70)},
        {"best": ("b", "p1"), "cheap": ("c", "p1")},
    )
    promotion = a_promotion(metrics={**PROMISED.metrics(), **known.metrics()}, promoted_at_ms=0)
    names = ("best", "cheap")
    asked = facts(promotion=promotion, teachers=names, paid_usd={"cheap": 0.5}, tolerated_loss=0.05)
    found = report(asked)["teachers"]
    assert found["best"]["first"]
    assert found["best"]["agreement"] == {"cheap": {"PER": {"texts": 90, "agreed": 88}}}
    assert found["cheap"]["agreement"]["student"] == {"PER": {"texts": 90, "agreed": 70}}
    assert (found["cheap"]["model"], found["cheap"]["spent_usd"]) == ("c", 0.5)
    per = next(one for one in found["cheap"]["instead"] if one["proposed"] == "PER")
    assert per == {"proposed": "PER", "records": 70, "worse": 0, "better": 0, "good_enough": True}
    text = "\n".join(words(report(asked)))
    assert "cheap: 2 times worse and 0 times better than the first in 80 deferred audits" in text
    assert "asked where the student says PER" in text
    unknown = "\n".join(words(report(facts(teachers=names))))
    assert "cheap: not compared yet" in unknown
    assert report(facts(teachers=("only",)))["teachers"] is None
