"""A promise is taken back where the stream has changed since it was proved. Pure.

That the stream has changed, live audits tell of the student in force alone (`keeping`). What
another student promises was proved before that as well, if its own promise is older.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from schemas.promises.bounds import least_needed
from schemas.promises.proving import Proof
from schemas.promises.record import Promised, promised_by, without_promise
from schemas.promises.shortage import AuditShares
from schemas.promises.trust import without_trust
from schemas.types import Promotion, policy_digest


def on_the_stream_of(
    promotion: Promotion, history: Sequence[Promotion], shares: AuditShares
) -> Promotion:
    """Give the promotion with what it may promise after all that the `history` has met.

    Unchanged where the stream is still what it was when its promise was proved. Else the promise
    is unproven, the threshold at least that in force, no label trusted, and audits have the share
    that they have while evidence is short.
    """
    promised = promised_by(promotion)
    known = [found.since_ms for entry in history if (found := promised_by(entry))]
    if promised is None or max(known, default=0) <= promised.since_ms:
        return promotion
    taken = taken_back(promised, since_ms=max(known), least_threshold=history[-1].policy.threshold)
    policy = replace(
        promotion.policy,
        threshold=taken.proof.threshold,
        audit_share=max(promotion.policy.audit_share, shares.when(short=taken.short)),
        trusted=(),
    )
    return replace(
        promotion,
        policy=policy,
        policy_digest=policy_digest(policy),
        metrics=without_trust(without_promise(promotion.metrics)) | taken.metrics(),
    )


def taken_back(promised: Promised, *, since_ms: int, least_threshold: float = 0.0) -> Promised:
    """Give the promise as one of which nothing is known on the stream since `since_ms`."""
    need = least_needed(promised.asked.agreement, risk=promised.asked.risk)
    return replace(
        promised,
        proof=Proof(
            state="unproven",
            threshold=max(promised.proof.threshold, least_threshold),
            accepted_share=promised.proof.accepted_share,
            audited=0,
            errors=0,
            bound=0.0,
            need=need,
        ),
        stream=0,
        since_ms=since_ms,
        overall=0.0,
        changed=True,
        short=promised.against == "teacher" and need is not None,
        per_label=promised.labels_in("unproven"),
    )
