"""`silverstream topics`: make the topics that are missing, or check them all."""

from __future__ import annotations

import asyncio
import time

import typer

from schemas.audit import make_audit_key
from schemas.errors import TopicError
from schemas.settings import Settings
from schemas.wire.codec import open_codec
from schemas.wire.topics import TopicNames
from stream.cli.budget import an_opening
from stream.cli.json_output import JsonOption, check_writable, is_printed, write_json
from stream.cli.options import ConfigOption
from stream.cli.settings_source import command_settings
from stream.kafka.spend_log import open_spend
from stream.kafka.topics import (
    TopicSpec,
    check_topics,
    create_topics,
    needed_specs,
    specs,
    widen_topics,
)

app = typer.Typer(no_args_is_help=True, help="Create or check the topics.")


@app.command()
def create(config: ConfigOption = None, json_file: JsonOption = None) -> None:
    """Make the topics that are missing, widen those that have too few partitions.

    Makes the key of the audit sample too, where none is set and none is there.
    """
    check_writable(json_file)
    settings = command_settings(config)
    wanted = topic_specs(settings)
    made = asyncio.run(create_topics(settings.kafka, wanted))
    widened = asyncio.run(widen_topics(settings.kafka, wanted))
    if {spec.name for spec in wanted} - {settings.kafka.text_topic} <= set(made):
        asyncio.run(_open_budget(settings))
    outcomes = dict.fromkeys(made, "created") | dict.fromkeys(widened, "widened")
    facts = {spec.name: outcomes.get(spec.name, "exists") for spec in wanted}
    key = _audit_key(settings)
    if not is_printed(json_file):
        for name, outcome in facts.items():
            print(f"{outcome:7}  {name}")
        print(f"{key:7}  key of the audit sample: {_key_place(settings)}")
    write_json({"topics": facts, "audit_key": key}, json_file)
    asyncio.run(check_topics(settings.kafka, wanted))


@app.command()
def check(config: ConfigOption = None, json_file: JsonOption = None) -> None:
    """Say what is wrong with the topics, and the command that mends it."""
    check_writable(json_file)
    settings = command_settings(config)
    wanted = needed_specs(settings)
    facts = {"topics": [spec.name for spec in wanted], "wrong": ""}
    try:
        asyncio.run(check_topics(settings.kafka, wanted))
    except TopicError as error:
        write_json(facts | {"wrong": str(error)}, json_file)
        raise
    if not is_printed(json_file):
        print("all topics are as they must be")
    write_json(facts, json_file)


def _audit_key(settings: Settings) -> str:
    if settings.routing.audit_key:
        return "set"
    return "created" if make_audit_key(settings.routing) else "exists"


def _key_place(settings: Settings) -> str:
    routing = settings.routing
    if routing.audit_key:
        return "routing.audit_key"
    return f"{routing.audit_key_file}, which every worker and round must have"


async def _open_budget(settings: Settings) -> None:
    """Say that nothing was spent, where nothing of ours was there: it is a new installation."""
    async with open_codec(settings.schema_registry) as codec:
        await open_spend(settings, codec, an_opening(0.0, now_s=time.time()))


def topic_specs(settings: Settings) -> list[TopicSpec]:
    """List what the topics of these settings must be."""
    return specs(TopicNames.of(settings.kafka), settings.topics)
