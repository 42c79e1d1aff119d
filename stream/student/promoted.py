"""The student that a promotion names, and no other."""

from __future__ import annotations

import asyncio

from schemas.errors import BundleError
from schemas.files.bundle_store import BundleStore
from schemas.files.manifest import Manifest
from schemas.files.task import Task
from schemas.types import Promotion
from stream.student.proof import prove
from stream.student.student import Student


async def load_proved(store: BundleStore, task: Task, promotion: Promotion) -> Student:
    """Load the student that was promoted, once a child has done so in our place.

    Raises as `load_promoted`, and `BundleError` for what hangs, explodes or crashes. When this is
    cancelled the child ends.
    """
    folder = await asyncio.to_thread(store.fetch, promotion.location, promotion.digest)
    await prove(folder, promotion.digest)
    return await asyncio.to_thread(load_promoted, store, task, promotion)


def load_proved_now(store: BundleStore, task: Task, promotion: Promotion) -> Student:
    """Do as `load_proved`, for callers without a running loop; blocks."""
    return asyncio.run(load_proved(store, task, promotion))


def load_promoted(store: BundleStore, task: Task, promotion: Promotion) -> Student:
    """Fetch, load and warm the student that was promoted.

    A worker proves it first (`load_proved`). Raises `BundleError` when its bundle is gone, is not
    sound, is not the one that was promoted, or is of another task, version or labels than the
    promotion says.
    """
    folder = store.fetch(promotion.location, promotion.digest)
    # The files are read after the store has looked at them: what counts is what is read here.
    student = Student.load(folder, digest=promotion.digest)
    if why := unlike(student.manifest, task, promotion):
        raise BundleError(f"the bundle {promotion.location} {why}")
    return student


def unlike(manifest: Manifest, task: Task, promotion: Promotion) -> str:
    """Say in what a bundle is not what its promotion says; "" when it is.

    The labels of students of earlier versions of the task file are not known here.
    """
    if manifest.task != promotion.task or manifest.task_digest != promotion.task_digest:
        return "is of another task, or version of its file, than its promotion says"
    if manifest.version != promotion.student_version:
        return f"is {manifest.version}, and its promotion says {promotion.student_version}"
    said = (manifest.kind, manifest.choose, sorted(manifest.labels))
    if manifest.task_digest == task.digest and said != (
        task.kind, task.choose, sorted(task.label_names),
    ):  # fmt: skip
        return "says that it is of the task file of today, and has other labels"
    return ""
