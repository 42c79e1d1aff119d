"""Back to an earlier student: one promotion record, and workers swap as for any other."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from distill.labels.earlier_digests import learn_digests
from distill.labels.journal import Journal, KafkaJournal
from schemas.audit import audit_keys
from schemas.errors import GateError
from schemas.files.bundle_store import BundleStore, open_bundle_store
from schemas.files.task import Task
from schemas.files.task_file import load_task
from schemas.promises.record import promises_of
from schemas.promises.taking_back import on_the_stream_of
from schemas.settings import Settings
from schemas.types import Promotion, policy_digest
from stream.kafka.promotions import current
from stream.student.promoted import load_promoted


def rollback(
    settings: Settings,
    *,
    to: str | None = None,
    journal: Journal | None = None,
    clock: Callable[[], float] = time.time,
) -> Promotion:
    """Put an earlier student back in force, with its last policy and today's key of the audits.

    `to` names its version; without it the one that today's student replaced is taken. Its promise
    is unproven where a later one has told that the stream changed. Raises `GateError` when there is
    no such student and `BundleError` when its bundle is not sound.
    """
    task = load_task(settings.task)
    journal = journal or KafkaJournal(settings, task)
    task = learn_digests(task, journal, settings.student)
    history = journal.history()
    target = find_target(history, to=to)
    _check(target, task, open_bundle_store(settings.student))
    policy = audit_keys(settings.routing).own(target.policy)
    promotion = replace(
        target,
        policy=policy,
        policy_digest=policy_digest(policy),
        sequence=len(history) + 1,
        parent=history[-1].student_version,
        action="rollback",
        reason="rollback",
        promoted_at_ms=int(clock() * 1000),
    )
    promotion = on_the_stream_of(promotion, history, settings.audit_shares)
    journal.record(promotion)
    journal.publish(promises_of(promotion, task_digest=task.digest))
    return promotion


def find_target(history: Sequence[Promotion], *, to: str | None) -> Promotion:
    """Find the promotion to return to; pure. Raises `GateError` when there is none."""
    now = current(history)
    if now is None:
        raise GateError("nothing was ever promoted, so there is nothing to go back to")
    wanted = to or _promoted(history, now.student_version).parent
    if not wanted:
        raise GateError(f"{now.student_version} is the first student: nothing to go back to")
    if wanted == now.student_version:
        raise GateError(f"{wanted} is in force already")
    return _last_of(history, _promoted(history, wanted))


def _last_of(history: Sequence[Promotion], promoted: Promotion) -> Promotion:
    """Find the entry of the student's last policy: a promise that broke stays broken."""
    later = (
        entry
        for entry in history
        if entry.action == "policy" and entry.student_version == promoted.student_version
    )
    return max((promoted, *later), key=lambda entry: entry.sequence)


def _promoted(history: Sequence[Promotion], version: str) -> Promotion:
    """Find when this version was promoted last."""
    for promotion in reversed(history):
        if promotion.action == "promote" and promotion.student_version == version:
            return promotion
    known = ", ".join(dict.fromkeys(promotion.student_version for promotion in history))
    raise GateError(f"{version} was never promoted; these were: {known}")


def _check(target: Promotion, task: Task, store: BundleStore) -> None:
    """Make sure that workers will be able to load it."""
    if target.task_digest not in task.versions:
        raise GateError(f"{target.student_version} was made for another version of the task file")
    load_promoted(store, task, target)
