"""Old and new workers on one set of topics: what each writes is read by the other.

A reader of 0.1.0 knows the first versions of the schemas. With a schema registry it finds the
newer ones there and resolves them to its own; without one it has to be upgraded before the writers.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from io import BytesIO
from typing import Any

import fastavro
import pytest

from schemas.categories import of_labels
from schemas.types import (
    Choice,
    Doubt,
    EntityEvent,
    Opinion,
    Promotion,
    SilverLabel,
    TeacherRequest,
)
from schemas.wire.avro_schemas import latest, schema_fingerprint, versions
from schemas.wire.avro_values import TO_FIELDS
from schemas.wire.codec import Codec
from stream.testing.messages import POLICY, a_label, a_promotion, a_request, an_event
from tests.compatibility.writing import written_by_0_1_0

OLD: list[Any] = [an_event(record_id="t-0-1"), a_request(record_id="t-0-1"), a_label(text="Ada")]
NEW = [
    *(replace(value, categories=of_labels(["glad"])) for value in OLD),
    a_label(text="Ada", producer="p" * 64, asked="several"),
    a_request(record_id="t-0-1", doubts=(Doubt(0, 3, (Choice("PER", 0.6), Choice("", 0.4))),)),
    a_label(text="Ada", teacher="best", opinions=(Opinion("", "v1", ((0, 3, "PER"),), 0.4),)),
]
KINDS = [EntityEvent, TeacherRequest, SilverLabel]


@pytest.mark.parametrize("value", OLD, ids=lambda value: type(value).__name__)
def test_a_new_reader_takes_what_an_old_writer_wrote_among_new_records(value: Any) -> None:
    codec = Codec()
    log = [written_by_0_1_0(value), codec.encode(value, "topic"), written_by_0_1_0(value)]
    assert [codec.decode(type(value), one) for one in log] == [value] * 3


@pytest.mark.parametrize("value", NEW, ids=lambda value: type(value).__name__)
def test_an_old_reader_resolves_what_a_new_writer_wrote(value: Any) -> None:
    kind: Any = type(value)
    body = Codec().encode(value, "topic")[10:]
    found = fastavro.schemaless_reader(BytesIO(body), latest(kind), versions(kind)[0])
    fields = TO_FIELDS[kind](value)
    assert isinstance(found, dict)
    later = {"categories", "producer", "asked", "doubts", "teacher", "opinions"}
    assert found == {name: x for name, x in fields.items() if name not in later}


@pytest.mark.parametrize("decided_by", ["person", "both"])
@pytest.mark.parametrize("version", [1, 2])
def test_a_reader_that_does_not_know_who_decided_takes_it_for_the_student(
    version: int, decided_by: Any
) -> None:
    event = an_event(record_id="t-0-1", decided_by=decided_by, revision=3)
    body = Codec().encode(event, "topic")[10:]
    found = fastavro.schemaless_reader(
        BytesIO(body), latest(EntityEvent), versions(EntityEvent)[version - 1]
    )
    assert isinstance(found, dict)
    assert (found["decided_by"], found["revision"]) == ("student", 3)
    assert Codec().decode(EntityEvent, Codec().encode(event, "topic")) == event


@pytest.mark.parametrize(
    ("version", "unknown"),
    [
        (1, {"trusted", "audit_key_digest"}),
        (2, {"trusted", "audit_key_digest"}),
        (3, {"audit_key_digest"}),
    ],
)
def test_a_reader_that_knows_no_trusted_labels_or_audit_keys_does_as_before(
    version: int, unknown: set[str]
) -> None:
    promotion = a_promotion(policy=replace(POLICY, trusted=("PER",), audit_key_digest="d" * 64))
    body = Codec().encode(promotion, "topic")[10:]
    found = fastavro.schemaless_reader(
        BytesIO(body), latest(Promotion), versions(Promotion)[version - 1]
    )
    assert isinstance(found, dict)
    known = {name: x for name, x in asdict(promotion.policy).items() if name not in unknown}
    assert found["policy"] == known | ({"trusted": ["PER"]} if "trusted" in known else {})
    assert Codec().decode(Promotion, Codec().encode(promotion, "topic")) == promotion


def test_a_policy_of_a_version_that_knew_no_trusted_labels_trusts_none() -> None:
    fields = TO_FIELDS[Promotion](a_promotion())
    before = versions(Promotion)[1]
    body = BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(before), fields)
    data = b"\xc3\x01" + schema_fingerprint(before) + body.getvalue()
    assert Codec().decode(Promotion, data) == a_promotion()


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_registry_an_old_reader_does_not_know_the_new_fingerprint(kind: type) -> None:
    known = {schema_fingerprint(versions(kind)[0])}
    assert schema_fingerprint(versions(kind)[-1]) not in known
