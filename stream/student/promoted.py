"""The student that a promotion names, and no other."""

from __future__ import annotations

from schemas.errors import BundleError
from schemas.files.bundle_store import BundleStore
from schemas.types import Promotion
from stream.student.student import Student


def load_promoted(store: BundleStore, promotion: Promotion) -> Student:
    """Fetch, load and warm the student that was promoted.

    Raises `BundleError` when its bundle is gone, is not sound, or is not the one that was
    promoted.
    """
    student = Student.load(store.fetch(promotion.location, promotion.digest))
    # The files were read after the store had looked at them: what counts is what was loaded.
    if student.digest != promotion.digest:
        raise BundleError(
            f"the bundle {promotion.location} was replaced while it was read: "
            f"it is not the one that was promoted"
        )
    return student
