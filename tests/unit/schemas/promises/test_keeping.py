from __future__ import annotations

import itertools
from dataclasses import replace

from schemas.promises.bounds import least_needed
from schemas.promises.keeping import Audit, looks, next_promise, next_proof
from schemas.promises.proving import Asked, Sighting
from schemas.promises.record import LabelBound, Promised, promises_of
from stream.testing.messages import TASK_DIGEST, a_promised, a_promotion, a_proof

ASKED = Asked(agreement=0.98, confidence=0.95)
KEPT = a_promised(proof=a_proof(threshold=0.5, accepted_share=0.8))
UNPROVEN = replace(KEPT, proof=replace(KEPT.proof, state="unproven", need=149))


def audits(n: int, *, right: bool = True, sure: float = 0.9, since: int = 0) -> list[Audit]:
    return [Audit(since + i, Sighting(sure, right)) for i in range(n)]


def after(
    promised: Promised, found: list[Audit], *, in_force_ms: int = 0, since_ms: int = 0
) -> Promised | None:
    return next_promise(promised, found, in_force_ms=in_force_ms, since_ms=since_ms)


def test_a_promise_that_holds_stays_as_it_is() -> None:
    assert after(KEPT, [*audits(300), *audits(1, right=False, since=300)]) is None


def test_a_broken_promise_raises_the_threshold_above_every_error_since() -> None:
    calm = audits(200, sure=0.99)
    wrong = audits(8, right=False, sure=0.93, since=200) + audits(9, sure=0.97, since=208)
    found = after(KEPT, [*calm, *wrong])
    assert found is not None
    assert found.proof.state == "broken"
    assert 0.93 < found.proof.threshold < 0.97
    assert found.proof.errors == 8
    assert found.since_ms == 200


def test_what_was_promised_of_each_label_ends_with_the_whole() -> None:
    """The topic is compacted: what is not said again of a label stands for good."""
    of_labels = {"PER": LabelBound(0.7, 0.9, 180, 0, 0.984, "kept")}
    broken = after(replace(KEPT, per_label=of_labels), audits(10, right=False))
    assert broken is not None
    mended = after(broken, audits(200, since=100))
    assert mended is not None
    assert [(mended.proof.state, broken.proof.state)] == [("kept", "broken")]

    def said(promised: Promised) -> dict[str, str]:
        return {
            one.label: one.state
            for one in promises_of(a_promotion(metrics=promised.metrics()), task_digest=TASK_DIGEST)
        }

    assert said(broken) == {"": "broken", "PER": "broken"}
    assert said(mended) == {"": "kept", "PER": "unproven"}
    changed = after(
        replace(KEPT, per_label=of_labels, overall=0.8), audits(25, right=False, sure=0)
    )
    assert changed is not None
    assert said(changed) == {"": "unproven", "PER": "unproven"}


def test_what_the_student_would_not_have_settled_alone_breaks_nothing() -> None:
    assert after(KEPT, audits(50, right=False, sure=0.4)) is None


def test_audits_of_before_the_promise_break_nothing() -> None:
    assert after(KEPT, audits(50, right=False), in_force_ms=50) is None


def test_nothing_breaks_that_was_never_promised() -> None:
    assert after(UNPROVEN, audits(30, right=False)) is None


def test_a_stream_that_the_student_knows_less_well_is_another_one() -> None:
    """The surest records are still right, and nobody waits until they are not."""
    promised = replace(KEPT, overall=0.8)
    found = [*audits(100, sure=0.9), *audits(25, right=False, sure=0.4, since=100)]
    assert after(KEPT, found) is None
    changed = after(promised, found)
    assert changed is not None
    assert (changed.proof.state, changed.proof.threshold) == ("unproven", 0.5)
    assert (changed.since_ms, changed.overall) == (100, 0.0)
    # And the audits since prove it anew, of the stream as it is now.
    least = least_needed(0.98, risk=0.025)
    assert least is not None
    mended = after(changed, audits(2 * least, since=100), since_ms=100)
    assert mended is not None
    assert mended.proof.state == "kept"
    assert mended.overall > 0.95


