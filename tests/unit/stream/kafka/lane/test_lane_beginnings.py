"""Where one lane begins to read, and what it makes of records that are gone."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError
from structlog.testing import capture_logs

from schemas.errors import TopicError
from stream.testing.fake_lane import FakeConsumer, Shelf, finish, make_lane, numbers
from stream.testing.lanes import RememberingObserver, until


async def test_it_begins_at_the_committed_offset() -> None:
    shelf = Shelf(FakeConsumer(30, committed=12))
    await finish(make_lane(shelf, RememberingObserver()), shelf, 18)
    assert shelf.values == numbers(12, 30)
    assert [parcel.next_offset for parcel in shelf.parcels] == [22, 30]


async def test_where_records_expired_it_begins_with_those_that_are_left() -> None:
    consumer = FakeConsumer(30, committed=12)
    consumer.beginning = 20
    shelf = Shelf(consumer)
    observer = RememberingObserver()
    with capture_logs() as logs:
        await finish(make_lane(shelf, observer), shelf, 10)
    assert shelf.values == numbers(20, 30)
    assert [entry["records"] for entry in logs if entry["event"] == "records_expired"] == [8]
    assert observer.expirations == [8]


async def test_what_expired_is_told_once_however_often_the_lane_begins_again() -> None:
    consumer = FakeConsumer(30, committed=12)
    consumer.beginning = 20
    shelf, observer = (
        Shelf(consumer, errors=[KafkaConnectionError("gone")] * 3),
        RememberingObserver(),
    )
    await finish(make_lane(shelf, observer), shelf, 10)
    assert observer.expirations == [8]


async def test_records_that_expire_under_a_running_lane_are_noticed() -> None:
    consumer = FakeConsumer(15)
    shelf, observer = Shelf(consumer), RememberingObserver()
    lane = make_lane(shelf, observer)
    task = asyncio.create_task(lane.run())
    await until(lambda: len(shelf.values) == 15)
    consumer.beginning = 40
    consumer.end = 50
    await until(lambda: len(shelf.values) == 25)
    consumer.beginning = consumer.end = 90
    await until(lambda: len(observer.expirations) == 2)
    lane.request_stop()
    await task
    assert shelf.values == numbers(0, 15) + numbers(40, 50)
    assert observer.expirations == [25, 40]


async def test_gaps_of_markers_and_compaction_are_no_loss() -> None:
    consumer = FakeConsumer(50)
    consumer.gaps = {0, 7, 8, 9, 10, 11, 20, 49}
    shelf, observer = Shelf(consumer), RememberingObserver()
    await finish(make_lane(shelf, observer), shelf, 42)
    assert observer.expirations == []


async def test_a_gap_that_is_partly_of_expired_records_counts_these() -> None:
    consumer = FakeConsumer(50, committed=5)
    consumer.gaps = {*range(5, 20)}
    consumer.expires_at_fetch = 12
    shelf, observer = Shelf(consumer), RememberingObserver()
    await finish(make_lane(shelf, observer), shelf, 30)
    assert observer.expirations == [7]


async def test_a_commit_past_the_end_halts() -> None:
    shelf = Shelf(FakeConsumer(30, committed=31))
    with pytest.raises(TopicError, match="made anew"):
        await asyncio.wait_for(make_lane(shelf, RememberingObserver()).run(), 60)


async def test_a_topic_made_anew_under_a_running_lane_halts_it_before_it_reads_any() -> None:
    consumer = FakeConsumer(30)
    shelf, observer = Shelf(consumer), RememberingObserver()
    task = asyncio.create_task(make_lane(shelf, observer).run())
    await until(lambda: len(shelf.values) == 30)
    consumer.end = 5
    with pytest.raises(TopicError, match="ends at offset 5, but the group has committed 30"):
        await asyncio.wait_for(task, 60)
    assert shelf.values == numbers(0, 30)
    assert [str(error) for error in observer.errors] == [
        "KafkaError: partition 0 of text went back from 30 to 0"
    ]


async def test_without_transactions_the_end_is_not_believed_and_reading_anew_is_said() -> None:
    consumer = FakeConsumer(30, committed=31)
    shelf, observer = Shelf(consumer), RememberingObserver()
    with capture_logs() as logs:
        await finish(make_lane(shelf, observer, delivery="at_least_once"), shelf, 30)
    assert shelf.values == numbers(0, 30)
    assert observer.errors == []
    (said,) = [entry for entry in logs if entry["event"] == "read_anew"]
    assert (said["expected_offset"], said["offset"], said["log_level"]) == (31, 0, "error")
