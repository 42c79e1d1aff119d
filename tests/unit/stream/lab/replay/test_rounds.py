from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from schemas.categories import of_labels
from schemas.files.corpus import Example
from schemas.files.task import LabelSpec, Task
from schemas.types import text_digest
from stream.lab.observations import Observations
from stream.lab.replay.jury import Ruling
from stream.lab.replay.rounds import Rounds
from stream.testing.messages import an_event

MOOD = Task("mood", "en", (LabelSpec("glad"), LabelSpec("sad")), kind="categories", choose="one")
SENT = [Example(str(n), f"text {n}", (), categories=of_labels(["glad"])) for n in range(4)]
RULING = Ruling(
    student="v2",
    promoted=False,
    reason="no gain",
    labels=9,
    f1=0.5,
    f1_interval=(0.4, 0.6),
    of_categories={"accuracy": 0.8, "macro_f1": 0.7},
)


class Silent:
    """A progress that nobody watches."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_args, **_options: None


@dataclass
class Answering:
    """A client of a system that says `glad` of all texts but the last, and defers none."""

    seen: Observations = field(default_factory=Observations)

    def check(self) -> None:
        pass

    async def send(self, share: Sequence[Example]) -> dict[str, Example]:
        for number, one in enumerate(share, start=1):
            said = of_labels(["sad" if number == len(share) else "glad"])
            digest = text_digest(one.text)
            self.seen.add_event(an_event(record_id=one.id, text_digest=digest, categories=said))
        return {one.id: one for one in share}


async def test_a_round_of_categories_tells_the_accuracy_of_stream_and_student() -> None:
    async def next_ruling(_: object) -> Ruling:
        return RULING

    jury: Any = SimpleNamespace(task=MOOD, champion=None, next_ruling=next_ruling)
    system: Any = SimpleNamespace(children=SimpleNamespace(check=lambda: None))
    worker: Any = SimpleNamespace(child=SimpleNamespace(cpu_s=lambda: 0.0))
    client: Any = Answering()
    rounds = Rounds(system=system, client=client, tag_worker=worker, jury=jury, progress=Silent())
    await rounds.play(SENT, number=1, of=1)
    (done,) = rounds.done
    assert (done.stream_accuracy, done.student_accuracy) == (0.75, 0.8)
    assert (done.records, done.deferred, done.student, done.reason) == (4, 0, "v2", "no gain")
