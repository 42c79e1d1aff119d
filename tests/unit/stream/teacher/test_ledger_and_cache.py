from __future__ import annotations

import asyncio
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from schemas.errors import BudgetExhaustedError, ConfigError, TeacherStateError
from schemas.settings import TeacherSettings
from stream.teacher.answer_rows import CachedAnswer
from stream.teacher.ledger_and_cache import TeacherStore, Totals
from stream.teacher.openai_teacher import OpenAITeacher
from stream.teacher.prompt import render_answer
from stream.teacher.spending import Cause
from stream.testing.endpoints import (
    ENTITIES,
    TASK,
    TEXT,
    MakeTeacher,
    answering,
    completion,
    faulty,
    requests_of,
)
from stream.testing.fake_time import FakeTime
from stream.testing.full_disk import full_disk

DAY = "2026-01-31"
CAUSE = Cause("people", "stream", "question")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TeacherStore]:
    opened = TeacherStore(tmp_path / "deep" / "er" / "teacher.sqlite")
    yield opened
    opened.close()


def test_an_answer_is_remembered_under_its_key(store: TeacherStore) -> None:
    answer = CachedAnswer("gpt", ((0, 3, "PER"), (4, 8, "LOC")))
    store.remember("key", answer)
    assert store.cached("key") == answer
    assert store.cached("other") is None


def test_the_line_of_the_docs_takes_answers_out_and_leaves_what_was_spent(tmp_path: Path) -> None:
    docs = Path(__file__).parents[4] / "docs" / "operating.md"
    (line,) = re.findall(r"^python -c .*FROM answers.*$", docs.read_text("utf-8"), re.MULTILINE)
    with closing(TeacherStore(tmp_path / "state" / "teacher.sqlite")) as store:
        store.remember("key", CachedAnswer("gpt", ()))
        store.reserve(0.5, cause=CAUSE, day=DAY, budget_usd=1)
        python = line.replace("python", shlex.quote(sys.executable), 1)
        subprocess.run(["sh", "-c", python], cwd=tmp_path, check=True, timeout=60)
        assert store.cached("key") is None
        assert store.spent_usd(DAY) == 0.5


def test_an_empty_answer_is_an_answer(store: TeacherStore) -> None:
    store.remember("key", CachedAnswer("gpt", ()))
    assert store.cached("key") == CachedAnswer("gpt", ())


def test_a_later_answer_replaces_the_earlier(store: TeacherStore) -> None:
    store.remember("key", CachedAnswer("old", ()))
    store.remember("key", CachedAnswer("new", ((0, 1, "A"),)))
    assert store.cached("key") == CachedAnswer("new", ((0, 1, "A"),))


@pytest.mark.parametrize(
    "spans", ["", "{", "7", "null", "[1]", "[[0, 3]]", '[[0, 3, "A", 1]]', "[" * 9999]
)
def test_a_row_that_makes_no_sense_is_as_if_it_were_not_there(tmp_path: Path, spans: str) -> None:
    with closing(TeacherStore(tmp_path / "teacher.sqlite")) as store:
        with closing(sqlite3.connect(tmp_path / "teacher.sqlite")) as database, database:
            database.execute("INSERT INTO answers VALUES ('key', 'gpt', ?)", (spans,))
        assert store.cached("key") is None


def test_a_reservation_counts_until_it_is_settled(store: TeacherStore) -> None:
    call = store.reserve(0.6, cause=CAUSE, day=DAY, budget_usd=1.0)
    with pytest.raises(BudgetExhaustedError):
        store.reserve(0.6, cause=CAUSE, day=DAY, budget_usd=1.0)
    store.settle(call, tokens_in=10, tokens_out=2, usd=0.1)
    store.reserve(0.6, cause=CAUSE, day=DAY, budget_usd=1.0)
    assert store.spent_usd(DAY) == pytest.approx(0.7)
    assert store.totals().tokens_in == 10


def test_a_released_reservation_never_was(store: TeacherStore) -> None:
    store.release(store.reserve(1.0, cause=CAUSE, day=DAY, budget_usd=1.0))
    assert store.spent_usd(DAY) == 0.0
    assert store.totals() == Totals(0, 0, 0, 0.0)


def test_a_refused_reservation_leaves_no_trace(store: TeacherStore) -> None:
    with pytest.raises(BudgetExhaustedError, match=DAY):
        store.reserve(1.1, cause=CAUSE, day=DAY, budget_usd=1.0)
    assert store.totals().calls == 0


def test_the_budget_can_be_spent_to_the_last_cent(store: TeacherStore) -> None:
    for _ in range(10):
        store.reserve(0.1, cause=CAUSE, day=DAY, budget_usd=1.0)
    with pytest.raises(BudgetExhaustedError):
        store.reserve(0.001, cause=CAUSE, day=DAY, budget_usd=1.0)


