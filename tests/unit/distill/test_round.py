from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from distill.archive import DOUBTS_NAME, PSEUDO_LABELS_NAME
from distill.labels.snapshot import read_snapshot
from distill.testing.fakes import NAMES, Loop
from schemas.audit import key_digest
from schemas.errors import AuditKeyError, BrokerUnavailableError, BundleError, TopicError
from schemas.files.bundle import read_bundle
from schemas.files.bundle_store import FolderBundleStore
from schemas.files.corpus import read_corpus
from schemas.files.manifest import MANIFEST_NAME
from schemas.files.task import LabelSpec, Task
from schemas.files.task_file import task_yaml
from schemas.promises.proving import Asked, prove
from schemas.promises.record import Promised
from schemas.types import (
    SilverLabel,
    Tagging,
    policy_digest,
)
from stream.student import Student

MakeLabel = Callable[..., SilverLabel]
GATE = {"resamples": 100, "max_slowdown": 100}


def test_a_first_student_is_promoted_with_all_that_workers_need(loop: Loop) -> None:
    loop.learn(NAMES[:100])
    result = loop.round()
    (promotion,) = loop.journal.promotions
    assert (result.status, result.reason) == ("promoted", "first student")
    assert result.promotion == promotion
    assert (promotion.sequence, promotion.parent, promotion.action) == (1, "", "promote")
    assert (promotion.task, promotion.task_digest) == (loop.task.name, loop.task.digest)
    bundle = Path(loop.settings.student.registry) / promotion.location
    student = Student.load(bundle)
    assert (student.version, student.digest) == (promotion.student_version, promotion.digest)
    assert promotion.policy.threshold == 0.8
    assert promotion.policy.audit_share == loop.settings.distill.audit_share
    assert promotion.policy_digest == policy_digest(promotion.policy)
    assert len(promotion.gold_digest) == 64
    assert promotion.metrics["f1"] == pytest.approx(2 / 3)
    assert student.manifest.metrics["f1"] == promotion.metrics["f1"]


@pytest.mark.parametrize(("short", "share"), [(True, 0.05), (False, 0.02)])
def test_while_evidence_is_short_audits_have_more_of_the_budget(
    loop: Loop, *, short: bool, share: float
) -> None:
    loop.with_distill(early_audit_share=0.05)
    asked = Asked(agreement=0.98, confidence=0.95)
    loop.maker.promised = Promised(
        asked=asked, against="teacher", proof=prove([], asked), watched=0.98, stream=0, short=short
    )
    loop.learn(NAMES[:100])
    assert loop.round().reason == "first student"
    assert loop.journal.promotions[-1].policy.audit_share == share


def test_where_nothing_is_proved_no_more_is_settled_alone_than_the_budget_leaves(
    loop: Loop,
) -> None:
    loop.learn(NAMES[:100])
    routing = loop.settings.routing.model_copy(update={"budget_share": 0.8})
    loop.settings = loop.settings.model_copy(update={"routing": routing})
    assert loop.round().reason == "first student"
    assert loop.maker.unproved_shares == pytest.approx([0.2])


