"""`silverstream bill`: what the teacher cost, what for, and what it would cost each time."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer
from aiokafka import AIOKafkaConsumer, TopicPartition
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from schemas.errors import BrokerUnavailableError, DecodeError, RetryError, TopicError
from schemas.files.task_file import load_task
from schemas.settings import KafkaSettings, Settings
from schemas.wire.codec import open_codec
from stream.cli.json_output import JsonOption, check_writable, is_printed, write_json
from stream.cli.options import ConfigOption
from stream.cli.settings_source import command_settings
from stream.kafka import clients
from stream.kafka.spend_log import read_spend
from stream.kafka.topic_logs import end_offsets
from stream.teacher.batches.facts import in_batches
from stream.teacher.bill import By, EachTime, bill_facts, by_teacher, each_time
from stream.teacher.shared_spend import SpendView, spendings_of_others, view_of
from stream.teacher.spending import Spending
from stream.teacher.store_looks import (
    batched_of,
    batches_of,
    name_of,
    paid_to_teachers,
    spendings_of,
)

_LOOK_S = 10.0
"""The bill is told without a broker too: it is not waited for as a worker waits."""
_COLUMNS = (
    ("questions", "questions", "{:,}"),
    ("calls", "calls", "{:,}"),
    ("cached", "cached", "{:,}"),
    ("tokens_in", "tokens in", "{:,}"),
    ("tokens_out", "out", "{:,}"),
    ("usd", "USD", "{:,.4f}"),
    ("saved_usd", "saved", "{:,.4f}"),
)


def bill(
    by: Annotated[By, typer.Option(help="What the rows are.")] = "purpose",
    config: ConfigOption = None,
    json_file: JsonOption = None,
) -> None:
    """Say what was spent on what, by this machine's ledger, against asking the teacher each time.

    Where the budget holds for all machines, what the topic says of the others stands beside it.
    What each of several teachers was paid stands apart, and is of this machine's ledger alone.
    Spent includes what is reserved: calls under way, and those whose bill never came.
    """
    check_writable(json_file)
    settings = command_settings(config)
    others, unread = _of_others(settings)
    rows = [*spendings_of(settings.teacher.state), *others]
    against, unknown = _against(settings, rows)
    found = bill_facts(rows, by, against, unknown=unknown) | {"others_unknown": unread or None}
    found["teachers"] = by_teacher(paid_to_teachers(settings.teacher.state))
    found["batches"] = in_batches(
        batched_of(settings.teacher.state), batches_of(settings.teacher.state)
    )
    if not is_printed(json_file):
        Console().print(_table(found))
        if found["teachers"]:
            Console().print(_teachers_table(found["teachers"]))
        if (batched := found["batches"]) is not None:
            print(
                f"{batched['calls']:,} of these calls in batches, for ${batched['usd']:,.4f}; "
                f"{batched['waiting']:,} of them wait"
            )
        if unread:
            print(f"this machine's ledger alone: {unread}")
        print(against_words(against, unknown))
    write_json(found, json_file)


def _of_others(settings: Settings) -> tuple[list[Spending], str]:
    """Read what other machines spent, where that is on a topic; or say why it cannot be told."""
    if settings.teacher.budget_holds_for == "machine":
        return [], ""
    try:
        view = asyncio.run(_spend_view(settings))
    except (RetryError, TopicError, DecodeError) as error:
        return [], f"what other machines spent cannot be read: {error}"
    return spendings_of_others(view.rows, ledger=name_of(settings.teacher.state)), ""


async def _spend_view(settings: Settings) -> SpendView:
    kafka = _impatient(settings.kafka)
    async with open_codec(settings.schema_registry) as codec:
        return view_of(await read_spend(settings.model_copy(update={"kafka": kafka}), codec))


def _against(settings: Settings, rows: list[Spending]) -> tuple[EachTime | None, str]:
    """Hold the bill against asking each time, or say why that cannot be told."""
    task = load_task(settings.task).name
    try:
        records = asyncio.run(_records(settings, task))
    except (BrokerUnavailableError, TopicError) as error:
        return None, f"the records of the stream cannot be counted: {error}"
    against = each_time(rows, task=task, records=records)
    return against, "" if against else f"no question of the task {task} was paid for yet"


async def _records(settings: Settings, task: str) -> int:
    """Count what the lanes have done: their group's offsets, some of which are no records."""
    kafka = _impatient(settings.kafka)
    ends = await end_offsets(kafka, kafka.text_topic)

    async def done(reader: AIOKafkaConsumer) -> int:
        sources = [TopicPartition(kafka.text_topic, number) for number in ends]
        return sum([await reader.committed(source) or 0 for source in sources])

    # In the group, to be told its offsets; without a subscription it takes part in nothing.
    return await clients.ask(
        lambda: clients.consumer(kafka, group_id=f"{settings.app}-{task}"), done, settings=kafka
    )


def _impatient(kafka: KafkaSettings) -> KafkaSettings:
    startup_timeout_s = min(_LOOK_S, kafka.startup_timeout_s)
    return kafka.model_copy(update={"startup_timeout_s": startup_timeout_s})


def _table(found: dict[str, Any]) -> Table:
    table = Table(box=SIMPLE)
    table.add_column(found["by"], no_wrap=True)
    for _, words, _ in _COLUMNS:
        table.add_column(words, justify="right")
    for row in found["rows"]:
        table.add_row(row[found["by"]], *_cells(row))
    table.add_section()
    table.add_row("in all", *_cells(found["total"]))
    return table


def _teachers_table(rows: list[dict[str, Any]]) -> Table:
    columns = [(name, words, form) for name, words, form in _COLUMNS if name in rows[0]]
    table = Table(box=SIMPLE)
    table.add_column("teacher", no_wrap=True)
    for _, words, _ in columns:
        table.add_column(words, justify="right")
    for row in rows:
        table.add_row(row["teacher"], *(form.format(row[name]) for name, _, form in columns))
    return table


def _cells(row: dict[str, Any]) -> list[str]:
    return [form.format(row[name]) for name, _, form in _COLUMNS]


def against_words(against: EachTime | None, unknown: str) -> str:
    """Put the bill against asking each time into one line, or say why that cannot be told."""
    if against is None:
        return f"against asking each time: {unknown}"
    return (
        f"{against.task}: asking about each of {against.records:,} records, at "
        f"${against.usd_per_question:.6f}, would have cost ${against.usd:,.4f}; "
        f"${against.spent_usd:,.4f} were spent on it, {_difference(against.saved_usd)}"
    )


def _difference(saved_usd: float) -> str:
    return f"${abs(saved_usd):,.4f} {'less' if saved_usd >= 0 else 'more'}"
