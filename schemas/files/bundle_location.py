"""A bundle's location in its store: `<task>/<version>`, whatever the store is."""

from __future__ import annotations

from schemas.errors import BundleError
from schemas.files.task import NAME_PATTERN


def check_location(location: str) -> list[str]:
    """Part a location into task and version; `BundleError` for what may lead elsewhere."""
    parts = location.split("/")
    if len(parts) != 2 or not all(map(NAME_PATTERN.fullmatch, parts)):  # noqa: PLR2004 - task and version
        raise BundleError(f"not a location in the bundle store: {location!r}")
    return parts
