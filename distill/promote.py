"""Forward to a better student: its bundle into the store, then one promotion record."""

from __future__ import annotations

from distill.judging.disagreements import measured_reliability
from distill.judging.trial import Trial
from distill.labels.journal import Journal
from distill.starting_point import Stand
from schemas.files.bundle import Bundle
from schemas.files.bundle_store import BundleStore
from schemas.promises.record import Promised, promises_of
from schemas.settings import DistillSettings
from schemas.types import Promotion, RoutingPolicy, policy_digest


def routing_policy(settings: DistillSettings, threshold: float) -> RoutingPolicy:
    """Give the policy that a student of this threshold is promoted with."""
    return RoutingPolicy(threshold, settings.audit_share, settings.seed)


def promote(
    trial: Trial,
    bundle: Bundle,
    policy: RoutingPolicy,
    *,
    promised: Promised | None,
    stand: Stand,
    store: BundleStore,
    journal: Journal,
    now_ms: int,
) -> Promotion:
    """Put the student that won its trial in force. `bundle` is the one saved in `trial.bundle`.

    The bundle is in the store, under this very digest, before any worker can hear of it. Raises
    `GateError` when another student was promoted first; another policy of the one that it
    beat (a promise that broke while it learnt) takes nothing from its victory.
    """
    location = store.add(trial.bundle)
    store.fetch(location, bundle.digest)
    history = journal.history()
    met = next((p for p in history[len(stand.history) :] if p.action != "policy"), None)
    known = measured_reliability(
        trial.challenger.taggings, stand.judges, stand.labels, bundle.manifest
    )
    promotion = Promotion(
        task=bundle.manifest.task,
        task_digest=bundle.manifest.task_digest,
        sequence=len(stand.history if met else history) + 1,
        parent=stand.parent,
        action="promote",
        student_version=bundle.manifest.version,
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
            **(promised.metrics() if promised else {}),
        },
    )
    journal.record(promotion)
    journal.publish(promises_of(promotion))
    return promotion