def test_free_calls_need_no_budget(store: TeacherStore) -> None:
    store.reserve(0.0, cause=CAUSE, day=DAY, budget_usd=0.0)


def test_each_day_has_its_budget(store: TeacherStore) -> None:
    store.reserve(1.0, cause=CAUSE, day=DAY, budget_usd=1.0)
    store.reserve(1.0, cause=CAUSE, day="2026-02-01", budget_usd=1.0)


def test_a_call_that_the_ledger_does_not_know_cannot_be_settled(store: TeacherStore) -> None:
    with pytest.raises(LookupError):
        store.settle(77, tokens_in=1, tokens_out=1, usd=1.0)
    assert store.totals().calls == 0


def test_all_is_there_after_reopening(tmp_path: Path) -> None:
    path = tmp_path / "teacher.sqlite"
    first = TeacherStore(path)
    first.settle(
        first.reserve(1.0, cause=CAUSE, day=DAY, budget_usd=2.0),
        tokens_in=5,
        tokens_out=1,
        usd=0.25,
    )
    first.remember("key", CachedAnswer("gpt", ()))
    first.close()
    second = TeacherStore(path)
    assert second.totals() == Totals(1, 5, 1, 0.25)
    assert second.cached("key") is not None
    second.close()


def test_several_writers_never_overspend_together(tmp_path: Path) -> None:
    path = tmp_path / "teacher.sqlite"
    stores = [TeacherStore(path) for _ in range(4)]

    def reserve(number: int) -> bool:
        try:
            stores[number % 4].reserve(0.1, cause=CAUSE, day=DAY, budget_usd=1.0)
        except BudgetExhaustedError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(reserve, range(40))) == 10
    for store in stores:
        store.close()


_DIES = """
import os, signal, sys
from pathlib import Path
from stream.teacher.answer_rows import CachedAnswer
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.spending import Cause
store, cause = TeacherStore(Path(sys.argv[1])), Cause("people", "stream", "question")
call = store.reserve(1.0, cause=cause, day="d", budget_usd=9.0)
store.settle(call, tokens_in=5, tokens_out=1, usd=0.25)
store.remember("key", CachedAnswer("gpt", ((0, 1, "A"),)))
store.reserve(2.0, cause=cause, day="d", budget_usd=9.0)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_booked_survives_kill_9_and_an_open_reservation_stands(tmp_path: Path) -> None:
    path = tmp_path / "teacher.sqlite"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])}
    died = subprocess.run([sys.executable, "-c", _DIES, str(path)], env=environment, check=False)
    assert died.returncode == -signal.SIGKILL
    store = TeacherStore(path)
    assert store.totals() == Totals(2, 5, 1, 2.25)
    assert store.spent_usd("d") == 2.25
    assert store.cached("key") == CachedAnswer("gpt", ((0, 1, "A"),))
    store.close()


def test_a_file_that_is_no_database_is_a_user_error(tmp_path: Path) -> None:
    path = tmp_path / "teacher.sqlite"
    path.write_bytes(b"not a database, but long enough to look like one" * 100)
    with pytest.raises(ConfigError, match=r"teacher\.sqlite"):
        TeacherStore(path)


def test_a_folder_that_cannot_be_made_is_a_user_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError):
        TeacherStore(tmp_path / "file" / "teacher.sqlite")


def test_a_call_is_settled_once(store: TeacherStore) -> None:
    call = store.reserve(1.0, cause=CAUSE, day=DAY, budget_usd=1.0)
    store.settle(call, tokens_in=1, tokens_out=1, usd=0.5)
    with pytest.raises(LookupError):
        store.settle(call, tokens_in=1, tokens_out=1, usd=0.5)
    assert store.totals() == Totals(1, 1, 1, 0.5)


@contextmanager
def held(path: Path, how: str = "BEGIN IMMEDIATE") -> Iterator[sqlite3.Connection]:
    """Hold a lock on the file, as another program would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as foreign:
        foreign.execute(how)
        yield foreign
        foreign.execute("ROLLBACK")


def test_a_foreign_lock_passes_and_keeps_nobody_from_looking(tmp_path: Path) -> None:
    path = tmp_path / "teacher.sqlite"
    store = TeacherStore(path, busy_timeout_s=0.01)
    with held(path):
        with pytest.raises(TeacherStateError, match=r"teacher\.sqlite.*locked"):
            store.reserve(1.0, cause=CAUSE, day=DAY, budget_usd=1.0)
        assert store.cached("key") is None
        assert store.totals().calls == 0
    store.reserve(1.0, cause=CAUSE, day=DAY, budget_usd=1.0)
    store.close()


