"""Digests that version 0.1.0 made of words which were changed since: learnt from its students.

0.1.0 made a task's digest of all that its file said. Of a file that was edited since nothing tells
which labels such a digest stood for, but a student that was promoted under it names them in its
manifest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog

from distill.labels.journal import Journal
from schemas.errors import BundleError, HaltError
from schemas.files.bundle import read_manifest
from schemas.files.bundle_store import BundleStore, StoreSettings, open_bundle_store
from schemas.files.manifest import Manifest
from schemas.files.task import Task
from schemas.files.task_identity import acquainted
from schemas.types import Promotion

_log = structlog.get_logger(__name__)


def learn_digests(task: Task, journal: Journal, settings: StoreSettings) -> Task:
    """Let the task know the digests of its students that were made for labels it has or had.

    What the promotions or the store cannot tell stays unknown, with a warning; the store is
    opened only where there is something to learn. Raises `RetryError` as the journal does, and
    `StoreUnavailableError`: a store that is away for a while must cost no champion.
    """
    try:
        unknown = _unknown(task, journal.history())
        store = open_bundle_store(settings) if unknown else None
    except HaltError as error:
        _log.warning("earlier_digests_unread", error=str(error))
        return task
    return acquainted(task, _labels_of(task, unknown, store)) if store else task


def _unknown(task: Task, history: Sequence[Promotion]) -> Mapping[str, Promotion]:
    """Give the newest promotion of each digest that the task does not know."""
    return {x.task_digest: x for x in history if x.task_digest not in task.versions}


def _labels_of(
    task: Task, unknown: Mapping[str, Promotion], store: BundleStore
) -> Mapping[str, Sequence[str]]:
    found = {}
    for digest, promotion in unknown.items():
        try:
            manifest = _manifest(store, promotion)
        except HaltError as error:
            _log.warning(
                "earlier_digests_unread", student=promotion.student_version, error=str(error)
            )
        else:
            if (manifest.kind, manifest.choose) == (task.kind, task.choose):
                found[digest] = manifest.labels
    return found


def _manifest(store: BundleStore, promotion: Promotion) -> Manifest:
    """Read the manifest that was promoted; `BundleError` where it is of another task version."""
    folder = store.fetch(promotion.location, promotion.digest)
    manifest = read_manifest(folder, promotion.digest)
    if (manifest.task, manifest.task_digest) != (promotion.task, promotion.task_digest):
        raise BundleError(f"the bundle {promotion.location} is of another task version")
    return manifest
