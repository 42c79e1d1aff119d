from __future__ import annotations

from schemas.settings.redaction import RedactionSettings


def test_each_redaction_has_its_name_and_none_has_none() -> None:
    told = [
        RedactionSettings(),
        RedactionSettings(kinds=("email",)),
        RedactionSettings(enabled=True),
        RedactionSettings(enabled=True, kinds=("email",)),
        RedactionSettings(enabled=True, countries=("de",)),
    ]
    digests = [one.digest for one in told]
    assert digests[:2] == ["", ""]
    assert len({*digests[1:]}) == 4
    assert RedactionSettings(enabled=True).digest == digests[2]
