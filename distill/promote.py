"""Forward to a better student: its bundle into the store, then one promotion record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from distill.judging.answered_gold import Answered, answered_gold
from distill.judging.disagreements import measured_reliability, measured_trust
from distill.judging.trial import Trial
from distill.labels.journal import Journal
from distill.labels.other_teachers import truths_of
from distill.starting_point import Stand
from schemas.audit import NO_KEYS, AuditKeys
from schemas.files.bundle import Bundle
from schemas.files.bundle_store import BundleStore
from schemas.files.manifest import Manifest
from schemas.promises.record import Promised, promises_of
from schemas.promises.shortage import AuditShares
from schemas.promises.taking_back import on_the_stream_of
from schemas.promises.trust import NO_TRUST, Trust
from schemas.settings import DistillSettings
from schemas.types import Promotion, RoutingPolicy, policy_digest
from stream.teacher.comparison import compared


def routing_policy(
    settings: DistillSettings,
    threshold: float,
    keys: AuditKeys = NO_KEYS,
    *,
    audit_share: float | None = None,
) -> RoutingPolicy:
    """Give the policy that a student of this threshold is promoted with.

    Its audits are of the settings' share, where no other one is given.
    """
    share = settings.audit_share if audit_share is None else audit_share
    return keys.own(RoutingPolicy(threshold, share, settings.seed))


def promote(
    trial: Trial,
    bundle: Bundle,
    policy: RoutingPolicy,
    *,
    promised: Promised | None,
    shares: AuditShares,
    stand: Stand,
    store: BundleStore,
    journal: Journal,
    now_ms: int,
    first_teacher: str = "",
) -> Promotion:
    """Put the student that won its trial in force. `bundle` is the one saved in `trial.bundle`.

    The policy is that which is given, and trusts the labels in which the student is proved.
    Of several teachers, the `first_teacher` being the best, it says how the others stand to it.

    The bundle is in the store, under this very digest, before any worker can hear of it. Raises
    `GateError` when another student was promoted first; another policy of the one that it
    beat (a promise that broke while it learnt) takes nothing from its victory. But what it promises
    was then proved on the stream as it was before, and is unproven; its audits have their share of
    `shares`.
    """
    location = store.add(trial.bundle)
    store.fetch(location, bundle.digest)
    history = journal.history()
    meanwhile = history[len(stand.history) :]
    met = next((p for p in meanwhile if p.action != "policy"), None)
    manifest = bundle.manifest
    answered = answered_gold(trial.challenger.taggings, stand.judges, stand.labels, manifest)
    known = measured_reliability(
        answered, threshold=policy.threshold, choose_one=manifest.choose == "one"
    )
    teachers = compared(
        stand.labels.take(stand.labels.audits),
        truths_of(stand.judges),
        first=first_teacher,
        threshold=policy.threshold,
    )
    trust = _trust(answered, manifest, promised)
    policy = replace(policy, trusted=trust.labels)
    promotion = Promotion(
        task=manifest.task,
        task_digest=manifest.task_digest,
        sequence=len(stand.history if met else history) + 1,
        parent=stand.parent,
        action="promote",
        student_version=manifest.version,
        digest=bundle.digest,
        location=location,
        policy=policy,
        policy_digest=policy_digest(policy),
        gold_digest=stand.judges.digest,
        reason=trial.verdict.reason,
        promoted_at_ms=now_ms,
        metrics={
            **trial.metrics(),
            **known.metrics(),
            **trust.metrics(),
            **teachers.metrics(),
            **(promised.metrics() if promised else {}),
        },
    )
    promotion = on_the_stream_of(promotion, meanwhile, shares)
    journal.record(promotion)
    journal.publish(promises_of(promotion, task_digest=manifest.task_digest))
    return promotion


def _trust(
    answered: Sequence[Answered],
    manifest: Manifest,
    promised: Promised | None,
) -> Trust:
    """Prove where the student needs no teacher, where it is people whom it has to agree with."""
    if promised is None or promised.against != "people" or promised.changed:
        return NO_TRUST
    return measured_trust(
        answered,
        manifest.labels,
        threshold=promised.proof.threshold,
        risk=promised.asked.risk,
    )
