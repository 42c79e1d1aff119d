"""The shared batcher: all lanes ask one Tagger, which keeps the cores busy.

Whatever waits when a thread becomes free is cut into shards, one for each free thread; so
a lone record starts at once, and under load shards are as full as they may be. No
timer is involved. The student sorts each shard by length into micro-batches.

A request is answered by one student throughout: the one that serves when it is made. A swap
changes one reference, and the old student is freed with its last request.
"""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from schemas.errors import TaggingError
from schemas.types import RoutingPolicy, Tagging
from stream.student import Student
from stream.tag.cores import usable_cores

Outcome = Tagging | TaggingError

_MICRO_BATCHES_PER_SHARD = 4
"""Enough texts for micro-batches of equal length, few enough for short waits."""
_CHARS_PER_TEXT = 500
"""Long texts count by their length: a shard is full at this many times its texts."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What decides: a student and the routing policy promoted with it."""

    student: Student
    policy: RoutingPolicy
    policy_digest: str


@dataclass(frozen=True, slots=True)
class Tagged:
    """One outcome for each text, in order, all by one `serving`."""

    taggings: list[Outcome]
    serving: Serving


class Tagger:
    """Tags the texts of many callers on `runs` threads of its own, off the event loop.

    `runs` 0 takes the cores that this process may use. All methods belong to one event
    loop. Without a `serving`, requests wait for the first `swap`. With `doubts` the taggings say
    what they are unsure of.
    """

    def __init__(
        self,
        serving: Serving | None,
        *,
        runs: int = 0,
        micro_batch_records: int = 32,
        doubts: bool = False,
    ) -> None:
        self._serving = serving
        self._micro_batch_records = micro_batch_records
        self._doubts = doubts
        self._free_runs = runs or usable_cores()
        self._threads = ThreadPoolExecutor(self._free_runs, thread_name_prefix="tagger")
        self._waiting: deque[_Request] = deque()
        self._unfinished: set[asyncio.Future[None]] = set()
        self._changed = asyncio.Event()
        self._closed = False

    @property
    def serving(self) -> Serving | None:
        """What new requests are answered by."""
        return self._serving

    def swap(self, serving: Serving) -> None:
        """Answer new requests by `serving`, loaded and warm; those made keep the old one."""
        self._serving = serving
        self._changed.set()

    async def tag(self, texts: Sequence[str]) -> Tagged:
        """Tag the texts; one that fails gives a `TaggingError` in its place.

        Raises `RuntimeError` once the tagger is closed.
        """
        serving = await self._serving_now()
        if not texts:
            return Tagged([], serving)
        request = _Request(texts, serving, asyncio.get_running_loop().create_future())
        self._unfinished.add(request.done)
        request.done.add_done_callback(self._unfinished.discard)
        self._waiting.append(request)
        self._dispatch()
        await request.done
        return Tagged(request.outcomes, serving)

    async def aclose(self) -> None:
        """Finish the requests made, refuse new ones, end the threads."""
        self._closed = True
        self._changed.set()
        if self._unfinished:
            await asyncio.wait(set(self._unfinished))
        await asyncio.to_thread(self._threads.shutdown)

    async def _serving_now(self) -> Serving:
        while self._serving is None and not self._closed:
            await self._changed.wait()
        if self._closed or self._serving is None:
            raise RuntimeError("the tagger is closed")
        return self._serving

    def _dispatch(self) -> None:
        while self._free_runs and (shard := self._next_shard()):
            self._free_runs -= 1
            texts = [text for part in shard for text in part.texts]
            student = shard[0].request.serving.student
            how: dict[str, Any] = {"micro_batch_records": self._micro_batch_records}
            if self._doubts:
                how["doubts"] = True
            run = functools.partial(_tag_each, student, texts, how)
            future = asyncio.get_running_loop().run_in_executor(self._threads, run)
            future.add_done_callback(functools.partial(self._finish, shard))

    def _finish(self, shard: list[_Part], future: asyncio.Future[list[Outcome]]) -> None:
        self._free_runs += 1
        if error := future.exception():
            for part in shard:
                part.request.fail(error)
        else:
            outcomes = iter(future.result())
            for part in shard:
                part.request.settle(part, outcomes)
        self._dispatch()

    def _next_shard(self) -> list[_Part]:
        """Parts of waiting requests, oldest first, all for one serving; empty when none waits."""
        room = self._shard_size()
        n_chars = room * _CHARS_PER_TEXT
        shard: list[_Part] = []
        while room > 0 and n_chars > 0 and (request := self._oldest()):
            if shard and request.serving is not shard[0].request.serving:
                break
            part = request.take(room, n_chars)
            shard.append(part)
            room -= len(part.texts)
            n_chars -= sum(map(len, part.texts))
        return shard

    def _shard_size(self) -> int:
        n_waiting = sum(request.n_waiting for request in self._waiting)
        most = self._micro_batch_records * _MICRO_BATCHES_PER_SHARD
        return min(most, -(-n_waiting // self._free_runs))

    def _oldest(self) -> _Request | None:
        """Oldest request that still has texts to take; those given up by their caller go."""
        while self._waiting:
            request = self._waiting[0]
            if request.n_waiting and not request.done.done():
                return request
            self._waiting.popleft()
        return None


@dataclass(slots=True, eq=False)
class _Request:
    """One caller's texts; `outcomes` fill up in any order, `done` is set with the last."""

    texts: Sequence[str]
    serving: Serving
    done: asyncio.Future[None]
    n_taken: int = 0
    n_settled: int = 0
    outcomes: list[Outcome] = field(init=False)

    def __post_init__(self) -> None:
        self.outcomes = [_PENDING] * len(self.texts)

    @property
    def n_waiting(self) -> int:
        return len(self.texts) - self.n_taken

    def take(self, most: int, n_chars: int) -> _Part:
        """At least one of the texts that wait, at most `most`, about `n_chars` characters."""
        begin = end = self.n_taken
        while end < len(self.texts) and end - begin < most and n_chars > 0:
            n_chars -= len(self.texts[end])
            end += 1
        self.n_taken = end
        return _Part(self, begin, self.texts[begin:end])

    def settle(self, part: _Part, outcomes: Iterator[Outcome]) -> None:
        end = part.begin + len(part.texts)
        self.outcomes[part.begin : end] = islice(outcomes, len(part.texts))
        self.n_settled += len(part.texts)
        if self.n_settled == len(self.texts) and not self.done.done():
            self.done.set_result(None)

    def fail(self, error: BaseException) -> None:
        if not self.done.done():
            self.done.set_exception(error)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Neighbouring texts of a request, from its text number `begin`."""

    request: _Request
    begin: int
    texts: Sequence[str]


_PENDING = TaggingError("not tagged yet")


def _tag_each(student: Student, texts: Sequence[str], how: Mapping[str, Any]) -> list[Outcome]:
    """Tag all together; should that fail, each alone, so that only the guilty text fails.

    Whatever the error: a text that finds a bug must not stop the others, nor its lane for ever.
    """
    try:
        return [*student.tag(texts, **how)]
    except Exception:  # noqa: BLE001 - see above
        return [_tag_alone(student, text) for text in texts]


def _tag_alone(student: Student, text: str) -> Outcome:
    try:
        return student.tag([text])[0]
    except TaggingError as error:
        return TaggingError(str(error))  # without a traceback, which would keep the student alive
    except Exception as error:  # noqa: BLE001 - see `_tag_each`; its message might quote the text
        return TaggingError(f"the student failed: {type(error).__name__}")
