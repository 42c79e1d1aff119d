"""Valid messages of each topic, to be changed where a test means something by it.

`an_event(revision=2)` is the event that a worker might have written, with that one field another.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from schemas.promises.proving import Asked, Proof
from schemas.promises.record import Promised
from schemas.types import (
    Canary,
    EntityEvent,
    Promise,
    Promotion,
    RoutingPolicy,
    SilverLabel,
    TeacherRequest,
    policy_digest,
    text_digest,
)

TEXT = "Ada went to Oslo"
TASK_DIGEST = "0" * 64
POLICY = RoutingPolicy(threshold=0.8, audit_share=0.02, audit_seed=0)


def an_event(**changes: Any) -> EntityEvent:
    """Make what the student is sure of: final, without entities, of `TEXT`."""
    event = EntityEvent(
        task="test",
        task_digest=TASK_DIGEST,
        record_id="text-0-0",
        text_digest=text_digest(TEXT),
        entities=(),
        confidence=0.9,
        decided_by="student",
        revision=1,
        status="final",
        reason="confident",
        student_version="v1",
        policy_version=policy_digest(POLICY),
        teacher_model="",
        prompt_version="",
        source_timestamp_ms=1,
        produced_at_ms=2,
    )
    return replace(event, **changes)


def a_request(**changes: Any) -> TeacherRequest:
    """Make what the student is not sure of: `TEXT`, which it found nothing in."""
    request = TeacherRequest(
        task="test",
        task_digest=TASK_DIGEST,
        record_id="text-0-0",
        source_topic="text",
        source_partition=0,
        key=None,
        headers=(),
        source_timestamp_ms=1,
        text=TEXT,
        entities=(),
        confidence=0.4,
        reason="low_confidence",
        audit=False,
        student_version="v1",
        policy_version=policy_digest(POLICY),
        requested_at_ms=2,
        expires_at_ms=2**50,
    )
    return replace(request, **changes)


def a_label(**changes: Any) -> SilverLabel:
    """Make a label of the stream: a teacher found nothing in `TEXT`."""
    label = SilverLabel(
        task="test",
        task_digest=TASK_DIGEST,
        text=TEXT,
        entities=(),
        source="teacher",
        audit=False,
        teacher_model="sim",
        prompt_version="p1",
        student_version="v1",
        record_id="text-0-0",
        weight=1.0,
        labelled_at_ms=3,
        tokens_in=11,
        tokens_out=3,
    )
    return replace(label, **changes)


def a_canary(**changes: Any) -> Canary:
    """Make an answer to a canary: a teacher `m1`, asked as `m`, found nothing in `TEXT`."""
    canary = Canary(
        task="test",
        task_digest=TASK_DIGEST,
        kind="answer",
        at_ms=3,
        teacher="m at http://host/v1",
        prompt_version="p1",
        texts="labels",
        text_digest=text_digest(TEXT),
        model="m1",
    )
    return replace(canary, **changes)


def a_promotion(**changes: Any) -> Promotion:
    """Make the first entry of a history: `v1`, with `POLICY`; its bundle exists nowhere."""
    promotion = Promotion(
        task="test",
        task_digest=TASK_DIGEST,
        sequence=1,
        parent="",
        action="promote",
        student_version="v1",
        digest="1" * 64,
        location="test/v1",
        policy=POLICY,
        policy_digest=policy_digest(POLICY),
        gold_digest="",
        reason="first student",
        promoted_at_ms=1,
    )
    return replace(promotion, **changes)


def a_proof(**changes: Any) -> Proof:
    """Make the proof of a promise that is kept, by 200 audits without an error."""
    proof = Proof(
        state="kept",
        threshold=0.9,
        accepted_share=1.0,
        audited=200,
        errors=0,
        bound=0.985,
        need=0,
    )
    return replace(proof, **changes)


def a_promised(**changes: Any) -> Promised:
    """Make what a promotion promises: 98 % agreement with the teacher, as `a_proof` proves."""
    promised = Promised(
        asked=Asked(agreement=0.98, confidence=0.95),
        against="teacher",
        proof=a_proof(),
        watched=0.98,
        stream=200,
    )
    return replace(promised, **changes)


def a_promise(**changes: Any) -> Promise:
    """Make what consumers read of a promise that is kept, on all labels together."""
    promise = Promise(
        task="test",
        task_digest=TASK_DIGEST,
        student_version="v1",
        policy_version=policy_digest(POLICY),
        label="",
        state="kept",
        agreement=0.98,
        confidence=0.95,
        against="teacher",
        threshold=0.9,
        accepted_share=0.5,
        audited=200,
        errors=0,
        bound=0.985,
        promised_at_ms=1,
    )
    return replace(promise, **changes)
