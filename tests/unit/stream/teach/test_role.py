from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

from schemas.files.task import LabelSpec, Task
from schemas.masking import masked_place
from schemas.settings import Settings, load_settings
from schemas.wire.codec import Codec
from schemas.wire.topics import TopicNames
from stream.kafka import clients
from stream.kafka.local.embedded import EmbeddedBroker
from stream.kafka.topics import TopicSpec, create_topics
from stream.teach.role import TeachRole
from stream.teacher.batch_rows import Batch
from stream.teacher.factory import make_teacher
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.openai_teacher import OpenAITeacher
from stream.teacher.shared_spend import view_of
from stream.teacher.store_looks import paid_to_teachers, spendings_of
from stream.testing.endpoints import TASK as ASKED
from stream.testing.endpoints import TEXT, faulty
from stream.testing.lanes import until
from stream.testing.spend_topic import MemorySpendTopic
from stream.watch.metrics import Metrics

TASK = Task("test", "en", (LabelSpec("PER"),))


def _role(settings: Settings, task: Task, **how: Any) -> TeachRole:
    """Make a role that nothing may halt."""
    return TeachRole(
        settings,
        task=task,
        codec=Codec(),
        metrics=Metrics(),
        now_ms=lambda: 0,
        halt=lambda reason: pytest.fail(repr(reason)),
        **how,
    )


@pytest.fixture
async def role(tmp_path: Path, embedded_broker: EmbeddedBroker) -> AsyncIterator[TeachRole]:
    settings = load_settings(
        None,
        teacher={"state": str(tmp_path / "t.sqlite")},
        kafka={"bootstrap_servers": embedded_broker.bootstrap_servers},
    )
    promotions = TopicNames.of(settings.kafka).promotions
    await create_topics(settings.kafka, [TopicSpec(promotions, 1, 1)])
    made = _role(settings, TASK)
    yield made
    await made.stop()


async def test_before_the_start_it_is_not_ready_but_lives(role: TeachRole) -> None:
    health = role.health()
    assert (health.ready, health.live) == (False, True)
    assert health.facts["teach_broker_reachable"] is False


async def test_once_started_it_reaches_the_brokers_and_waits_for_partitions(
    role: TeachRole,
) -> None:
    await role.start()
    await until(lambda: role.health().facts["teach_broker_reachable"] is True)
    assert not role.health().ready
    assert role.health().facts["teach_partitions"] == []


async def test_with_nothing_in_hand_the_drain_is_over_at_once(role: TeachRole) -> None:
    await role.drain()


async def test_the_consumer_is_a_client_that_can_be_stopped(role: TeachRole) -> None:
    await clients.stop(role.make_consumer())


async def test_canaries_spend_by_the_clusters_budget_and_the_role_closes_its_books_once(
    tmp_path: Path,
) -> None:
    topic = MemorySpendTopic()
    made: list[OpenAITeacher] = []

    def make(*args: Any, **options: Any) -> tuple[OpenAITeacher, TeacherStore]:
        here = {"spend_log": topic.log()} if "spend_log" in options else {}
        teacher, store = make_teacher(*args, **options | here)
        made.append(teacher)
        return teacher, store

    state = tmp_path / "t.sqlite"
    async with faulty() as url:
        settings = load_settings(
            None,
            kafka={"bootstrap_servers": "127.0.0.1:1"},
            teacher={
                "base_url": url,
                "state": str(state),
                "budget_holds_for": "cluster",
                "canaries_per_hour": 10.0,
                "redaction": {"enabled": True},
            },
        )
        role = _role(settings, ASKED, teacher_of=make)
        assert role.canaries is not None
        assert role.canaries.redaction == settings.teacher.redaction.digest != ""
        stream, canary = made
        assert role.canaries.teacher is canary
        await canary.label_anew(TEXT)
        await stream.label(TEXT)
        await role.stop()  # the teacher of the stream tells all, by the store that both used
    assert {row.purpose for row in spendings_of(state)} == {"stream", "canary"}
    calls = {row.purpose: row.calls for row in view_of(topic.records).rows if row.calls}
    assert calls == {"stream": 1, "canary": 1}


async def test_of_several_teachers_it_is_ready_for_what_one_of_them_takes(tmp_path: Path) -> None:
    state = tmp_path / "t.sqlite"
    async with faulty() as url:
        settings = load_settings(
            None,
            kafka={"bootstrap_servers": "127.0.0.1:1"},
            teacher={"state": str(state), "canaries_per_hour": 10.0},
            teachers=[
                {"name": "best", "base_url": url, "model": "big", "read_timeout_s": 7.0},
                {"name": "cheap", "base_url": url, "model": "small"},
            ],
        )
        role = _role(settings, ASKED)
        facts = role.health().facts
        assert (facts["teach_refused"], facts["teach_outage"]) == (None, None)
        assert role.canaries is not None
        await role.canaries.teacher.label_anew(TEXT)
        await role.stop()
    assert {(row.teacher, row.calls) for row in paid_to_teachers(state)} == {("best", 1)}


async def test_batches_that_were_sent_are_read_before_it_asks_live_again(tmp_path: Path) -> None:
    settings = load_settings(
        None, kafka={"bootstrap_servers": "127.0.0.1:1"}, teacher={"state": tmp_path / "t.sqlite"}
    )
    with closing(TeacherStore(settings.teacher.state)) as store:
        store.note_batch(Batch("a", ASKED.name, "stream", masked_place(settings.teacher.base_url)))
        role = _role(settings, ASKED)
        asked: list[str] = []

        async def slow(_records: object, answering: object) -> None:
            assert answering
            asked.append("slowly")
            store.close_batch("a")

        async def live(_record: object) -> None:
            asked.append("live")

        assert role._slow is not None  # noqa: SLF001 - without a consumer there is no other way in
        role._slow = cast("Any", slow)  # noqa: SLF001 - as above
        answer_all = role._answer_all(cast("Any", live))  # noqa: SLF001 - as above
        for _ in range(2):
            await answer_all([cast("Any", "a request")])
        await role.stop()
    assert asked == ["slowly", "live"]
