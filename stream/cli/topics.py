"""`silverstream topics`: make the topics that are missing, or check them all."""

from __future__ import annotations

import asyncio

import typer

from schemas.settings import Settings
from schemas.wire.topics import TopicNames
from stream.cli.options import ConfigOption
from stream.cli.settings_source import command_settings
from stream.kafka.topics import TopicSpec, check_topics, create_topics, specs

app = typer.Typer(no_args_is_help=True, help="Create or check the topics.")


@app.command()
def create(config: ConfigOption = None) -> None:
    """Make the topics that are missing; those that are there stay as they are."""
    settings = command_settings(config)
    wanted = topic_specs(settings)
    made = asyncio.run(create_topics(settings.kafka, wanted))
    for spec in wanted:
        print(f"{'created' if spec.name in made else 'exists '}  {spec.name}")
    asyncio.run(check_topics(settings.kafka, wanted))


@app.command()
def check(config: ConfigOption = None) -> None:
    """Say what is wrong with the topics, and the command that mends it."""
    settings = command_settings(config)
    asyncio.run(check_topics(settings.kafka, topic_specs(settings)))
    print("all topics are as they must be")


def topic_specs(settings: Settings) -> list[TopicSpec]:
    """List what the topics of these settings must be."""
    names = TopicNames(settings.kafka.topic_prefix, settings.kafka.text_topic)
    return specs(names, settings.topics)
