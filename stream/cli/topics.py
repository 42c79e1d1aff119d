"""`silverstream topics`: make the topics that are missing, or check them all."""

from __future__ import annotations

import asyncio
import sys

import typer

from schemas.errors import TopicError
from schemas.settings import Settings
from stream.cli.installing import Installed, install, topic_specs
from stream.cli.json_output import JsonOption, check_writable, is_printed, write_json
from stream.cli.options import ConfigOption
from stream.cli.settings_source import command_settings
from stream.kafka.replication import check_replicas
from stream.kafka.topics import check_topics, needed_specs

app = typer.Typer(no_args_is_help=True, help="Create or check the topics.")


@app.command()
def create(config: ConfigOption = None, json_file: JsonOption = None) -> None:
    """Make the topics that are missing, widen those that have too few partitions.

    A new installation gets the key of its audit sample too, where none is set.
    """
    check_writable(json_file)
    settings = command_settings(config)
    made = asyncio.run(install(settings))
    if not is_printed(json_file):
        for name, outcome in made.topics.items():
            print(f"{outcome:7}  {name}")
        print(f"{made.audit_key:7}  key of the audit sample: {_key_words(made, settings)}")
    write_json({"topics": made.topics, "audit_key": made.audit_key}, json_file)
    wanted = topic_specs(settings)
    asyncio.run(check_topics(settings.kafka, wanted))
    for remark in asyncio.run(check_replicas(settings.kafka, [spec.name for spec in wanted])):
        print(remark, file=sys.stderr)


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


def _key_words(made: Installed, settings: Settings) -> str:
    routing = settings.routing
    if made.remark:
        return made.remark
    if routing.audit_key:
        return "routing.audit_key"
    return f"{routing.audit_key_file}, which every worker and round must have"
