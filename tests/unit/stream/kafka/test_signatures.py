from __future__ import annotations

import base64
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiokafka import ConsumerRecord
from pydantic import SecretStr, ValidationError
from structlog.testing import capture_logs

from schemas.errors import ConfigError
from schemas.settings import KafkaSettings
from schemas.types import Headers
from stream.kafka.signatures import HEADER, Signatures, new_key, public_key, told

OURS, OTHERS, LATER = new_key(), new_key(), new_key()
PROMOTIONS, LABELS = "silverstream.promotions", "silverstream.silver-labels"


def settings(**values: Any) -> KafkaSettings:
    return KafkaSettings(**values)


def signing(key: str) -> Signatures:
    return Signatures.of(settings(signing_key=SecretStr(key)))


def trusting(*keys: str) -> Signatures:
    return Signatures.of(settings(trusted_keys=keys))


def signed(
    key: str, topic: str = PROMOTIONS, k: bytes | None = b"people", v: bytes | None = b"v"
) -> Headers:
    return signing(key).headers(topic, k, v)


def test_what_a_trusted_key_signed_is_believed_by_who_cannot_sign() -> None:
    reader = trusting(public_key(OURS))
    assert reader.key is None
    assert reader.fault(PROMOTIONS, b"people", b"v", signed(OURS)) == ""


@pytest.mark.parametrize(
    ("topic", "key", "value"),
    [
        (LABELS, b"people", b"v"),
        (PROMOTIONS, b"places", b"v"),
        (PROMOTIONS, b"people", b"w"),
        (PROMOTIONS, b"people", None),
        (PROMOTIONS, b"people", b""),
        (PROMOTIONS, None, b"v"),
        (PROMOTIONS, b"peoplev", b""),
    ],
)
def test_a_signature_is_of_one_topic_key_and_value(
    topic: str, key: bytes | None, value: bytes | None
) -> None:
    reader = trusting(public_key(OURS))
    assert reader.fault(topic, key, value, signed(OURS)) == "wrong"


def test_nothing_and_the_empty_are_told_apart() -> None:
    parts = (None, b"", b"a", b"ab")
    assert len({told("t", key, value) for key in parts for value in parts}) == len(parts) ** 2


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ((), "unsigned"),
        (((HEADER, None),), "wrong"),
        (((HEADER, b"?"),), "unreadable"),
        (((HEADER, base64.b64encode(b"\0" * 64)),), "wrong"),
        ((*signed(OURS), *signed(OURS)), "unsigned"),
        (signed(OTHERS), "wrong"),
    ],
)
def test_what_no_trusted_key_signed_is_not_believed(headers: Headers, why: str) -> None:
    assert trusting(public_key(OURS)).fault(PROMOTIONS, b"people", b"v", headers) == why


def test_who_signs_trusts_itself() -> None:
    ours = signing(OURS)
    assert ours.fault(PROMOTIONS, b"k", b"v", ours.headers(PROMOTIONS, b"k", b"v")) == ""
    assert ours.fault(PROMOTIONS, b"k", b"v", ()) == "unsigned"


def test_keys_are_rotated_by_trusting_both_for_a_while() -> None:
    both = trusting(public_key(OURS), public_key(LATER))
    after = trusting(public_key(LATER))
    for key, by_both, by_later in ((OURS, "", "wrong"), (LATER, "", "")):
        assert both.fault(PROMOTIONS, b"people", b"v", signed(key)) == by_both
        assert after.fault(PROMOTIONS, b"people", b"v", signed(key)) == by_later


def test_a_key_of_one_topic_signs_no_other() -> None:
    reader = trusting(f"silver-labels:{public_key(OURS)}", f"promotions:{public_key(OTHERS)}")
    assert reader.fault(LABELS, b"k", b"v", signed(OURS, LABELS, b"k")) == ""
    assert reader.fault(PROMOTIONS, b"k", b"v", signed(OURS, PROMOTIONS, b"k")) == "wrong"
    assert reader.fault(PROMOTIONS, b"k", b"v", signed(OTHERS, PROMOTIONS, b"k")) == ""
    assert reader.fault("silverstream.promises", b"k", b"v", ()) == "unsigned"


def test_without_keys_nothing_is_signed_or_verified() -> None:
    none = Signatures.of(settings())
    assert none.headers(PROMOTIONS, b"k", b"v") == ()
    assert none.fault(PROMOTIONS, b"k", b"v", ()) == ""


def test_other_topics_are_neither_signed_nor_verified() -> None:
    ours = signing(OURS)
    assert ours.headers("silverstream.entities", b"k", b"v") == ()
    assert ours.fault("silverstream.entities", b"k", b"v", ()) == ""


def a_record(offset: int, headers: Headers) -> ConsumerRecord:
    return ConsumerRecord(PROMOTIONS, 0, offset, 0, 0, b"people", b"v", None, 0, 0, tuple(headers))


def test_what_is_refused_is_as_if_it_were_not_there_counted_and_logged() -> None:
    counted: Counter[tuple[str, str]] = Counter()
    reader = replace(trusting(public_key(OURS)), refused=counted)
    records = [a_record(0, ()), a_record(1, signed(OURS)), a_record(2, signed(OTHERS))]
    with capture_logs() as logs:
        assert [record.offset for record in reader.believed(records)] == [1]
    assert counted == {(PROMOTIONS, "unsigned"): 1, (PROMOTIONS, "wrong"): 1}
    assert [(log["event"], log["offset"]) for log in logs] == [
        ("record_refused", 0),
        ("record_refused", 2),
    ]


def test_a_flood_of_unsigned_records_is_no_flood_of_logs() -> None:
    reader = replace(trusting(public_key(OURS)), refused=Counter())
    with capture_logs() as logs:
        assert not [*reader.believed(a_record(n, ()) for n in range(2500))]
    assert len(logs) == 12


def test_the_key_may_lie_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(OURS + "\n")
    ours = Signatures.of(settings(signing_key_file=file))
    assert ours.headers(PROMOTIONS, b"people", b"v") == signed(OURS)


def test_a_key_that_is_none_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"kafka\.signing_key_file: cannot read .*: No such"):
        Signatures.of(settings(signing_key_file=tmp_path / "none"))
    for wrong in ("hunter2", base64.b64encode(b"short").decode()):
        with pytest.raises(ConfigError, match=r"kafka\.signing_key must be") as caught:
            signing(wrong)
        assert wrong not in str(caught.value)
    with pytest.raises(ValidationError, match="trusted_keys"):
        trusting("secrets:" + public_key(OURS))
    with pytest.raises(ValidationError, match="which one signs"):
        settings(signing_key=SecretStr(OURS), signing_key_file=tmp_path)
