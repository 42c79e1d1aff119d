from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from schemas.errors import BudgetExhaustedError, DecodeError, TeacherStateError
from schemas.settings import Settings
from schemas.wire.codec import Codec
from schemas.wire.keyed import spend_key
from schemas.wire.topics import TopicNames
from stream.kafka.local.embedded import EmbeddedBroker
from stream.kafka.spend_log import KafkaSpendLog, open_spend, read_spend, spend_log_of
from stream.kafka.topic_logs import append
from stream.kafka.topics import check_topics, create_topics, needed_specs
from stream.teacher.completions import Usage
from stream.teacher.shared_budget import SharedBudget
from stream.teacher.shared_spend import Amount, SpendView, limits_of
from stream.teacher.shared_topic import Ledger
from stream.teacher.spending import Cause
from stream.testing.apache_kafka import ApacheKafka
from stream.testing.spend_topic import HOUR, an_opening

STREAM = Cause("people", "stream", "q")
_numbers = itertools.count()


@pytest.fixture(params=["embedded", pytest.param("apache", marks=pytest.mark.kafka)])
async def settings(request: pytest.FixtureRequest) -> Settings:
    embedded = request.param == "embedded"
    broker: EmbeddedBroker | ApacheKafka = request.getfixturevalue(
        "embedded_broker" if embedded else "apache_kafka"
    )
    prefix = f"spend-{next(_numbers)}."
    found = Settings.model_validate(
        {
            "kafka": {
                "bootstrap_servers": broker.bootstrap_servers,
                "topic_prefix": prefix,
                "text_topic": f"{prefix}text",
                "startup_timeout_s": 30,
                "delivery": "at_least_once" if embedded else "exactly_once",
            },
            "teacher": {
                "budget_holds_for": "cluster",
                "budget_usd_per_day": 1e-7,
                "budget_share_apart": 0.0,
            },
        }
    )
    await create_topics(found.kafka, needed_specs(found))
    return found


@asynccontextmanager
async def a_process(settings: Settings) -> AsyncIterator[SharedBudget]:
    async def nothing() -> Ledger:
        return Ledger("", ())

    log = spend_log_of(settings)
    assert log is not None
    budget = SharedBudget(log, limits_of(settings.teacher), read_ledger=nothing)
    yield budget
    await budget.aclose()


async def test_processes_that_claim_at_once_get_no_more_than_there_is(settings: Settings) -> None:
    """Four of them ask for ten times the budget; a fifth gets what they left, to the last.

    They may leave something: what one asked for in vain counts for the others until it says so.
    """
    await check_topics(settings.kafka, needed_specs(settings))
    await open_spend(settings, Codec(), an_opening())
    granted = 0

    async def ask(budget: SharedBudget) -> bool:
        nonlocal granted
        try:
            claim = await budget.claim(STREAM, hour=HOUR, most=Amount(10))
        except BudgetExhaustedError:
            return False
        granted += 10
        budget.settle(claim, Usage(1, 1), nano_usd=10)
        return True

    async def live() -> None:
        async with a_process(settings) as budget:
            await asyncio.gather(*(ask(budget) for _ in range(25)))

    await asyncio.gather(*(live() for _ in range(4)))
    assert 0 < granted <= 100
    async with a_process(settings) as late:
        while await ask(late):
            pass
        assert granted == 100
        with pytest.raises(BudgetExhaustedError):
            await late.claim(STREAM, hour=HOUR, most=Amount(1))
    view = SpendView()
    for row in await read_spend(settings, Codec()):
        view.take(row)
    assert view.spent("day", HOUR[:10]).nano_usd == 100
    assert sum(row.calls for row in view.rows) == 10


async def test_a_topic_that_cannot_be_read_stops_all_spending(settings: Settings) -> None:
    async with a_process(settings) as budget:
        with pytest.raises(TeacherStateError, match="budget open"):
            await budget.claim(STREAM, hour=HOUR, most=Amount(1))
    await open_spend(settings, Codec(), an_opening())
    topic = TopicNames.of(settings.kafka).teacher_spend
    moved = Codec().encode(an_opening(by="another"), topic)
    await append(settings.kafka, topic, key=spend_key(an_opening()), value=moved)
    with pytest.raises(DecodeError, match=r"offset \d+: a TeacherSpend under the"):
        await read_spend(settings, Codec())
    await append(settings.kafka, topic, key=b"k", value=b"a stranger's")
    async with a_process(settings) as budget:
        with pytest.raises(TeacherStateError, match="offset"):
            await budget.claim(STREAM, hour=HOUR, most=Amount(1))


async def test_a_topic_that_is_missing_stops_all_spending(embedded_broker: EmbeddedBroker) -> None:
    kafka = {"bootstrap_servers": embedded_broker.bootstrap_servers, "topic_prefix": "nowhere."}
    log = KafkaSpendLog(Settings.model_validate({"kafka": kafka}))
    with pytest.raises(TeacherStateError, match="topics create"):
        await log.open()
    await log.aclose()