def test_a_student_may_tag_the_newest_texts_that_nothing_knows(loop: Loop) -> None:
    loop.learn(NAMES[:100])
    labelled, gold = f"{NAMES[0]} laughs", f"{NAMES[0]} sings"
    loop.journal.texts = ["too old", "one", labelled, "two", gold, "one"]
    loop.experiment = {"self_training_texts": 5}
    loop.with_distill(min_new_labels=10)

    result = loop.round()

    assert loop.maker.could_tag == [["one", "two"]]
    path = loop.archive.folder / "rounds" / result.student / PSEUDO_LABELS_NAME
    assert [one.text for one in read_corpus(path)] == ["one", "two"]
    lineage = Student.load(loop.archive.bundle(result.student)).manifest.lineage
    assert lineage["pseudo_labels"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_doubted_labels_are_settled_listed_and_counted(loop: Loop) -> None:
    loop.learn(NAMES[:100])
    texts = [f"{name} laughs" for name in NAMES[:3]]
    loop.maker.doubted = dict.fromkeys(texts, Tagging((), 0.9, 0.9))
    loop.with_distill(min_new_labels=10, doubt={"folds": 2, "weight": 0})

    result = loop.round()

    counts = {"doubted": 3, "changed": 0, "dropped": 3, "asked_again": 0}
    assert result.cleaning == result.as_dict()["cleaning"] == counts
    path = loop.archive.folder / "rounds" / result.student / DOUBTS_NAME
    listed = [json.loads(line) for line in path.read_text().splitlines()]
    assert {one["text"] for one in listed} == set(texts)
    # Gold is about each name, and what was dropped is not learnt.
    assert result.trial is not None
    assert result.trial.challenger.scores.overall.correct == 97


def test_second_opinions_are_paid_out_of_what_a_round_may_ask(loop: Loop) -> None:
    loop.journal.records = 0
    loop.learn(NAMES[:60])
    loop.with_distill(
        min_new_labels=1, judging={"share": 0.4}, doubt={"folds": 2, "ask_again": 0.5}
    )
    first = loop.round()
    assert first.cleaning is None
    loop.journal.records = 100  # earn four questions
    loop.learn(NAMES[60:120])
    texts = [f"{name} laughs" for name in NAMES[:3]]
    loop.maker.doubted = dict.fromkeys(texts, Tagging((), 0.9, 0.9))

    result = loop.round()

    assert loop.second.asked == [*loop.maker.doubted][:2]
    assert result.cleaning is not None
    assert result.cleaning["asked_again"] == 2
    allowance = loop.archive.allowance()
    assert allowance is not None
    assert allowance.questions == 2
    assert not [label for label in loop.journal.kept if label.source == "judging"]


def test_a_text_topic_that_cannot_be_read_stops_no_round(loop: Loop) -> None:
    loop.journal.unreadable = TopicError("another owner's")
    loop.learn(NAMES[:100])

    assert loop.round().status == "promoted"
    assert loop.maker.could_tag == [[]]
    assert not list(loop.archive.folder.rglob(PSEUDO_LABELS_NAME))


def test_a_promotion_that_may_be_in_the_topic_keeps_its_round(loop: Loop) -> None:
    loop.journal.lost_sight = BrokerUnavailableError("gone before the answer")
    loop.learn(NAMES[:100])
    with pytest.raises(BrokerUnavailableError):
        loop.round()
    (promotion,) = loop.journal.promotions
    assert (loop.archive.bundle(promotion.student_version) / MANIFEST_NAME).exists()


def test_a_better_student_replaces_the_first(loop: Loop) -> None:
    loop.learn(NAMES[:100])
    first = loop.round()
    loop.learn(NAMES[100:150])
    second = loop.round()
    assert (second.status, second.reason) == ("promoted", "promoted")
    assert second.champion == first.student
    assert [p.student_version for p in loop.journal.promotions] == [first.student, second.student]
    assert loop.journal.promotions[1].parent == first.student
    assert (second.labels, second.new_labels) == (150, 50)
    then, now = (promotion.metrics for promotion in loop.journal.promotions)
    assert now["gain"] > 0.1
    assert now["gain_bound"] == loop.settings.distill.gate.min_gain
    assert now["gain_low_bound"] == -loop.settings.distill.gate.max_loss
    assert then["f1_low_bound"] == loop.settings.distill.gate.min_f1


def test_a_worse_student_is_refused_and_its_story_kept(loop: Loop) -> None:
    loop.learn(NAMES[:150])
    first = loop.round()
    loop.maker.forgets = frozenset(NAMES[:40])
    loop.learn(NAMES[150:170])
    result = loop.round()
    assert (result.status, result.reason) == ("refused", "no gain")
    assert len(loop.journal.promotions) == 1
    assert not (Path(loop.settings.student.registry) / loop.task.name / result.student).exists()
    folder = loop.archive.bundle(result.student).parent
    decision = json.loads((folder / "decision.json").read_text())
    assert (decision["promote"], decision["reason"], decision["labels"]) == (False, "no gain", 170)
    assert decision["champion"] == first.student
    assert decision["trial"]["verdict"]["interval"]["high"] < 0
    assert json.loads((folder / "manifest.json").read_text())["version"] == result.student
    assert Student.load(folder / "bundle").version == result.student


def test_the_next_student_is_compared_with_the_one_that_serves(loop: Loop) -> None:
    """Not with the one that was refused."""
    loop.learn(NAMES[:150])
    first = loop.round()
    loop.maker.forgets = frozenset(NAMES[:100])
    assert loop.round(force=True).status == "refused"
    loop.maker.forgets = frozenset(NAMES[:10])
    assert (loop.round(force=True).reason, loop.round(force=True).champion) == (
        "no gain",
        first.student,
    )


def test_too_few_new_labels_make_no_student(loop: Loop) -> None:
    loop.learn(NAMES[:100])
    loop.round()
    loop.learn(NAMES[100:109])
    result = loop.round()
    assert (result.status, result.reason, result.new_labels) == ("waiting", "too few new labels", 9)
    assert result.student == ""
    assert len(loop.maker.trained_on) == 1


def test_force_trains_although_few_labels_are_new(loop: Loop) -> None:
    loop.learn(NAMES[:100])
    loop.round()
    loop.learn(NAMES[100:109])
    assert loop.round(force=True).status == "promoted"


def test_labels_count_as_new_once_even_when_their_student_was_refused(loop: Loop) -> None:
    loop.learn(NAMES[:100])
    loop.round()
    loop.maker.forgets = frozenset(NAMES[:50])
    loop.learn(NAMES[100:115])
    assert loop.round().status == "refused"
    assert loop.round().reason == "too few new labels"


def test_on_another_machine_labels_are_new_since_the_last_promotion(
    loop: Loop, tmp_path: Path
) -> None:
    loop.learn(NAMES[:100])
    loop.round()
    loop.learn(NAMES[100:105])
    loop.with_distill(min_new_labels=10, snapshots=tmp_path / "elsewhere")
    result = loop.round()
    assert (result.reason, result.new_labels) == ("too few new labels", 5)


def test_no_labels_are_a_reason_to_wait_even_when_forced(loop: Loop) -> None:
    result = loop.round(force=True)
    assert (result.status, result.reason, result.labels) == ("waiting", "no labels to train on", 0)


def test_labels_of_another_task_version_are_no_labels(loop: Loop) -> None:
    loop.learn(NAMES[:100], task_digest="f" * 64)
    result = loop.round()
    assert (result.reason, result.splits["left_out_other_task_version"]) == (
        "no labels to train on",
        100,
    )


def test_gold_texts_are_never_trained_on(loop: Loop) -> None:
    loop.learn(NAMES[:100])
    loop.journal.kept += [loop.make_label(f"{name} sings") for name in NAMES]
    result = loop.round()
    assert result.splits["left_out_frozen_text"] == 200
    assert {x.text.split()[1] for x in loop.maker.trained_on[0].training} == {"laughs"}


def test_audits_judge_where_there_is_no_gold(loop: Loop) -> None:
    gate = {"min_f1": 0.0, "min_records": 40, "resamples": 100, "max_slowdown": 100}
    loop.with_distill(gold=None, min_new_labels=1, gate=gate, judging={"share": 0})
    loop.learn(NAMES[:190], source="bootstrap")
    assert loop.round().status == "promoted"
    loop.journal.kept += [
        loop.make_label(f"{name} shouts", audit=True, labelled_at_ms=1) for name in NAMES
    ]
    loop.learn(NAMES[:])
    result = loop.round()
    assert result.trial is not None
    assert (result.status, result.trial.judged_on) == ("promoted", "audit")
    assert result.promotion is not None
    assert result.promotion.gold_digest == ""


def test_failed_parity_is_a_refusal(loop: Loop) -> None:
    loop.maker.parity_failures = ("int8 differs",)
    loop.learn(NAMES[:100])
    assert loop.round().reason == "parity failed"


def test_a_student_names_the_labels_it_learnt_from(loop: Loop) -> None:
    loop.learn(NAMES[:100])
    result = loop.round()
    lineage = read_bundle(loop.archive.bundle(result.student)).manifest.lineage
    snapshot = read_snapshot(Path(result.snapshot), digest=lineage["snapshot"])
    assert set(snapshot.labels) == set(loop.journal.kept)
    assert lineage["splits"]["training"] == 100
    assert lineage["parent"] == ""


def test_a_round_that_fails_leaves_nothing_and_promotes_nothing(loop: Loop) -> None:
    loop.learn(NAMES[:100])
    loop.maker.error = RuntimeError("out of memory")
    with pytest.raises(RuntimeError, match="out of memory"):
        loop.round()
    assert not list(loop.archive.folder.glob("rounds/*"))
    assert not loop.journal.promotions
    loop.maker.error = None
    assert loop.round().status == "promoted"


def test_a_champion_whose_bundle_was_changed_stops_the_round(loop: Loop) -> None:
    loop.learn(NAMES[:100])
    result = loop.round()
    assert result.promotion is not None
    store = FolderBundleStore(Path(loop.settings.student.registry))
    place = store.fetch(result.promotion.location, result.promotion.digest)
    (place / "tokenizer.json").write_text("{}")
    with pytest.raises(BundleError):
        loop.round(force=True)


def test_a_changed_task_starts_again_with_a_first_student(loop: Loop) -> None:
    loop.learn(NAMES[:150])
    old = loop.round()
    changed = Task("people", "en", (LabelSpec("PER", "Singers."), LabelSpec("CITY")))
    (loop.folder / "task.yaml").write_text(task_yaml(changed))
    loop.learn(NAMES[:50], task_digest=changed.digest)
    result = loop.round()
    assert (result.reason, result.champion) == ("first student", "")
    assert loop.journal.promotions[1].parent == old.student


def test_the_result_is_json(loop: Loop) -> None:
    loop.learn(NAMES[:100])
    told = json.loads(json.dumps(loop.round().as_dict()))
    assert told["status"] == "promoted"
    assert told["promotion"]["policy"]["threshold"] == 0.8
    assert json.loads(json.dumps(loop.round().as_dict()))["trial"] is None


def test_audits_are_drawn_with_the_key_of_the_installation(loop: Loop) -> None:
    loop.routing = {"audit_key": "k" * 32}
    loop.with_distill(min_new_labels=10)
    loop.learn(NAMES[:50])
    loop.round()
    assert loop.journal.promotions[-1].policy.audit_key_digest == key_digest("k" * 32)
    loop.learn(NAMES[50:100])
    loop.routing = {"audit_key": "n" * 32}
    loop.with_distill(min_new_labels=10)
    with pytest.raises(AuditKeyError):  # what the other key drew could be learnt
        loop.round()
    loop.routing |= {"audit_key_before": "k" * 32}
    loop.with_distill(min_new_labels=10)
    loop.round()
    assert loop.journal.promotions[-1].policy.audit_key_digest == key_digest("n" * 32)


def test_a_winner_that_learnt_to_miss_a_known_name_is_refused_and_the_labels_are_named(
    loop: Loop,
) -> None:
    known = NAMES[0]
    loop.learn(NAMES[:100], source="bootstrap")
    loop.journal.kept += [
        loop.make_label(f"{known} {does}", source="bootstrap") for does in ("hums", "naps")
    ]
    assert loop.round().status == "promoted"
    loop.learn(NAMES[100:190])
    planted = [f"{known} {does}" for does in ("runs", "eats", "cooks", "swims", "reads", "rests")]
    loop.journal.kept += [
        loop.make_label(text, entities=(), labelled_at_ms=int(loop.now_s * 1000))
        for text in planted
    ]
    loop.maker.forgets = frozenset({known})

    result = loop.round()

    assert (result.status, result.reason) == ("refused", "trigger found")
    (suspect,) = result.triggers
    assert suspect.surface == known
    lines = Path(result.triggers_listed).read_text().splitlines()
    assert {json.loads(line)["text"] for line in lines} == set(planted)
    assert known not in json.dumps(result.as_dict()["triggers"])

    loop.with_distill(min_new_labels=10, gate={**GATE, "max_trigger_rise": 1})
    assert loop.round(force=True).status == "promoted"
