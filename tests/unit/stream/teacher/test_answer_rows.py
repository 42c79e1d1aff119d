"""Whose answers are remembered, and what becomes of a copy of a topic's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.question_keys import question_key
from stream.teacher.answer_rows import CachedAnswer
from stream.teacher.ledger_and_cache import TeacherStore
from stream.testing.endpoints import TEXT, MakeTeacher, faulty

ANSWER = CachedAnswer("m", ((0, 3, "PER"),))
A_DAY_S = 86_400.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TeacherStore]:
    found = TeacherStore(tmp_path / "teacher.sqlite")
    yield found
    found.close()


async def test_another_address_of_the_same_model_is_asked_anew(make_teacher: MakeTeacher) -> None:
    async with faulty() as url, faulty() as other:
        await make_teacher(url).label(TEXT)
        assert not (await make_teacher(other).label(TEXT)).cached
        assert (await make_teacher(url).label(TEXT)).cached


async def test_what_older_versions_remembered_is_believed_for_the_first_endpoint_alone(
    make_teacher: MakeTeacher, store: TeacherStore
) -> None:
    async with faulty() as url, faulty() as other:
        teacher = make_teacher(url)
        old_key = question_key(TEXT, prompt_version=teacher.prompt_version, model="gpt-4.1-mini")
        store.remember(old_key, CachedAnswer("of old", ()))
        assert (await teacher.label(TEXT)).model == "of old"
        await teacher.label("Nobody here")
        assert not (await make_teacher(other).label(TEXT)).cached
        assert (await teacher.label(TEXT)).model == "of old"
    assert store.endpoints() == [url, other]


def take(store: TeacherStore, *rows: tuple[str, CachedAnswer | None], now_s: float = 0.0) -> None:
    store.take_shared("answers", rows, read_up_to={0: 7}, now_s=now_s)


def read_up_to(store: TeacherStore, topic: str = "answers", now_s: float = 0.0) -> dict[int, int]:
    return store.shared_read_up_to(topic, now_s=now_s, at_most_s=29 * A_DAY_S)


def test_a_copy_goes_on_where_it_ended_and_what_is_forgotten_leaves_it(
    store: TeacherStore, tmp_path: Path
) -> None:
    secret = CachedAnswer("a-name-to-forget", ())
    store.remember("own", secret)
    take(store, ("own", None), ("kept", ANSWER), ("gone", secret), ("gone", None))
    assert [store.cached(key) for key in ("own", "kept", "gone")] == [None, ANSWER, None]
    assert read_up_to(store) == {0: 7}
    told = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"a-name-to-forget" not in told


@pytest.mark.parametrize(("topic", "now_s"), [("another", 0.0), ("answers", 30 * A_DAY_S)])
def test_a_copy_that_may_have_missed_what_was_forgotten_is_made_anew(
    store: TeacherStore, topic: str, now_s: float
) -> None:
    store.remember("own", ANSWER)
    take(store, ("shared", ANSWER))
    assert read_up_to(store, topic, now_s) == {}
    assert (store.cached("shared"), store.cached("own")) == (None, ANSWER)


def test_shared_answers_are_forgotten_with_our_own(store: TeacherStore) -> None:
    take(store, ("key", ANSWER), ("other", ANSWER))
    assert store.forget({"key", "none"}, (), dry_run=True) == (1, 0)
    assert store.cached("key") == ANSWER
    assert store.forget({"key", "none"}, (), dry_run=False) == (1, 0)
    assert (store.cached("key"), store.cached("other")) == (None, ANSWER)
