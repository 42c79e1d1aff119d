from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from schemas.errors import TaggingError
from schemas.types import Entity, RoutingPolicy, Tagging
from stream.student import Student
from stream.tag.batcher import Outcome, Serving, Tagger
from stream.testing.bundles import write_bundle

POLICY = RoutingPolicy(threshold=0.5, audit_share=0.0, audit_seed=0)
DEADLINE_S = 30


@dataclass
class FakeStudent:
    """Answers each text with an entity that names the student; can be held at a gate."""

    name: str = "v1"
    bad_texts: frozenset[str] = frozenset()
    bug_texts: frozenset[str] = frozenset()
    gate: threading.Event | None = None
    batches: list[list[str]] = field(default_factory=list)

    def tag(self, texts: Sequence[str], *, micro_batch_records: int = 32) -> list[Tagging]:
        self.batches.append(list(texts))
        if self.gate:
            assert self.gate.wait(DEADLINE_S)
        if self.bad_texts.intersection(texts):
            raise TaggingError("the student failed")
        if self.bug_texts.intersection(texts):
            raise ZeroDivisionError(texts)
        return [Tagging((Entity(0, 1, self.name, text[:1]),), 1.0, 1.0) for text in texts]


def serving_of(student: FakeStudent | Student) -> Serving:
    return Serving(cast("Student", student), POLICY, "digest")


@asynccontextmanager
async def tagger_of(
    student: FakeStudent | Student | None, *, runs: int = 2, micro_batch_records: int = 4
) -> AsyncIterator[Tagger]:
    serving = serving_of(student) if student else None
    tagger = Tagger(serving, runs=runs, micro_batch_records=micro_batch_records)
    try:
        yield tagger
    finally:
        async with asyncio.timeout(DEADLINE_S):
            await tagger.aclose()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - a condition of another thread sets no event
            await asyncio.sleep(0.001)


def names(outcomes: Sequence[Outcome]) -> set[str]:
    return {entity.label for x in outcomes if isinstance(x, Tagging) for entity in x.entities}


def surfaces(outcomes: Sequence[Outcome]) -> list[str]:
    return [x.entities[0].surface for x in outcomes if isinstance(x, Tagging)]


async def test_each_text_gets_its_own_tagging_in_order() -> None:
    async with tagger_of(FakeStudent()) as tagger:
        tagged = await tagger.tag(list("abcdefghijklmnopqrstuvwxyz"))
    assert surfaces(tagged.taggings) == list("abcdefghijklmnopqrstuvwxyz")


async def test_no_texts_give_no_taggings() -> None:
    async with tagger_of(FakeStudent()) as tagger:
        assert (await tagger.tag([])).taggings == []


async def test_many_callers_at_once_each_get_their_own() -> None:
    async with tagger_of(FakeStudent()) as tagger:
        requests = [[chr(97 + (n + m) % 26) for m in range(n % 40)] for n in range(200)]
        answers = await asyncio.gather(*(tagger.tag(texts) for texts in requests))
    assert [surfaces(answer.taggings) for answer in answers] == requests


async def test_what_waits_for_a_thread_is_tagged_together() -> None:
    student = FakeStudent(gate=threading.Event())
    async with tagger_of(student, runs=1) as tagger:
        requests = [asyncio.create_task(tagger.tag([text])) for text in "abcde"]
        await until(lambda: bool(student.batches))
        cast("threading.Event", student.gate).set()
        await asyncio.gather(*requests)
    assert student.batches == [["a"], ["b", "c", "d", "e"]]


async def test_a_lone_request_is_spread_over_all_threads() -> None:
    student = FakeStudent(gate=threading.Event())
    async with tagger_of(student, runs=3) as tagger:
        request = asyncio.create_task(tagger.tag(list("abcdef")))
        await until(lambda: len(student.batches) == 3)
        cast("threading.Event", student.gate).set()
        await request
    assert sorted(student.batches) == [["a", "b"], ["c", "d"], ["e", "f"]]


async def test_long_texts_do_not_share_a_batch_with_many() -> None:
    student = FakeStudent()
    async with tagger_of(student, runs=1) as tagger:
        await tagger.tag(["x" * 20_000] * 3 + ["y"] * 3)
    assert [len(batch) for batch in student.batches] == [1, 1, 1, 3]


async def test_batches_are_bounded() -> None:
    student = FakeStudent()
    async with tagger_of(student, runs=1, micro_batch_records=4) as tagger:
        await tagger.tag(["x"] * 100)
    assert max(map(len, student.batches)) == 16


async def test_the_event_loop_stays_free_while_the_student_works() -> None:
    student = FakeStudent(gate=threading.Event())
    async with tagger_of(student) as tagger:
        request = asyncio.create_task(tagger.tag(["a"]))
        await until(lambda: bool(student.batches))  # the loop runs on
        assert not request.done()
        cast("threading.Event", student.gate).set()
        await request


@pytest.mark.parametrize(
    "student",
    [FakeStudent(bad_texts=frozenset({"secret"})), FakeStudent(bug_texts=frozenset({"secret"}))],
    ids=["error", "bug"],
)
async def test_a_text_that_fails_fails_alone(student: FakeStudent) -> None:
    async with tagger_of(student) as tagger:
        requests = [["a", "secret", "b"], ["c"], ["secret"]]
        answers = await asyncio.gather(*(tagger.tag(texts) for texts in requests))
    kinds = [[type(outcome) for outcome in answer.taggings] for answer in answers]
    assert kinds == [[Tagging, TaggingError, Tagging], [Tagging], [TaggingError]]
    assert "secret" not in str(answers[2].taggings[0])


