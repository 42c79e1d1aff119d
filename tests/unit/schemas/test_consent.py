"""Who agreed that the teacher may see a record."""

from __future__ import annotations

import pytest

from schemas.consent import has_consent
from schemas.settings import TeacherSettings
from schemas.types import Headers


def test_without_settings_the_teacher_may_see_all() -> None:
    assert has_consent(TeacherSettings(), topic="text", headers=())


@pytest.mark.parametrize(
    ("headers", "agreed"),
    [
        ((("consent", b"true"),), True),
        ((("consent", b" Yes "),), True),
        ((), False),
        ((("consent", b"false"),), False),
        ((("consent", b""),), False),
        ((("Consent", b"true"),), False),
        ((("consent", b"true"), ("consent", b"no")), False),
    ],
)
def test_a_header_says_who_agreed(headers: Headers, *, agreed: bool) -> None:
    settings = TeacherSettings(consent_header="consent")
    assert has_consent(settings, topic="text", headers=headers) is agreed


def test_a_topic_says_it_for_all_of_its_records() -> None:
    settings = TeacherSettings(consent_topics=("text",))
    assert has_consent(settings, topic="text", headers=())
    assert not has_consent(settings, topic="other", headers=(("consent", b"true"),))
