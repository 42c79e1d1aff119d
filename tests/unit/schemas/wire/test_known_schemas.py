"""Schemas of others: fetched once, given up on alone, waited for when the registry is away."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.errors import ConfigError, DecodeError, SchemaRegistryUnavailableError
from schemas.settings import SchemaRegistrySettings
from schemas.wire.avro_schemas import writer_schema
from schemas.wire.known_schemas import KnownSchemas
from schemas.wire.schema_registry import SchemaRegistry
from stream.testing.fake_time import FakeTime
from stream.testing.schema_registry import FakeSchemaRegistry

OWN = '{"type": "record", "name": "Own", "fields": []}'


class Place:
    """A registry that knows schema 1, which is ours, and the schema that a test adds."""

    def __init__(self) -> None:
        self.fake, self.time = FakeSchemaRegistry(), FakeTime()
        settings = SchemaRegistrySettings(url="http://registry")
        self.schemas = KnownSchemas(
            SchemaRegistry(settings, self.fake.transport),
            clock=self.time.clock.monotonic,
            max_refused=100,
        )
        self.schemas.add(self.fake.add(OWN), writer_schema(OWN))

    async def wait_out(self, *ids: int) -> None:
        """Try until the ids are given up on."""
        with pytest.raises(SchemaRegistryUnavailableError):
            await self.schemas.fetch(ids)
        self.time.now_s += 15
        await self.schemas.fetch(ids)


@pytest.fixture
def place() -> Place:
    return Place()


@pytest.mark.parametrize("status", [400, 404, 422])
async def test_an_id_that_the_registry_takes_for_none_is_refused_at_once(
    place: Place, status: int
) -> None:
    place.fake.strange = {7: status}
    await place.schemas.fetch([7])
    with pytest.raises(DecodeError, match="schema 7: "):
        place.schemas.find(7)


async def test_an_id_that_is_forbidden_alone_is_refused_and_one_of_many_is_no_login(
    place: Place,
) -> None:
    place.fake.strange = {7: 403}
    await place.schemas.fetch([7])
    with pytest.raises(DecodeError, match="schema 7: the schema registry answered 403"):
        place.schemas.find(7)
    place.fake.outage = 403
    with pytest.raises(ConfigError):
        await place.schemas.fetch([8])


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_an_id_that_the_registry_fails_on_alone_is_given_up_after_a_while(
    place: Place, status: int
) -> None:
    good = place.fake.add(OWN)
    place.fake.strange = {7: status}
    await place.wait_out(7, good)
    with pytest.raises(DecodeError, match=f"schema 7: the schema registry answered {status}"):
        place.schemas.find(7)
    assert place.schemas.find(good).check(b"", 0) == 0


@pytest.mark.parametrize("good_ones", [0, 1])
async def test_many_ids_that_it_fails_on_are_waited_for_together(
    place: Place, good_ones: int
) -> None:
    good = [place.fake.add(OWN) for _ in range(good_ones)]
    place.fake.strange = dict.fromkeys(range(100, 164), 500)
    await place.wait_out(*good, *place.fake.strange)
    for key in place.fake.strange:
        with pytest.raises(DecodeError, match="the schema registry answered 500"):
            place.schemas.find(key)


async def test_a_registry_that_is_away_is_not_asked_for_all_of_many(place: Place) -> None:
    place.fake.outage = 500
    with pytest.raises(SchemaRegistryUnavailableError):
        await place.schemas.fetch(range(100, 164))
    assert len(set(place.fake.requests)) == 9  # the first few, and the one that we know


async def test_given_up_once_it_holds_nothing_up_when_it_is_asked_for_again(place: Place) -> None:
    place.fake.strange = {7: 500}
    await place.wait_out(7)
    place.time.now_s += 60
    await place.schemas.fetch([7])
    del place.fake.strange[7]
    for _ in range(6):
        place.fake.add(OWN)
    place.time.now_s += 60
    await place.schemas.fetch([7])
    assert place.schemas.find(7).check(b"", 0) == 0


@pytest.mark.parametrize("outage", [0, 500, 503])
async def test_a_registry_that_is_away_for_all_is_waited_for(place: Place, outage: int) -> None:
    place.fake.outage = outage
    for _ in range(20):
        with pytest.raises(SchemaRegistryUnavailableError):
            await place.schemas.fetch([7])
        place.time.now_s += 60


async def test_without_a_schema_to_ask_for_a_failing_registry_counts_as_away() -> None:
    fake, time = FakeSchemaRegistry(), FakeTime()
    registry = SchemaRegistry(SchemaRegistrySettings(url="http://registry"), fake.transport)
    schemas = KnownSchemas(registry, clock=time.clock.monotonic, max_refused=10)
    fake.strange = {7: 500}
    for _ in range(3):
        with pytest.raises(SchemaRegistryUnavailableError):
            await schemas.fetch([7])
        time.now_s += 60
    with pytest.raises(SchemaRegistryUnavailableError):
        await schemas.fetch([7, 8])  # 8 is answered: unknown
    time.now_s += 15
    await schemas.fetch([7, 9])
    with pytest.raises(DecodeError, match="500"):
        schemas.find(7)


def _refer(**names: int) -> list[dict[str, Any]]:
    return [{"name": f"n.{s}", "subject": s, "version": v} for s, v in names.items()]


async def test_references_are_followed_and_a_definition_used_twice_stands_once(
    place: Place,
) -> None:
    fake = place.fake
    fake.add(
        '{"type": "enum", "name": "Kind", "namespace": "n", "symbols": ["A", "B"]}', subject="Kind"
    )
    inner = {
        "type": "record",
        "name": "Inner",
        "namespace": "n",
        "fields": [{"name": "kind", "type": "Kind"}, {"name": "text", "type": "string"}],
    }
    fake.add({"type": "null"}, subject="Inner")
    fake.add(inner, subject="Inner", references=_refer(Kind=1))
    outer = {
        "type": "record",
        "name": "Outer",
        "namespace": "m",
        "fields": [
            {"name": "kind", "type": ["null", "n.Kind"]},
            {"name": "list", "type": {"type": "array", "items": "n.Inner"}},
            {"name": "one", "type": "n.Inner"},
        ],
    }
    key = fake.add(outer, references=_refer(Inner=2, Kind=1))
    await place.schemas.fetch([key])
    data = b"\x02\x02" + b"\x02\x00\x02a\x00" + b"\x02\x02b"
    assert place.schemas.find(key).check(data, 0) == len(data)


async def test_references_that_lead_in_a_circle_or_nowhere_refuse_the_schema(place: Place) -> None:
    place.fake.add('"long"', subject="loop", references=_refer(loop=1))
    many = {f"s{n}": n for n in range(1, 3)}
    for n in (1, 2):
        for _ in range(n):
            place.fake.add('"long"', subject=f"s{n}")
    loop = place.fake.add('"long"', references=_refer(loop=1))
    nowhere = place.fake.add('"long"', references=_refer(gone=1))
    fine = place.fake.add('"long"', references=_refer(**many))
    await place.schemas.fetch([loop, nowhere, fine])
    with pytest.raises(DecodeError, match="too deeply"):
        place.schemas.find(loop)
    with pytest.raises(DecodeError, match="unknown schema id"):
        place.schemas.find(nowhere)
    assert place.schemas.find(fine).check(b"\x02", 0) == 1