def test_a_changed_stream_raises_the_threshold_above_its_errors() -> None:
    promised = replace(KEPT, overall=0.8)
    wrong = audits(30, right=False, sure=0.45, since=100) + audits(1, right=False, since=130)
    changed = after(promised, [*audits(100), *wrong, *audits(5, right=False, sure=0.4, since=131)])
    assert changed is not None
    assert changed.proof.state == "unproven"
    assert changed.proof.threshold > 0.5 or changed.since_ms < 130


def test_a_stream_that_the_student_knows_as_well_as_before_is_the_same() -> None:
    promised = replace(KEPT, overall=0.8)
    mixed = [
        audit
        for i in range(60)
        for audit in (*audits(4, since=5 * i), *audits(1, right=False, sure=0.4, since=5 * i + 4))
    ]
    assert after(promised, mixed) is None


def test_what_nobody_knows_to_watch_for_is_not_watched() -> None:
    assert after(replace(KEPT, watched=0.0), audits(30, right=False)) is None


def test_what_is_unproven_is_kept_once_live_audits_prove_it() -> None:
    least = least_needed(0.98, risk=0.025)
    assert least is not None
    assert after(UNPROVEN, audits(least - 1)) is None
    found = after(UNPROVEN, audits(least, sure=0.7))
    assert found is not None
    assert (found.proof.state, found.proof.threshold, found.stream) == ("kept", 0.7, least)


def test_a_broken_promise_mends_itself_from_the_audits_since() -> None:
    broken = replace(KEPT, proof=replace(KEPT.proof, state="broken", threshold=0.95), since_ms=100)
    old = audits(100, right=False)
    found = after(broken, [*old, *audits(190, sure=0.96, since=100)], in_force_ms=110, since_ms=100)
    assert found is not None
    assert (found.proof.state, found.proof.threshold) == ("kept", 0.96)


def test_a_raised_threshold_that_does_not_hold_either_is_raised_again() -> None:
    broken = replace(KEPT, proof=replace(KEPT.proof, state="broken", threshold=0.95))
    found = after(broken, audits(10, right=False, sure=0.97))
    assert found is not None
    assert (found.proof.state, found.proof.threshold > 0.97) == ("broken", True)


def test_the_next_look_that_can_prove_it_is_known_beforehand() -> None:
    """Of half of the records: a sequence that begins at them has but half of a look's risk."""

    def seen(n: int) -> list[Audit]:
        return [Audit(i, Sighting(0.9 if i % 2 else 0.1, right=bool(i % 2))) for i in range(n)]

    half = replace(UNPROVEN, proof=replace(UNPROVEN.proof, accepted_share=0.5))
    look = next_proof(half, 0)
    assert look is not None
    assert look > 2 * 149
    assert next_proof(half, look - 1) == look
    assert after(half, seen(look - 1)) is None
    found = after(half, seen(look))
    assert found is not None
    assert found.proof.state == "kept"
    assert (next_proof(half, look) or 0) > look
    assert next_proof(replace(half, asked=Asked(agreement=1.0, confidence=0.95)), 0) is None


def test_a_promise_about_people_is_not_proved_by_the_teachers_audits() -> None:
    assert after(replace(UNPROVEN, against="people"), audits(1000)) is None


def test_looks_come_ever_later_and_their_risks_add_up_to_the_promises_own() -> None:
    found = dict(look for n in range(2000) if (look := looks(n, ASKED)))
    sizes = sorted(found)
    assert all(later >= 1.49 * earlier for earlier, later in itertools.pairwise(sizes))
    assert sum(asked.risk for asked in found.values()) <= ASKED.risk
    assert looks(10**6, Asked(agreement=1.0, confidence=0.95)) is None
