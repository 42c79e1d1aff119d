"""A `PromiseLog` in memory, the task and promise that the keeper finds there, and audits."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.errors import GateError
from schemas.files.task import LabelSpec, Task
from schemas.types import Entity, Promise, Promotion, SilverLabel
from stream.kafka.promises import unsaid
from stream.testing.messages import a_label, a_promised, a_proof

TASK = Task(name="test", language="en", labels=(LabelSpec("PER"),))
PROMISED = a_promised(proof=a_proof(threshold=0.2))


class Lists:
    """A `PromiseLog` in memory; `error` is raised by whoever reads."""

    def __init__(self, promotion: Promotion) -> None:
        self.promotions = [promotion]
        self.audits: list[SilverLabel] = []
        self.published: list[Promise] = []
        self.error: Exception | None = None
        self.rival: Promotion | None = None

    async def history(self) -> Sequence[Promotion]:
        if self.error:
            raise self.error
        return list(self.promotions)

    async def new_audits(self) -> Sequence[SilverLabel]:
        found, self.audits = self.audits, []
        return found

    async def record(self, promotion: Promotion) -> None:
        if self.rival:
            raise GateError("another came first")
        self.promotions.append(promotion)

    async def publish(self, promises: Sequence[Promise]) -> None:
        said = {one.label: one for one in self.published}
        self.published += unsaid(promises, [*said.values()])


def audits(n: int, *, wrong: bool, since: int = 100) -> list[SilverLabel]:
    """Labels of texts about Ada, whom the student knows."""
    entities = () if wrong else (Entity(0, 3, "PER", "Ada"),)
    return [
        a_label(text=f"Ada {wrong} {i}", entities=entities, audit=True, labelled_at_ms=since + i)
        for i in range(n)
    ]
