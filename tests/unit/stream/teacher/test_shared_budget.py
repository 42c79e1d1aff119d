"""Many processes, one budget: whatever comes in between, it is not passed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from schemas.errors import BudgetExhaustedError, TeacherStateError
from stream.teacher.completions import Usage
from stream.teacher.shared_budget import Claim, SharedBudget
from stream.teacher.shared_spend import Amount, Limit, SpendView
from stream.teacher.shared_topic import Ledger
from stream.teacher.spending import Cause, Purpose, Spending
from stream.testing.spend_topic import HOUR, MemorySpendLog, MemorySpendTopic, an_opening

DAY = HOUR[:10]
USED = Usage(1, 1)
STREAM = Cause("people", "stream", "q")


def day_limit(most: int) -> list[Limit]:
    return [Limit("day", "all", "USD", most, "teacher.budget_usd_per_day")]


def cents(n: int) -> Amount:
    return Amount(nano_usd=n)


Make = Callable[..., SharedBudget]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    async with AsyncExitStack() as stack:

        def made(
            topic: MemorySpendTopic,
            *,
            most: int = 100,
            ledger: str = "",
            rows: Sequence[Spending] = (),
        ) -> SharedBudget:
            async def read_ledger() -> Ledger:
                return Ledger(ledger, rows)

            budget = SharedBudget(
                topic.log(), day_limit(most), read_ledger=read_ledger, linger_s=0.0
            )
            stack.push_async_callback(budget.aclose)
            return budget

        yield made


async def no_ledger() -> Ledger:
    return Ledger("", ())


async def _patiently(budget: SharedBudget, most: Amount) -> Claim:
    """Claim, and again while the topic cannot be used: as whoever asks the teacher does."""
    while True:
        try:
            return await budget.claim(STREAM, hour=HOUR, most=most)
        except TeacherStateError:
            await asyncio.sleep(0)


def standing(topic: MemorySpendTopic) -> SpendView:
    view = SpendView()
    for row in topic.records:
        view.take(row)
    return view


async def test_two_processes_spend_no_more_than_one_budget(make: Make) -> None:
    topic = MemorySpendTopic()
    one, two = make(topic), make(topic)
    await one.claim(STREAM, hour=HOUR, most=cents(60))
    with pytest.raises(BudgetExhaustedError, match="budget_usd_per_day"):
        await two.claim(STREAM, hour=HOUR, most=cents(60))
    await two.claim(STREAM, hour=HOUR, most=cents(40))
    assert standing(topic).spent("day", DAY).nano_usd == 100


async def test_what_a_call_did_not_take_is_the_next_ones_whoevers_it_is(make: Make) -> None:
    topic = MemorySpendTopic()
    one, two = make(topic), make(topic)
    claim = await one.claim(STREAM, hour=HOUR, most=cents(100))
    one.settle(claim, Usage(5, 5, 1), nano_usd=10)
    await one.aclose()
    await two.claim(STREAM, hour=HOUR, most=cents(90))
    (row,) = [r for r in standing(topic).rows if r.nano_usd == 10]
    assert (row.calls, row.tokens, row.tokens_in, row.tokens_reasoning) == (1, 10, 5, 1)


async def test_it_is_given_back_by_itself_when_nobody_takes_it(make: Make) -> None:
    topic = MemorySpendTopic()
    one, two = make(topic), make(topic)
    one.release(await one.claim(STREAM, hour=HOUR, most=cents(100)))
    while standing(topic).spent("day", DAY).nano_usd:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0)
    await two.claim(STREAM, hour=HOUR, most=cents(100))


async def test_a_killed_process_spent_all_that_it_had_reserved(make: Make) -> None:
    topic = MemorySpendTopic()
    await make(topic).claim(STREAM, hour=HOUR, most=cents(70))  # and no more is heard of it
    heir = make(topic)
    with pytest.raises(BudgetExhaustedError):
        await heir.claim(STREAM, hour=HOUR, most=cents(31))
    await heir.claim(STREAM, hour=HOUR, most=cents(30))


async def test_what_took_more_than_was_reserved_counts_whole(make: Make) -> None:
    topic = MemorySpendTopic()
    one, two = make(topic), make(topic)
    one.settle(await one.claim(STREAM, hour=HOUR, most=cents(10)), USED, nano_usd=95)
    await one.aclose()
    with pytest.raises(BudgetExhaustedError):
        await two.claim(STREAM, hour=HOUR, most=cents(6))


async def test_nothing_is_spent_before_a_person_opened_the_topic(make: Make) -> None:
    topic = MemorySpendTopic(records=[])
    budget = make(topic)
    with pytest.raises(TeacherStateError, match="budget open"):
        await budget.claim(STREAM, hour=HOUR, most=cents(1))
    topic.written(an_opening(spent_nano_usd=99))
    await _patiently(budget, cents(1))
    with pytest.raises(BudgetExhaustedError):
        await budget.claim(STREAM, hour=HOUR, most=cents(1))


async def test_a_topic_that_was_lost_and_opened_anew_is_told_what_the_living_spent(
    make: Make,
) -> None:
    """What is under way they know themselves, what was before by their ledger; each counts once."""
    topic, spent = MemorySpendTopic(), list[Spending]()
    budget, late = make(topic, ledger="l", rows=spent), make(topic)
    for hour in ("2026-11-26T16", HOUR):
        budget.settle(await budget.claim(STREAM, hour=hour, most=cents(30)), USED, nano_usd=30)
    spent.append(Spending(DAY, "people", "stream", calls=2, usd=60e-9))
    for _ in range(100):
        await asyncio.sleep(0)
    topic.records[:] = [an_opening(by="somebody else")]
    for _ in range(100):
        await asyncio.sleep(0)
    await _patiently(budget, cents(10))
    with pytest.raises(BudgetExhaustedError):
        await late.claim(STREAM, hour=HOUR, most=cents(31))
    await late.claim(STREAM, hour=HOUR, most=cents(30))
    assert standing(topic).spent("day", DAY).nano_usd == 100


async def test_nothing_is_spent_while_the_brokers_are_away_and_all_goes_on_afterwards(
    make: Make,
) -> None:
    topic = MemorySpendTopic(away=True)
    budget = make(topic)
    with pytest.raises(TeacherStateError, match="away"):
        await budget.claim(STREAM, hour=HOUR, most=cents(1))
    topic.away = False
    await budget.claim(STREAM, hour=HOUR, most=cents(1))
    topic.away = True
    with pytest.raises(TeacherStateError, match="away"):
        await budget.claim(STREAM, hour=HOUR, most=cents(1))
    topic.away = False
    await budget.claim(STREAM, hour=HOUR, most=cents(99))
    with pytest.raises(BudgetExhaustedError):
        await budget.claim(STREAM, hour=HOUR, most=cents(1))


async def test_what_a_ledger_spent_before_the_upgrade_counts(make: Make) -> None:
    topic = MemorySpendTopic()
    spent = [Spending(DAY, "people", "stream", calls=4, usd=80e-9)]
    first = make(topic, ledger="l", rows=spent)
    with pytest.raises(BudgetExhaustedError):
        await first.claim(STREAM, hour=HOUR, most=cents(21))
    await first.claim(STREAM, hour=HOUR, most=cents(20))
    assert standing(topic).spent("day", DAY).nano_usd == 100


async def test_calls_that_wait_together_are_written_together(make: Make) -> None:
    topic = MemorySpendTopic()
    budget = make(topic)
    await asyncio.gather(*(budget.claim(STREAM, hour=HOUR, most=cents(3)) for _ in range(30)))
    assert len([row for row in topic.records if row.purpose == "stream"]) < 10


async def test_a_claim_that_is_cancelled_leaves_nothing_reserved(make: Make) -> None:
    topic = MemorySpendTopic()
    budget = make(topic)
    for n_turns in range(12):
        claim = asyncio.create_task(budget.claim(STREAM, hour=HOUR, most=cents(100)))
        for _ in range(4 * n_turns):
            await asyncio.sleep(0)
        claim.cancel()
        for said in await asyncio.gather(claim, return_exceptions=True):
            if isinstance(said, Claim):
                budget.release(said)
    await budget.aclose()
    assert standing(topic).spent("day", DAY).nano_usd == 0


@dataclass(slots=True)
class World:
    """Processes that ask, are killed and come again, and what they truly took."""

    lot: random.Random
    topic: MemorySpendTopic
    most: int
    taken: int = 0
    reserved: int = 0
    worst: int = 0

    async def live(self, log: MemorySpendLog, n_calls: int) -> None:
        budget = SharedBudget(log, day_limit(self.most), read_ledger=no_ledger, linger_s=0.0)
        for _ in range(4):
            await asyncio.gather(*(self.call(budget) for _ in range(n_calls)))
            for _ in range(self.lot.randint(0, 20)):
                await asyncio.sleep(0)
        await budget.aclose()

    async def call(self, budget: SharedBudget) -> None:
        await self.topic.take_time()
        most = self.lot.randint(1, 12)
        purpose: Purpose = self.lot.choice(["stream", "judging"])
        try:
            claim = await budget.claim(Cause("t", purpose, "q"), hour=HOUR, most=cents(most))
        except BudgetExhaustedError:
            return
        self.reserved += most
        self.worst = max(self.worst, self.taken + self.reserved)
        await self.topic.take_time()
        self.reserved -= most
        if self.lot.random() < 0.2:
            budget.release(claim)
            return
        took = self.lot.randint(0, most)
        self.taken += took
        budget.settle(claim, USED, nano_usd=took)

    async def play(self) -> None:
        """Start six processes one after the other; kill some, and cut some others' calls off."""
        living = []
        for _ in range(6):
            log = self.topic.log()
            living.append(asyncio.create_task(self.live(log, self.lot.randint(1, 6))))
            for _ in range(self.lot.randint(0, 40)):
                await asyncio.sleep(0)
            if self.lot.random() < 0.4:
                log.killed = self.lot.random() < 0.5
                living.pop().cancel()
        async with asyncio.timeout(20):
            await asyncio.gather(*living)


@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.7]))
@hypothesis_settings(max_examples=40, deadline=None)
def test_the_budget_holds_whoever_is_killed_and_whatever_comes_late(
    seed: int, sent_twice: float
) -> None:
    lot = random.Random(seed)
    topic = MemorySpendTopic(lot=lot, sent_twice=sent_twice)
    world = World(lot, topic, most=lot.randint(20, 200))
    asyncio.run(world.play())
    assert 0 < world.worst <= world.most
    assert standing(topic).spent("day", DAY).nano_usd >= world.taken