def test_what_a_full_disk_did_not_take_was_not_reserved(tmp_path: Path) -> None:
    store = TeacherStore(tmp_path / "teacher.sqlite")
    first = store.reserve(1.0, cause=CAUSE, day=DAY, budget_usd=10)

    def fill() -> None:
        for _ in range(5000):
            store.reserve(0.001, cause=CAUSE, day=DAY, budget_usd=10)

    with full_disk(most_bytes=400_000), pytest.raises(TeacherStateError, match="cannot be used"):
        fill()
    reserved = store.spent_usd(DAY)
    store.settle(first, tokens_in=1, tokens_out=1, usd=0.5)
    assert store.spent_usd(DAY) == pytest.approx(reserved - 0.5)
    store.close()
    database = sqlite3.connect(tmp_path / "teacher.sqlite")
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    (rest,) = database.execute("SELECT sum(usd) FROM reservations").fetchone()
    database.close()
    assert 0 < rest == pytest.approx(reserved - 1.0)


def test_a_full_disk_passes(tmp_path: Path) -> None:
    path = tmp_path / "teacher.sqlite"
    store = TeacherStore(path)
    store.reserve(0.1, cause=CAUSE, day=DAY, budget_usd=1.0)
    with closing(sqlite3.connect(path)) as foreign, foreign:
        # SQLite says "database or disk is full" of a table that has used up its ids, too.
        foreign.execute("UPDATE sqlite_sequence SET seq = 9223372036854775807")
    with pytest.raises(TeacherStateError, match="full"):
        store.reserve(0.1, cause=CAUSE, day=DAY, budget_usd=1.0)
    assert store.spent_usd(DAY) == 0.1
    store.close()


def test_a_file_that_is_damaged_under_way_needs_a_person(tmp_path: Path) -> None:
    path = tmp_path / "teacher.sqlite"
    store = TeacherStore(path)
    with closing(sqlite3.connect(path)) as foreign, foreign:
        foreign.execute("DROP TABLE reservations")
    with pytest.raises(ConfigError, match="cannot be used"):
        store.reserve(0.1, cause=CAUSE, day=DAY, budget_usd=1.0)
    store.close()


# What the teacher makes of it.


async def test_the_event_loop_goes_on_while_a_foreign_lock_is_waited_for(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    async with faulty() as url:
        teacher = make_teacher(url)
        with held(tmp_path / "teacher.sqlite"):
            labelling = asyncio.create_task(teacher.label(TEXT))
            for _ in range(100):
                await asyncio.sleep(0)
            assert not labelling.done()
        assert (await labelling).entities == ENTITIES


async def test_a_lock_that_stays_is_waited_out_and_burns_no_request(
    tmp_path: Path, fake_time: FakeTime
) -> None:
    path = tmp_path / "teacher.sqlite"
    with ExitStack() as stack:
        store = TeacherStore(path, busy_timeout_s=0.01)
        stack.enter_context(held(path))

        async def sleep(seconds: float) -> None:
            await fake_time.sleep(seconds)
            if len(fake_time.slept_s) == 30:
                assert "locked" in str(teacher.refusal)
                stack.close()

        async with faulty() as url:
            settings = TeacherSettings(base_url=url, max_attempts=1)
            clock = replace(fake_time.clock, sleep=sleep)
            teacher = OpenAITeacher(TASK, settings, store=store, purpose="stream", clock=clock)
            answer = await teacher.label(TEXT, expires_at_ms=2**50)
            assert answer.entities == ENTITIES
            assert teacher.refusal is None
            assert (await requests_of(url))["requests"] == 1
            await teacher.aclose()


async def test_an_answer_that_was_paid_for_counts_though_it_cannot_be_written(
    tmp_path: Path,
) -> None:
    path = tmp_path / "teacher.sqlite"
    store = TeacherStore(path, busy_timeout_s=0.01)
    with ExitStack() as stack:

        async def respond(_: web.Request) -> web.Response:
            stack.enter_context(held(path))
            return completion(render_answer(TEXT, ENTITIES))

        async with answering(respond) as url:
            teacher = OpenAITeacher(
                TASK, TeacherSettings(base_url=url), store=store, purpose="stream"
            )
            assert (await teacher.label(TEXT)).entities == ENTITIES
            assert store.totals().calls == 1
            await teacher.aclose()


def test_what_was_proposed_is_remembered_as_it_was_said(store: TeacherStore) -> None:
    store.remember_proposed("key", '{"edits": []}')

    assert store.proposed("key") == '{"edits": []}'
    assert store.proposed("other") is None
    assert store.cached("key") is None
