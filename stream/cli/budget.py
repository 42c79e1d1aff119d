"""`silverstream budget`: what all machines together may spend and have spent; opening the topic."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from schemas.errors import ConfigError
from schemas.files.task_file import load_task
from schemas.settings import Settings
from schemas.types import TeacherSpend
from schemas.wire.codec import Codec, open_codec
from stream.cli.json_output import JsonOption, check_writable, is_printed, write_json
from stream.cli.options import ConfigOption, finite
from stream.cli.settings_source import command_settings
from stream.kafka.spend_log import open_spend, read_spend
from stream.teacher.shared_spend import (
    OPENING,
    Limit,
    SpendView,
    dollars,
    limits_of,
    nano,
    view_of,
)

app = typer.Typer(no_args_is_help=True, help="The budget of all machines together.")

_HOUR_CHARS, _DAY_CHARS = 13, 10


@dataclass(frozen=True, slots=True)
class Standing:
    """How much of one limit is spent or reserved, in US dollars or tokens; `of` names its window.

    `group` is `all`, `stream` or `apart`: the parts that `teacher.budget_share_apart` makes.
    """

    setting: str
    window: str
    of: str
    group: str
    unit: str
    spent: float
    most: float


@app.command()
def show(config: ConfigOption = None, json_file: JsonOption = None) -> None:
    """Say how much of each limit is spent or reserved now, by all who share the topic."""
    check_writable(json_file)
    settings = command_settings(config)
    view = asyncio.run(_view(settings))
    found = standings(view, settings, task=load_task(settings.task).name, now_s=time.time())
    if not is_printed(json_file):
        Console().print(_table(found))
        if not view.opened:
            print("nobody opened the topic: nothing is spent before `silverstream budget open`")
    write_json({"opened": view.opened, "limits": [asdict(one) for one in found]}, json_file)


@app.command("open")
def open_(
    spent_usd: Annotated[
        float,
        typer.Option(
            min=0,
            callback=finite,
            help="What was spent today by ledgers that are lost, or 0.",
        ),
    ],
    config: ConfigOption = None,
    json_file: JsonOption = None,
) -> None:
    """Say what was spent today, so that spending may begin: once, for a topic that is new.

    What the ledgers of today's machines know they bring in by themselves.
    """
    check_writable(json_file)
    settings = command_settings(config)
    row = asyncio.run(_open(settings, spent_usd))
    if not is_printed(json_file):
        print(f"open: {spent_usd:.4f} USD count as spent in the hour {row.hour} (UTC)")
    write_json({"hour": row.hour, "spent_usd": spent_usd}, json_file)


def an_opening(spent_usd: float, *, now_s: float) -> TeacherSpend:
    """Make the record that opens the topic."""
    return TeacherSpend(
        _hour(now_s),
        "",
        OPENING,
        uuid.uuid4().hex,
        1,
        nano_usd=nano(spent_usd),
        written_at_ms=round(now_s * 1000),
    )


def standings(view: SpendView, settings: Settings, *, task: str, now_s: float) -> list[Standing]:
    """Hold what is spent against each limit of the settings, in the hour and on the day of now."""
    hour = _hour(now_s)
    names = {"hour": hour, "day": hour[:_DAY_CHARS], "task": task}
    return [_standing(view, limit, names[limit.window]) for limit in limits_of(settings.teacher)]


def _standing(view: SpendView, limit: Limit, of: str) -> Standing:
    spent = view.spent(limit.window, of, limit.group)
    known = (limit.setting, limit.window, of, limit.group, limit.unit)
    if limit.unit == "USD":
        return Standing(*known, dollars(spent.nano_usd), dollars(limit.most))
    return Standing(*known, spent.tokens, limit.most)


async def _view(settings: Settings) -> SpendView:
    async with open_codec(settings.schema_registry) as codec:
        return await _read(settings, codec)


async def _open(settings: Settings, spent_usd: float) -> TeacherSpend:
    async with open_codec(settings.schema_registry) as codec:
        if (await _read(settings, codec)).opened:
            raise ConfigError("the budget is open: see `silverstream budget show`")
        row = an_opening(spent_usd, now_s=time.time())
        await open_spend(settings, codec, row)
    return row


async def _read(settings: Settings, codec: Codec) -> SpendView:
    return view_of(await read_spend(settings, codec))


def _hour(now_s: float) -> str:
    return datetime.fromtimestamp(now_s, UTC).isoformat()[:_HOUR_CHARS]


def _table(found: list[Standing]) -> Table:
    table = Table("limit", "of", "for", box=SIMPLE)
    for words in ("spent", "most"):
        table.add_column(words, justify="right")
    for one in found:
        form = "{:,.4f} USD" if one.unit == "USD" else "{:,} tokens"
        table.add_row(one.setting, one.of, one.group, form.format(one.spent), form.format(one.most))
    return table
