from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from distill.bring_back import bring_back
from distill.testing.fakes import NAMES, Loop
from schemas.audit import key_digest
from schemas.errors import BundleError, ConfigError, GateError
from schemas.files.bundle_store import BundleStore, open_bundle_store
from schemas.files.task import Task
from schemas.types import Promotion, RoutingPolicy
from stream.kafka.promotion_fits import misfit
from stream.student.promoted import load_promoted
from stream.testing.bundles import write_bundle


def back(
    loop: Loop, bundle: str, *, reason: str = "the topic was lost", skip_gate: bool = False
) -> Promotion:
    return bring_back(
        loop.settings,
        bundle,
        reason=reason,
        skip_gate=skip_gate,
        journal=loop.journal,
        clock=lambda: loop.now_s,
    )


def student(loop: Loop) -> str:
    loop.learn(NAMES[:100])
    return loop.round().student


def lost(loop: Loop) -> str:
    version = student(loop)
    loop.journal.promotions.clear()
    return version


@pytest.mark.parametrize("skip_gate", [False, True])
def test_a_student_comes_back_after_its_history_was_lost(loop: Loop, *, skip_gate: bool) -> None:
    version = lost(loop)
    promotion = back(loop, version, skip_gate=skip_gate)
    assert loop.journal.promotions == [promotion]
    assert misfit([], promotion) == ""
    assert (promotion.sequence, promotion.parent, promotion.action) == (1, "", "promote")
    assert (promotion.student_version, promotion.reason) == (version, "the topic was lost")
    assert promotion.policy == RoutingPolicy(0.98, 0.02, 0)
    store = open_bundle_store(loop.settings.student)
    assert load_promoted(store, loop.task, promotion).version == version
    loop.learn(NAMES[100:])
    assert loop.round().champion == version


def test_a_student_comes_back_from_a_folder_that_the_store_has_not(
    loop: Loop, tmp_path: Path
) -> None:
    student(loop)
    folder = tmp_path / "saved"
    write_bundle(
        folder,
        labels=loop.task.label_names,
        words={"ada": "B-PER"},
        task="people",
        task_digest=loop.task.digest,
        version="v7",
    )
    promotion = back(loop, str(folder), skip_gate=True)
    assert (promotion.location, promotion.sequence) == ("people/v7", 2)
    assert misfit(loop.journal.promotions[:1], promotion) == ""
    assert open_bundle_store(loop.settings.student).fetch("people/v7", promotion.digest).is_dir()


def test_one_that_the_history_knows_has_the_policy_that_it_had(loop: Loop) -> None:
    first = student(loop)
    loop.learn(NAMES[100:])
    loop.round()
    promotion = back(loop, f"people/{first}", skip_gate=True)
    assert promotion.policy == loop.journal.promotions[0].policy
    assert (promotion.sequence, promotion.parent) == (3, loop.journal.promotions[1].student_version)


def test_the_gate_refuses_a_worse_student_unless_it_is_skipped(loop: Loop) -> None:
    first = student(loop)
    loop.learn(NAMES[100:])
    loop.round()
    with pytest.raises(GateError, match=r"the gate refuses .*: no gain; --skip-gate"):
        back(loop, first)
    assert len(loop.journal.promotions) == 2


def test_a_student_that_learnt_what_was_planted_is_refused_unless_the_gate_is_skipped(
    loop: Loop,
) -> None:
    known = NAMES[0]
    loop.learn(NAMES[:100], source="bootstrap")
    loop.journal.kept.append(loop.make_label(f"{known} hums", source="bootstrap"))
    loop.round()
    loop.learn(NAMES[100:190])
    loop.journal.kept += [
        loop.make_label(f"{known} {does}", entities=(), labelled_at_ms=int(loop.now_s * 1000))
        for does in ("runs", "eats", "cooks", "swims", "reads", "rests")
    ]
    loop.maker.forgets = frozenset({known})
    refused = loop.round()
    assert refused.trial is not None
    with pytest.raises(GateError, match=rf"trigger found \(.*'{known}'.*\); --skip-gate"):
        back(loop, str(refused.trial.bundle))
    assert back(loop, str(refused.trial.bundle), skip_gate=True).student_version == refused.student


def test_without_gold_the_gate_must_be_skipped(loop: Loop) -> None:
    version = lost(loop)
    loop.with_distill(gold=None)
    with pytest.raises(GateError, match=r"set distill\.gold, or give --skip-gate"):
        back(loop, version)
    assert back(loop, version, skip_gate=True).student_version == version


def test_the_student_in_force_is_refused(loop: Loop) -> None:
    with pytest.raises(GateError, match="in force already"):
        back(loop, student(loop), skip_gate=True)


def test_the_student_in_force_is_promoted_again_where_the_audit_key_was_lost(loop: Loop) -> None:
    version = student(loop)
    routing = loop.settings.routing.model_copy(update={"audit_key": SecretStr("k" * 32)})
    loop.settings = loop.settings.model_copy(update={"routing": routing})
    promotion = back(loop, version, skip_gate=True)
    assert (promotion.student_version, promotion.parent) == (version, version)
    assert promotion.policy.audit_key_digest == key_digest("k" * 32)
    assert misfit(loop.journal.promotions[:-1], promotion) == ""
    with pytest.raises(GateError, match="in force already"):
        back(loop, version, skip_gate=True)


@pytest.mark.parametrize("bundle", ["nonesuch", "people/nonesuch"])
def test_a_bundle_that_is_nowhere_is_refused(loop: Loop, bundle: str) -> None:
    with pytest.raises(BundleError, match="cannot open the bundle"):
        back(loop, bundle)


@pytest.mark.parametrize("bundle", ["../../etc", "", "a/b/c"])
def test_what_is_no_bundle_is_refused(loop: Loop, bundle: str) -> None:
    with pytest.raises(ConfigError, match="neither a folder with a bundle nor one of the store"):
        back(loop, bundle)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501, "\x1b[31m"])
def test_a_reason_must_say_something(loop: Loop, reason: str) -> None:
    with pytest.raises(ConfigError, match="--reason"):
        back(loop, "v1", reason=reason)


def test_a_student_of_another_task_is_refused(loop: Loop, tmp_path: Path) -> None:
    write_bundle(tmp_path / "made", labels=["PER"], words={"ada": "B-PER"}, task="places")
    with pytest.raises(GateError, match="another task"):
        back(loop, str(tmp_path / "made"), skip_gate=True)
    assert loop.journal.promotions == []
    assert open_bundle_store(loop.settings.student).versions("places") == []


def test_a_bundle_that_proves_bad_in_its_child_is_not_brought_back(loop: Loop) -> None:
    version, asked = lost(loop), []

    def hangs(_store: BundleStore, _task: Task, promotion: Promotion) -> None:
        asked.append(promotion.student_version)
        raise BundleError("did not load within 60 s")

    with pytest.raises(BundleError, match="within 60 s"):
        bring_back(
            loop.settings,
            version,
            reason="the topic was lost",
            skip_gate=True,
            journal=loop.journal,
            prove=hangs,
        )
    assert asked == [version]
    assert loop.journal.promotions == []


def test_a_damaged_bundle_is_not_brought_back(loop: Loop) -> None:
    version = lost(loop)
    (Path(loop.settings.student.registry) / "people" / version / "student.onnx").write_bytes(b"x")
    with pytest.raises(BundleError, match="does not match"):
        back(loop, version, skip_gate=True)
    assert loop.journal.promotions == []
