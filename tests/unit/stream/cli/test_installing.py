from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from schemas.audit import audit_keys
from schemas.settings import Settings, load_settings
from schemas.wire.codec import Codec
from schemas.wire.topics import TopicNames
from stream.cli.installing import install, topic_specs
from stream.kafka.local.embedded import EmbeddedBroker
from stream.kafka.spend_log import read_spend
from stream.kafka.topics import create_topics


def settings_for(broker: EmbeddedBroker, folder: Path, **more: Any) -> Settings:
    """Settings of an installation of its own."""
    prefix = f"{folder.name}."
    return load_settings(
        None,
        kafka={
            "bootstrap_servers": broker.bootstrap_servers,
            "text_topic": f"{prefix}text",
            "topic_prefix": prefix,
        },
        topics={"partitions": 1},
        routing={"audit_key_file": str(folder / "state" / "audit.key")} | more.pop("routing", {}),
        **more,
    )


async def test_a_new_installation_gets_its_topics_and_an_audit_key(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    settings = settings_for(embedded_broker, tmp_path)
    first = await install(settings)
    assert set(first.topics.values()) == {"created"}
    assert first.audit_key == "created"
    keys = audit_keys(settings.routing)
    again = await install(settings)
    assert (set(again.topics.values()), again.audit_key) == ({"exists"}, "exists")
    assert audit_keys(settings.routing) == keys


async def test_an_older_installation_gets_new_topics_and_no_key_unasked(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    settings = settings_for(embedded_broker, tmp_path)
    old = [spec for spec in topic_specs(settings) if "canaries" not in spec.name]
    await create_topics(settings.kafka, old)
    made = await install(settings)
    assert [name for name, how in made.topics.items() if how == "created"] == [
        TopicNames.of(settings.kafka).canaries
    ]
    assert made.audit_key == "none"
    assert "The audit key" in made.remark
    assert not settings.routing.audit_key_file.exists()


async def test_a_key_that_cannot_be_written_stops_nothing(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    (tmp_path / "state").write_text("a file, where the folder should be")
    made = await install(settings_for(embedded_broker, tmp_path))
    assert made.audit_key == "none"
    assert "audits are public: cannot write" in made.remark


async def test_a_key_that_is_set_is_left(embedded_broker: EmbeddedBroker, tmp_path: Path) -> None:
    settings = settings_for(embedded_broker, tmp_path, routing={"audit_key": "k" * 32})
    assert (await install(settings)).audit_key == "set"
    assert not settings.routing.audit_key_file.exists()


@pytest.mark.parametrize(("holds_for", "n"), [("machine", 0), ("cluster", 1)])
async def test_a_budget_is_opened_where_it_holds_for_many_and_nothing_was_there(
    embedded_broker: EmbeddedBroker, tmp_path: Path, holds_for: str, n: int
) -> None:
    settings = settings_for(embedded_broker, tmp_path, teacher={"budget_holds_for": holds_for})
    await install(settings)
    await install(settings)
    assert len(await read_spend(settings, Codec())) == n


async def test_a_budget_of_an_older_installation_is_for_a_person_to_open(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    settings = settings_for(embedded_broker, tmp_path, teacher={"budget_holds_for": "cluster"})
    old = [spec for spec in topic_specs(settings) if "teacher-spend" not in spec.name]
    await create_topics(settings.kafka, old)
    await install(settings)
    assert await read_spend(settings, Codec()) == []