async def test_an_error_keeps_no_traceback_and_so_no_student() -> None:
    async with tagger_of(FakeStudent(bad_texts=frozenset({"a"}))) as tagger:
        (error,) = (await tagger.tag(["a"])).taggings
    assert isinstance(error, TaggingError)
    assert error.__traceback__ is None
    assert error.__context__ is None


async def test_a_request_made_before_a_swap_keeps_its_student_to_the_end() -> None:
    old = FakeStudent("old", gate=threading.Event())
    async with tagger_of(old, runs=1) as tagger:
        before = asyncio.create_task(tagger.tag(["a"] * 50))
        await until(lambda: bool(old.batches))
        tagger.swap(serving_of(FakeStudent("new")))
        after = asyncio.create_task(tagger.tag(["a"] * 50))
        await asyncio.sleep(0)
        cast("threading.Event", old.gate).set()
        first, second = await before, await after
    assert names(first.taggings) == {"old"}
    assert first.serving.student is cast("Student", old)
    assert names(second.taggings) == {"new"}


async def test_swaps_under_load_never_mix_students_within_a_request() -> None:
    students = [FakeStudent(f"v{number}") for number in range(20)]
    seen: set[str] = set()

    async def lane(tagger: Tagger) -> None:
        while len(seen) < len(students):
            tagged = await tagger.tag(["a"] * 37)
            assert names(tagged.taggings) == {cast("FakeStudent", tagged.serving.student).name}
            seen.update(names(tagged.taggings))

    async with tagger_of(students[0]) as tagger, asyncio.timeout(DEADLINE_S):
        lanes = [asyncio.create_task(lane(tagger)) for _ in range(6)]
        for student in students:
            tagger.swap(serving_of(student))
            await until(lambda name=student.name: name in seen)  # type: ignore[misc]  # bound now
        await asyncio.gather(*lanes)
    assert len(seen) == 20


async def test_an_old_student_is_freed_once_its_requests_are_done() -> None:
    tagger = Tagger(serving_of(FakeStudent("old")), runs=2)
    freed = weakref.ref(cast("Serving", tagger.serving).student)
    gc.disable()  # it must go at once: a cycle would keep its memory until a collection
    try:
        await asyncio.gather(*(tagger.tag(["a", "b"]) for _ in range(20)))
        tagger.swap(serving_of(FakeStudent("new")))
        await tagger.tag(["a", "b"])  # its threads have let go of the old one
        await until(lambda: freed() is None)
    finally:
        gc.enable()
        await tagger.aclose()


async def test_without_a_student_requests_wait_for_the_first() -> None:
    async with tagger_of(None) as tagger:
        request = asyncio.create_task(tagger.tag(["a"]))
        await asyncio.sleep(0)
        assert not request.done()
        assert tagger.serving is None
        tagger.swap(serving_of(FakeStudent()))
        assert surfaces((await request).taggings) == ["a"]


async def test_a_request_given_up_by_its_caller_is_not_tagged() -> None:
    student = FakeStudent(gate=threading.Event())
    async with tagger_of(student, runs=1) as tagger:
        running = asyncio.create_task(tagger.tag(["a"]))
        await until(lambda: bool(student.batches))
        given_up, kept = (asyncio.create_task(tagger.tag([text])) for text in "bc")
        await asyncio.sleep(0)
        given_up.cancel()
        cast("threading.Event", student.gate).set()
        assert surfaces((await kept).taggings) == ["c"]
        await running
    assert student.batches == [["a"], ["c"]]


async def test_closing_finishes_what_was_asked_and_refuses_what_comes() -> None:
    student = FakeStudent(gate=threading.Event())
    tagger = Tagger(serving_of(student), runs=1, micro_batch_records=1)
    requests = [asyncio.create_task(tagger.tag(list("abcdef"))) for _ in range(3)]
    await until(lambda: bool(student.batches))
    closing = asyncio.create_task(tagger.aclose())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="closed"):
        await tagger.tag(["x"])
    cast("threading.Event", student.gate).set()
    async with asyncio.timeout(DEADLINE_S):
        await closing
    assert all(request.done() for request in requests)
    assert [surfaces(request.result().taggings) for request in requests] == [list("abcdef")] * 3


async def test_closing_wakes_those_who_wait_for_a_first_student() -> None:
    tagger = Tagger(None, runs=1)
    request = asyncio.create_task(tagger.tag(["a"]))
    await asyncio.sleep(0)
    await tagger.aclose()
    with pytest.raises(RuntimeError, match="closed"):
        await request


async def test_a_real_student_is_shared_by_lanes_and_fails_on_bad_texts_alone(
    tmp_path: Path,
) -> None:
    write_bundle(tmp_path, labels=["LOC"], words={"oslo": "B-LOC"}, broken_words=["boom"])
    requests = [[f"{'far ' * n}Oslo", "boom", ""] for n in range(40)]
    async with tagger_of(Student.load(tmp_path), runs=0) as tagger:
        answers = await asyncio.gather(*(tagger.tag(texts) for texts in requests))
    for n, answer in enumerate(answers):
        oslo, boom, blank = answer.taggings
        assert isinstance(oslo, Tagging)
        assert [entity.start for entity in oslo.entities] == [4 * n]
        assert isinstance(boom, TaggingError)
        assert blank == Tagging((), 1.0, 1.0, label_confidences=(1.0,))
