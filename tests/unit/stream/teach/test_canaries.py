from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from itertools import count, pairwise

import pytest
from structlog.testing import capture_logs

from schemas.canaries.epoch import Epoch
from schemas.canaries.trust import TeacherTrust
from schemas.errors import (
    BrokerUnavailableError,
    BudgetExhaustedError,
    InvalidAnswerError,
    RedactionError,
    RefusedError,
    SchemaRegistryUnavailableError,
    TeacherUnavailableError,
)
from schemas.files.task import LabelSpec, Task
from schemas.settings.redaction import RedactionSettings
from schemas.types import Canary, Entity, text_digest
from stream.teach.canaries import CanaryAsking, next_canary
from stream.teach.canary_texts import CanarySet, CanaryText
from stream.teacher.protocol import Answer
from stream.testing.messages import a_canary
from stream.watch.metrics import Metrics

TASK = Task("test", "en", (LabelSpec("PER"),))
FACT = (0, 3, "PER")
TEXTS = CanarySet(
    "three",
    {
        text_digest(text): CanaryText(text, frozenset({FACT}))
        for text in ("Ada a", "Ada b", "Ada c")
    },
)


class Teacher:
    """Finds the first three characters; `error` is raised in an answer's place."""

    def __init__(self) -> None:
        self.prompt_version = "p1"
        self.asked: list[str] = []
        self.label = "PER"
        self.error: Exception | None = None

    async def label_anew(self, text: str) -> Answer:
        self.asked.append(text)
        if self.error:
            raise self.error
        entity = Entity(0, 3, self.label, text[:3])
        return Answer((entity,), "m1", "p1", 1, 1, cached=False, fingerprint="fp1")


class Log:
    def __init__(self) -> None:
        self.entries: list[Canary] = []
        self.error: Exception | None = None
        self.unprepared: Exception | None = None
        self._trust = TeacherTrust()

    async def trust(self) -> TeacherTrust:
        if self.error:
            raise self.error
        return self._trust

    async def prepare(self) -> None:
        if self.unprepared:
            raise self.unprepared

    async def write(self, canary: Canary) -> None:
        self.entries.append(canary)
        self._trust.take(canary)


class Texts:
    def __init__(self, found: CanarySet | None = TEXTS) -> None:
        self.found = found

    async def choose(self, asked: Collection[str]) -> CanarySet | None:
        return self.found


