"""`silverstream teacher`: take the teacher as it is, after it was noticed that it has changed."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer

from schemas.canaries.holds import Hold
from schemas.clocks import iso_of, now_ms
from schemas.errors import GateError
from schemas.files.task_file import load_task
from schemas.settings import Settings
from schemas.types import Canary
from schemas.wire.codec import open_codec
from stream.cli.json_output import JsonOption, check_writable, is_printed, write_json
from stream.cli.options import ConfigOption
from stream.cli.settings_source import command_settings
from stream.kafka.canaries import CanaryLog

app = typer.Typer(no_args_is_help=True, help="Whether the teacher is still who it was.")


@app.callback()
def _group() -> None:
    """Keep `accept` a subcommand though it is the only one."""


@app.command()
def accept(
    reason: Annotated[str, typer.Option(help="Why the teacher may be trusted; it is kept.")],
    config: ConfigOption = None,
    json_file: JsonOption = None,
) -> None:
    """Take a teacher that has changed as it is: its labels count again, those held back too.

    Its canaries are asked anew. Where another model is set instead, nothing need be accepted:
    what the changed teacher said stays held back.
    """
    check_writable(json_file)
    if not reason.strip():
        raise typer.BadParameter("say why", param_hint="--reason")
    hold, entry = asyncio.run(_accepted(command_settings(config), reason.strip()))
    if not is_printed(json_file):
        print(f"accepted: what the teacher has said since {iso_of(hold.since_ms)} is learnt")
    write_json({**_facts(entry), "since_ms": hold.since_ms}, json_file)


async def _accepted(settings: Settings, reason: str) -> tuple[Hold, Canary]:
    """Write the acceptance; `GateError` where nothing is doubted."""
    task = load_task(settings.task)
    async with open_codec(settings.schema_registry) as codec:
        log = CanaryLog(settings.kafka, task.name, codec)
        hold = (await log.trust()).hold
        if hold is None:
            raise GateError("there is nothing to accept: the teacher is not known to have changed")
        entry = Canary(task.name, task.digest, "accept", now_ms(), reason=reason)
        await log.write(entry)
    return hold, entry


def _facts(entry: Canary) -> dict[str, object]:
    told = asdict(entry)
    return {name: told[name] for name in ("task", "kind", "at_ms", "reason")}
