"""Whether somebody agreed that the teacher may see a record: by its topic, or by a header."""

from __future__ import annotations

from typing import Final

from schemas.settings import TeacherSettings
from schemas.types import Headers

_YES: Final = frozenset({b"1", b"true", b"yes", b"granted"})


def has_consent(settings: TeacherSettings, *, topic: str, headers: Headers) -> bool:
    """Tell whether the teacher may be asked about a record of the topic with these headers.

    Where the settings name neither topics nor a header, all may. A header says yes with `true`,
    `yes`, `granted` or `1`, in any letter case; one that stands there twice must say it twice.
    """
    if settings.consent_header is None and not settings.consent_topics:
        return True
    if topic in settings.consent_topics:
        return True
    told = [value for name, value in headers if name == settings.consent_header]
    return bool(told) and all((value or b"").strip().lower() in _YES for value in told)