class World:
    def __init__(self, texts: CanarySet | None = TEXTS) -> None:
        self.teacher, self.log, self.metrics = Teacher(), Log(), Metrics()
        self.is_ours = True
        times, seconds = count(1), count(0, 2)
        self.asking = CanaryAsking(
            task=TASK,
            teacher=self.teacher,
            teacher_name="m at http://host/v1",
            texts=Texts(texts),
            log=self.log,
            asks_here=lambda: self.is_ours,
            per_hour=10,
            metrics=self.metrics,
            now_ms=lambda: next(times),
            clock=lambda: next(seconds),
        )

    def state(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(
            "silverstream_canary_state_info", {"state": name}
        )

    def counted(self, outcome: str) -> float | None:
        return self.metrics.registry.get_sample_value(
            "silverstream_canaries_total", {"outcome": outcome}
        )


async def test_what_the_teacher_said_is_written_down_with_who_said_it() -> None:
    world = World()
    await world.asking.tick()
    (entry,) = world.log.entries
    assert entry == Canary(
        "test",
        TASK.digest,
        "answer",
        1,
        teacher="m at http://host/v1",
        prompt_version="p1",
        texts="three",
        text_digest=text_digest(world.teacher.asked[0]),
        facts=(FACT,),
        right=1.0,
        model="m1",
        fingerprint="fp1",
        latency_ms=2000,
    )
    assert (world.counted("answered"), world.state("gathering")) == (1, 1)


@pytest.mark.parametrize(
    ("error", "outcome"), [(RefusedError("no"), "refused"), (InvalidAnswerError("no"), "invalid")]
)
async def test_a_refusal_and_a_form_that_cannot_be_read_say_something_of_the_teacher(
    error: Exception, outcome: str
) -> None:
    world = World()
    world.teacher.error = error
    await world.asking.tick()
    (entry,) = world.log.entries
    assert (entry.outcome, entry.facts, entry.right, entry.model) == (outcome, (), -1.0, "")


@pytest.mark.parametrize("error", [BudgetExhaustedError("spent"), TeacherUnavailableError("away")])
async def test_no_money_and_no_teacher_say_nothing_of_it(error: Exception) -> None:
    world = World()
    world.teacher.error = error
    await world.asking.tick()
    assert (world.log.entries, world.counted("unanswered")) == ([], 1)


async def test_nothing_is_paid_for_that_could_not_be_written_down() -> None:
    world = World()
    world.log.unprepared = SchemaRegistryUnavailableError("away")
    await world.asking.tick()
    assert (world.teacher.asked, world.counted("unanswered")) == ([], 1)
    world.log.unprepared = None
    await world.asking.tick()
    assert len(world.log.entries) == 1


async def test_a_text_that_cannot_be_redacted_says_nothing_of_the_teacher_and_is_passed_over() -> (
    None
):
    world = World()
    world.teacher.error = RedactionError("something personal is left")
    for _ in TEXTS.texts:
        await world.asking.tick()
    assert (world.log.entries, world.counted("unanswered")) == ([], 3)
    assert sorted(world.teacher.asked) == ["Ada a", "Ada b", "Ada c"]
    world.teacher.error = None
    await world.asking.tick()  # none is left
    assert len(world.teacher.asked) == 3


@pytest.mark.parametrize(("field", "said"), [("redaction", "redacted"), ("examples", "examples")])
async def test_another_redaction_or_pool_of_examples_makes_other_canaries_and_is_no_change(
    field: str, said: str
) -> None:
    world = World()
    for n in range(150):
        if n == 60:
            setattr(world.asking, field, RedactionSettings(enabled=True).digest)
            world.teacher.label = "LOC"  # what it says of placeholders
        await world.asking.tick()
    assert (world.state("changed"), world.state("watching")) == (None, 1)
    assert {entry.texts for entry in world.log.entries[:60]} == {"three"}
    (others,) = {entry.texts for entry in world.log.entries[60:]}
    assert others.startswith(f"three, {said} ")


async def test_whoever_has_not_the_first_partition_does_not_ask() -> None:
    world = World()
    world.is_ours = False
    await world.asking.tick()
    assert world.teacher.asked == []


async def test_nothing_is_asked_before_there_are_texts() -> None:
    world = World(texts=None)
    await world.asking.tick()
    assert (world.teacher.asked, world.state("gathering")) == ([], 1)


async def test_brokers_that_are_away_are_tried_again_by_the_next_tick() -> None:
    world = World()
    world.log.error = BrokerUnavailableError("away")
    await world.asking.tick()
    world.log.error = None
    await world.asking.tick()
    assert len(world.log.entries) == 1


async def test_a_changed_teacher_is_told_once() -> None:
    world = World()
    with capture_logs() as logs:
        for n in range(100):
            world.teacher.label = "PER" if n < 60 else "LOC"
            await world.asking.tick()
    (told,) = [one for one in logs if one["event"] == "teacher_changed"]
    assert (told["log_level"], told["noticed_by"]) == ("error", "answers")
    assert (world.state("changed"), world.state("watching")) == (1, None)


def _chosen(n: int) -> Iterator[str]:
    epoch = Epoch(0.01)
    for _ in range(n):
        digest = next_canary(TEXTS, epoch)
        epoch.take(a_canary(text_digest=digest))
        yield digest


def test_each_text_is_asked_about_once_and_then_all_at_random_alike() -> None:
    chosen = list(_chosen(603))
    assert set(chosen[:3]) == TEXTS.texts.keys()
    later = Counter(chosen[3:])
    assert all(160 < later[digest] < 240 for digest in TEXTS.texts)
    followers = Counter(pairwise(chosen))
    assert all(followers[a, b] > 40 for a in TEXTS.texts for b in TEXTS.texts)  # in no turn
