"""The student that a promotion names, and no other."""

from __future__ import annotations

from schemas.errors import BundleError
from schemas.files.bundle_store import BundleStore
from schemas.files.manifest import Manifest
from schemas.files.task import Task
from schemas.types import Promotion
from stream.student.student import Student


def load_promoted(store: BundleStore, task: Task, promotion: Promotion) -> Student:
    """Fetch, load and warm the student that was promoted.

    Raises `BundleError` when its bundle is gone, is not sound, is not the one that was promoted, or
    is of another task, version or labels than the promotion says.
    """
    student = Student.load(store.fetch(promotion.location, promotion.digest))
    # The files were read after the store had looked at them: what counts is what was loaded.
    if student.digest != promotion.digest:
        raise BundleError(
            f"the bundle {promotion.location} was replaced while it was read: "
            f"it is not the one that was promoted"
        )
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
