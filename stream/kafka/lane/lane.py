"""One lane: fetch, process, deliver, for one input partition, until told to stop.

While one batch is being delivered the next is fetched and processed, so a
transaction's round trips cost latency but no throughput. At most two batches are in
hand, and `getmany` is asked for this partition only when a batch is wanted: aiokafka
then holds one fetch per partition and asks the broker for no more. That is the back
pressure; `pause()` would throw the prefetched records away and fetch them again.

After any error nothing is assumed: a new producer, a new processor (its budget starts
empty), and the consumer is put back to the offset that is committed *after* the new
producer has fenced the old one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from tenacity import RetryCallState, retry_if_exception

from schemas.errors import (
    BatchRefusedError,
    ConfigError,
    FencedError,
    RecordsRefusedError,
    RetryError,
    TopicError,
)
from schemas.retry import Backoff, Streak, failure, patiently
from schemas.settings import KafkaSettings
from stream.kafka.aiokafka_errors import FORBIDDEN
from stream.kafka.dead_letters import DeadLetters, log_buried
from stream.kafka.lane.batch import Batch, Refusals, assemble, portions
from stream.kafka.lane.delivery import Delivery, Parcel
from stream.kafka.lane.failures import FailureWindow
from stream.kafka.lane.observer import BatchReport, LaneObserver
from stream.kafka.lane.status import PartitionStatus
from stream.kafka.lenient import failing_unreadable, get_leniently
from stream.kafka.messages import Processor
from stream.kafka.standstill import Standstill

log = structlog.get_logger(__name__)

_FETCH_TIMEOUT_MS = 500
BACKOFF = Backoff(0.25, 10.0)
"""Between two sessions; a batch that is delivered, or refused, ends the series."""
_GRACE_S = 5.0

_REFUSED = (BatchRefusedError, RecordsRefusedError)
_MADE_ANEW = (
    "partition {0.partition} of {0.topic} ends at offset {end}, but the group has committed "
    "{committed}: the topic was made anew or has lost records. Stop every worker, set the group "
    "to where it shall go on (kafka-consumer-groups.sh --topic {0.topic} --reset-offsets "
    "--to-earliest --execute), start again"
)

T = TypeVar("T")


class Lane:
    """Runs until `stop`, or raises what a person must see to (`HaltError`, or a bug).

    `make_room` is awaited before each beginning: the outputs need this partition too.
    """

    def __init__(
        self,
        source: TopicPartition,
        *,
        settings: KafkaSettings,
        consumer: AIOKafkaConsumer,
        make_delivery: Callable[[], Delivery],
        make_processor: Callable[[TopicPartition], Processor],
        letters: DeadLetters,
        observer: LaneObserver,
        make_room: Callable[[], Awaitable[None]] | None = None,
        backoff: Backoff = BACKOFF,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.source = source
        self._settings = settings
        self._consumer = consumer
        self._make_delivery = make_delivery
        self._make_processor = make_processor
        self._letters = letters
        self._observer = observer
        self._make_room = make_room
        self._stopping = asyncio.Event()
        self._fenced = False
        self._refusals = Refusals()
        self._window = FailureWindow(
            size=settings.failure_window_records,
            max_share=settings.max_failure_share,
            where=f"{source.topic}-{source.partition}",
        )
        self._streak = Streak(backoff)
        self._done_before: int | None = None
        self._next = 0
        self._expired_before = 0
        self._end = 0
        self._standstill = Standstill(clock=clock)

    def request_stop(self) -> None:
        """Finish what is in hand, fetch no more."""
        self._stopping.set()

    def saw_end(self, offset: int) -> None:
        """Take note of the partition's last stable offset."""
        self._end = max(self._end, offset)
        if self._lag() == 0:
            self._standstill.moved()

    def saw_outage(self) -> None:
        """Take note that the brokers are away: nothing can be done, which is no standstill."""
        self._standstill.moved()

    def status(self) -> PartitionStatus:
        """Tell what readiness and liveness need to know."""
        lag = self._lag()
        return PartitionStatus(self.source.partition, lag, self._standstill.seconds(lag=lag))

    async def run(self) -> None:
        """Work until `request_stop`; begin again after whatever may pass by itself."""
        await patiently(
            self._work,
            retry=retry_if_exception(self._may_pass),
            wait=self._wait,
            before_sleep=self._note,
            sleep=lambda seconds: self._unless_stopping(asyncio.sleep(seconds)),
        )

    async def _work(self) -> None:
        try:
            while not self._stopping.is_set():
                await self._session()
        except FORBIDDEN as error:
            raise ConfigError(f"the broker forbids it: {error}") from error

    def _may_pass(self, error: BaseException) -> bool:
        if isinstance(error, FencedError):
            return not self._fenced
        return isinstance(error, (*_REFUSED, KafkaError, OSError, RetryError, TimeoutError))

    def _wait(self, state: RetryCallState) -> float:
        if isinstance(failure(state), _REFUSED):
            self._streak.reset()  # the broker did answer, and the next attempt gets further
            return 0.0
        return self._streak(state)

    def _note(self, state: RetryCallState) -> None:
        error = failure(state)
        if not isinstance(error, _REFUSED):
            log.warning("lane_retries", partition=self.source.partition, error=repr(error))
        self._fenced = self._fenced or isinstance(error, FencedError)
        self._observer.retried(self.source.partition, error)

    async def _session(self) -> None:
        delivery = self._make_delivery()
        try:
            if await self._unless_stopping(self._begin(delivery)):
                await self._pump(delivery, failing_unreadable(self._make_processor(self.source)))
        finally:
            await delivery.close()

    async def _begin(self, delivery: Delivery) -> bool:
        if self._make_room is not None:
            await self._make_room()
        await delivery.open()
        # Only now: what the old producer had under way is settled once it is fenced.
        committed = await self._consumer.committed(self.source)
        if committed is None:
            await self._consumer.seek_to_beginning(self.source)
        else:
            self._consumer.seek(self.source, await self._in_range(committed))
        self._done_before = self._next = await self._consumer.position(self.source)
        if self._fenced:
            await self._confirm_ownership(self._done_before)
        return True

    async def _in_range(self, committed: int) -> int:
        """Give the offset to begin at; aiokafka would go back to the earliest without a word.

        Raises `TopicError` when the topic ends before what is committed.
        """
        beginning = await self._beginning()
        if committed < beginning:
            self._note_expired(committed, beginning)
            return beginning
        # Tansu's ListOffsets tells too little; it has no transactions.
        if self._settings.delivery == "exactly_once":
            end = (await self._consumer.end_offsets([self.source]))[self.source]
            if committed > end:
                raise TopicError(_MADE_ANEW.format(self.source, committed=committed, end=end))
        return committed

    async def _beginning(self) -> int:
        beginnings: Mapping[TopicPartition, int]
        beginnings = await self._consumer.beginning_offsets([self.source])
        return beginnings[self.source]

    def _note_expired(self, first: int, beginning: int) -> None:
        """Say once that the records from `first` on were gone before they were read."""
        records = beginning - max(first, self._expired_before)
        if records <= 0:
            return
        self._expired_before = beginning
        where = {"topic": self.source.topic, "partition": self.source.partition}
        log.error("records_expired", **where, records=records, first_offset=first)
        self._observer.expired(self.source.partition, records)

    async def _confirm_ownership(self, committed: int) -> None:
        """Ask the group whether a lane that was fenced is a zombie; raises `FencedError` if so.

        The broker fences us too when our transaction timed out, during a long outage
        say. A commit through the group carries our generation, so it succeeds only for
        the partition's present owner. Repeating the committed offset changes nothing
        now; before the new producer was open it could have undone a commit under way.
        """
        try:
            await self._consumer.commit({self.source: committed})
        except (CommitFailedError, IllegalStateError) as error:
            raise FencedError(
                f"partition {self.source.partition} of {self.source.topic} belongs to another "
                "process by now: this one was away for longer than kafka.session_timeout_ms"
            ) from error
        self._fenced = False

    async def _pump(self, delivery: Delivery, processor: Processor) -> None:
        delivering: asyncio.Task[None] | None = None
        try:
            while not self._stopping.is_set():
                records = await self._unless_stopping(self._fetch()) or ()
                for portion in portions(records, max_bytes=self._settings.max_batch_bytes):
                    batch = await self._process(processor, portion)
                    await _finished(delivering)
                    delivering = asyncio.create_task(self._deliver(delivery, batch))
                    if self._stopping.is_set():
                        break
                if not records:
                    await _finished(delivering)
                    await self._unless_stopping(self._rest())
            await _finished(delivering)
        except asyncio.CancelledError:
            await _ended(delivering, grace_s=0)
            raise
        except Exception:
            # The batch before is not at fault: let it finish rather than repeat it.
            await _ended(delivering, grace_s=_GRACE_S)
            raise

    async def _fetch(self) -> Sequence[ConsumerRecord]:
        records = await self._get()
        if self.source in self._consumer.assignment():
            # Tansu's ListOffsets tells too little; what a fetch tells is right everywhere.
            self._end = max(self._end, self._consumer.last_stable_offset(self.source) or 0)
            await self._look_for_gap(records)
        return records

    async def _look_for_gap(self, records: Sequence[ConsumerRecord]) -> None:
        """Take note of records that expired under us: aiokafka goes on with the earliest left.

        So it does where the partition ends before our position. Transaction markers and
        compaction leave gaps too, but behind where the partition begins.
        """
        expected = self._next
        came_to = records[0].offset if records else await self._consumer.position(self.source)
        self._next = records[-1].offset + 1 if records else came_to
        if came_to > expected:
            self._note_expired(expected, min(came_to, await self._beginning()))
        elif came_to < expected:
            self._note_return(expected, came_to)

    def _note_return(self, expected: int, came_to: int) -> None:
        """Begin the session anew, which judges the partition's end, or at least say it.

        Without transactions that end is not believed (`_in_range`), so a session begun anew
        would come back to the same place for ever; to read once more breaks no promise there.
        """
        if self._settings.delivery == "exactly_once":
            where = f"partition {self.source.partition} of {self.source.topic}"
            raise KafkaError(f"{where} went back from {expected} to {came_to}")
        offsets = {"expected_offset": expected, "offset": came_to}
        log.error("read_anew", topic=self.source.topic, partition=self.source.partition, **offsets)

    async def _get(self) -> Sequence[ConsumerRecord]:
        return await get_leniently(
            self._consumer,
            self.source,
            timeout_ms=_FETCH_TIMEOUT_MS,
            max_records=self._settings.max_batch_records,
        )

    async def _rest(self) -> None:
        # With nothing in hand the position is past markers and aborted records too.
        self._done_before = await self._consumer.position(self.source)

    async def _process(self, processor: Processor, records: Sequence[ConsumerRecord]) -> Batch:
        fetched_s = time.monotonic()
        results = await processor(records)
        return assemble(
            records,
            results,
            letters=self._letters,
            refusals=self._refusals,
            fetched_s=fetched_s,
        )

    async def _deliver(self, delivery: Delivery, batch: Batch) -> None:
        singly = self._refusals.singly(batch)
        try:
            await delivery.deliver(Parcel(batch.outgoing, batch.next_offset, singly=singly))
        except BatchRefusedError:
            self._refusals.batch(batch)
            raise
        except RecordsRefusedError as error:
            self._refusals.records(error.offsets)
            raise
        self._settle(batch)

    def _settle(self, batch: Batch) -> None:
        self._refusals.settled(batch)
        self._done_before = batch.next_offset
        self._standstill.moved()
        self._streak.reset()
        for offset, error in batch.errors:
            log_buried(self.source.topic, self.source.partition, offset, error)
        report = BatchReport(
            partition=self.source.partition,
            records=batch.n_records,
            outgoing=len(batch.outgoing),
            errors=tuple(error for _, error in batch.errors),
            seconds=time.monotonic() - batch.fetched_s,
            lag=self._lag(),
            deletes=batch.n_deletes,
        )
        self._observer.delivered(report)
        # Last of all, and only what is committed: a lane that halts here goes on behind this
        # batch when it is started again, and what was tried twice counts once.
        for record in batch.judged:
            self._window.add(record)

    async def _unless_stopping(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Give the result of `work`, or None when told to stop before it is there."""
        task = asyncio.create_task(work)
        stop = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait((task, stop), return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            stop.cancel()
            await _cancelled(task)

    def _lag(self) -> int:
        return 0 if self._done_before is None else max(0, self._end - self._done_before)


async def _finished(delivering: asyncio.Task[None] | None) -> None:
    if delivering is not None:
        await delivering


async def _ended(delivering: asyncio.Task[None] | None, *, grace_s: float) -> None:
    if delivering is not None:
        await asyncio.wait((delivering,), timeout=grace_s)
        await _cancelled(delivering)


async def _cancelled(task: asyncio.Task[Any]) -> None:
    """End a task, and take note of its error so that asyncio does not report it as unseen."""
    task.cancel()
    await asyncio.wait((task,))
    if not task.cancelled():
        task.exception()
