from __future__ import annotations

import pytest
from pydantic import ValidationError

from schemas.settings import QuotaSettings
from schemas.wire.producers import ProducerReader

BY_HEADER = ProducerReader(QuotaSettings(source_header="tenant"))
BY_FIELD = ProducerReader(QuotaSettings(source_key_field="tenant.id"))


def test_records_of_one_producer_have_one_name_that_does_not_tell_his() -> None:
    name = BY_HEADER.read(None, [("other", b"x"), ("tenant", b"acme")])
    assert name == BY_HEADER.read(b"key", [("tenant", b"acme")])
    assert name != BY_HEADER.read(None, [("tenant", b"acme2")])
    assert len(name) == 16
    assert "acme" not in name


def test_the_header_that_was_added_last_counts() -> None:
    forged = [("tenant", b"somebody else"), ("tenant", b"acme")]
    assert BY_HEADER.read(None, forged) == BY_HEADER.read(None, [("tenant", b"acme")])


def test_records_that_do_not_say_who_sent_them_are_one_producers() -> None:
    nameless = {BY_HEADER.read(None, []), BY_HEADER.read(b"k", [("tenant", b"")])}
    assert len(nameless) == 1
    assert "" not in nameless


def test_the_key_or_a_field_of_it_may_name_the_producer() -> None:
    name = BY_FIELD.read(b'{"tenant": {"id": 7}, "n": 1}', ())
    assert name == BY_FIELD.read(b'{"n":2,"tenant":{"id":7}}', ())
    assert name != BY_FIELD.read(b'{"tenant": {"id": "7"}}', ())
    whole = ProducerReader(QuotaSettings(source_key_field="*"))
    assert whole.read(b"a", ()) != whole.read(b"b", ())


@pytest.mark.parametrize(
    "key",
    [None, b"", b"\xff", b"7", b"{}", b'{"tenant": null}', b'{"tenant": []}', b"[" * 100_000],
)
def test_a_key_that_names_nobody_is_no_error(key: bytes | None) -> None:
    assert BY_FIELD.read(key, ()) == BY_FIELD.read(None, ())


def test_without_a_setting_nobody_is_known() -> None:
    reader = ProducerReader(QuotaSettings(source_header=""))
    assert not reader.known
    assert reader.read(b"key", [("tenant", b"acme")]) == ""


def test_a_producer_cannot_be_named_twice() -> None:
    with pytest.raises(ValidationError, match="which one"):
        QuotaSettings(source_header="a", source_key_field="b")
