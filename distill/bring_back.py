"""A student brought back by hand, from a folder or the bundle store, when no promotion leads to it.

That is so once the promotions topic was emptied or made anew. The bundle is proved to load as
workers will load it, judged by the gate on gold, and looked through for planted triggers, unless
the operator answers for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from distill.labels.earlier_digests import learn_digests
from distill.labels.journal import Journal, KafkaJournal
from schemas.audit import audit_keys
from schemas.errors import BundleError, ConfigError, GateError
from schemas.files.bundle import bundle_digest, read_bundle, read_manifest
from schemas.files.bundle_location import check_location
from schemas.files.bundle_store import BundleStore, open_bundle_store
from schemas.files.example_pool import read_pool
from schemas.files.manifest import MANIFEST_NAME, Manifest
from schemas.files.task import Task
from schemas.files.task_in_use import asked_task
from schemas.promises.record import promises_of
from schemas.promises.taking_back import on_the_stream_of
from schemas.settings import Settings
from schemas.types import Promotion, RoutingPolicy, policy_digest
from stream.kafka.promotions import current
from stream.student import Student
from stream.student.promoted import load_promoted, load_proved_now

if TYPE_CHECKING:
    from distill.judging.gate import Verdict
    from distill.judging.triggers.search import Suspect

MAX_REASON_CHARS = 500
_NAMED = 3
"""So many of the triggers that were found are told."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A bundle in the store."""

    location: str
    digest: str
    manifest: Manifest


def bring_back(
    settings: Settings,
    bundle: str,
    *,
    reason: str,
    skip_gate: bool = False,
    journal: Journal | None = None,
    clock: Callable[[], float] = time.time,
    prove: Callable[[BundleStore, Task, Promotion], object] = load_proved_now,
) -> Promotion:
    """Put the student of a bundle in force; `bundle` is a folder or what the store calls it.

    It has the policy that it was promoted with last, where the history knows it, and promises what
    `rollback` would; else records as sure as `promise.agreement` are settled alone, and nothing is
    promised. Raises `ConfigError`
    for a reason that says nothing, `BundleError` when the bundle is not sound, and `GateError`
    when it is of another task, in force already, or refused by the gate.
    """
    reason = _checked(reason)
    task = asked_task(settings)
    journal = journal or KafkaJournal(settings, task)
    task = learn_digests(task, journal, settings.student)
    store = open_bundle_store(settings.student)
    found, history = _find(store, bundle, task), journal.history()
    promotion = _promotion(found, history, settings, reason=reason, now_ms=int(clock() * 1000))
    if _changes_nothing(promotion, current(history)):
        raise GateError(f"{promotion.student_version} is in force already")
    prove(store, task, promotion)
    if not skip_gate:
        verdict, suspects = _verdict(settings, task, store, promotion, journal)
        if not verdict.promote:
            named = "".join(f" ({one.words()})" for one in suspects[:_NAMED])
            raise GateError(
                f"the gate refuses {promotion.student_version}: {verdict.reason}{named}; "
                "--skip-gate brings it back all the same"
            )
    journal.record(promotion)
    journal.publish(promises_of(promotion, task_digest=task.digest))
    return promotion


def _changes_nothing(promotion: Promotion, in_force: Promotion | None) -> bool:
    """Whether the student is in force, with the key of the audits: a lost key is replaced so."""
    return (
        in_force is not None
        and promotion.student_version == in_force.student_version
        and promotion.policy.audit_key_digest == in_force.policy.audit_key_digest
    )


def _checked(reason: str) -> str:
    words = " ".join(reason.split())
    if not words or len(words) > MAX_REASON_CHARS or not words.isprintable():
        raise ConfigError(
            f"--reason must say why, in one line of at most {MAX_REASON_CHARS} characters"
        )
    return words


def _find(store: BundleStore, bundle: str, task: Task) -> _Found:
    """Find the bundle in the store, where one in a folder is brought first."""
    folder = Path(bundle)
    if (folder / MANIFEST_NAME).exists():
        _require_task(read_bundle(folder).manifest, task)
        location = store.add(folder)
        digest = bundle_digest(folder)
    else:
        location = bundle if "/" in bundle else f"{task.name}/{bundle}"
        try:
            check_location(location)
        except BundleError:
            raise ConfigError(
                f"{bundle} is neither a folder with a bundle nor one of the store's: "
                f"{task.name}/VERSION"
            ) from None
        digest = store.digest(location)
    manifest = read_manifest(store.fetch(location, digest), digest)
    _require_task(manifest, task)
    return _Found(location, digest, manifest)


def _require_task(manifest: Manifest, task: Task) -> None:
    if manifest.task != task.name or manifest.task_digest not in task.versions:
        raise GateError(
            f"{manifest.version} was made for another task, or version of the task file"
        )


def _promotion(
    found: _Found, history: Sequence[Promotion], settings: Settings, *, reason: str, now_ms: int
) -> Promotion:
    manifest, now = found.manifest, current(history)
    before = next((x for x in reversed(history) if x.digest == found.digest), None)
    policy = audit_keys(settings.routing).own(before.policy if before else _cautious(settings))
    promotion = Promotion(
        task=manifest.task,
        task_digest=manifest.task_digest,
        sequence=len(history) + 1,
        parent=now.student_version if now else "",
        action="promote",
        student_version=manifest.version,
        digest=found.digest,
        location=found.location,
        policy=policy,
        policy_digest=policy_digest(policy),
        gold_digest="",
        reason=reason,
        promoted_at_ms=now_ms,
        metrics=before.metrics if before else {},
    )
    return on_the_stream_of(promotion, history, settings.audit_shares)


def _cautious(settings: Settings) -> RoutingPolicy:
    # A manifest has no threshold, but its confidences are calibrated: shares of records right.
    return RoutingPolicy(
        settings.promise.agreement, settings.distill.audit_share, settings.distill.seed
    )


def _verdict(
    settings: Settings,
    task: Task,
    store: BundleStore,
    promotion: Promotion,
    journal: Journal,
) -> tuple[Verdict, Sequence[Suspect]]:
    """Judge it on gold against the student in force, and look it through, as a round would.

    Gives what was found in it, too.
    """
    # Here: whoever skips the gate does so from the streaming image, too.
    from distill.judging.trial import hold_trial  # noqa: PLC0415
    from distill.judging.triggers.looking import look_through, with_triggers  # noqa: PLC0415
    from distill.labels.judges import read_gold  # noqa: PLC0415
    from distill.learning.making import Made  # noqa: PLC0415
    from distill.starting_point import newest_with_bundle, standing_labels  # noqa: PLC0415

    gold = read_gold(
        settings.distill.gold,
        task,
        n_shown=settings.teacher.few_shot,
        pool=read_pool(settings, task),
    )
    if gold is None:
        raise GateError("there is no gold to judge it on: set distill.gold, or give --skip-gate")
    folder = store.fetch(promotion.location, promotion.digest)
    rival = newest_with_bundle(journal.history(), store)
    champion = load_promoted(store, task, rival) if rival else None
    bundle = read_bundle(folder)
    trial = hold_trial(
        Made(bundle, promotion.policy.threshold),
        champion,
        gold,
        task=task,
        bundle=folder,
        settings=settings.distill,
    )
    if not trial.verdict.promote or settings.distill.gate.max_trigger_rise >= 1:
        return trial.verdict, ()
    looked = look_through(
        Student(bundle),
        champion,
        standing_labels(journal, journal.holds()),
        unlearnt=(one.text for one in gold.examples),
        task=task,
        settings=settings,
    )
    return with_triggers(trial, looked, settings.distill.gate).verdict, looked.suspects
