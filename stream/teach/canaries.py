"""Asks the teacher about canaries, at a set pace, and writes down what it says.

It is asked as for a record of the stream, in the same words by the same client, but past the cache.
Of all teach workers one asks, whichever has the first partition of the requests: the pace is that
of the application, and needs no coordination. What comes of it, `schemas.canaries.trust` says.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

import structlog
from aiokafka.errors import KafkaError

from schemas.canaries.epoch import Epoch, f1
from schemas.canaries.exchangeability import lot
from schemas.canaries.facts import canary_facts
from schemas.canaries.trust import TeacherTrust
from schemas.errors import (
    AnswerError,
    BudgetExhaustedError,
    ExpiredError,
    OutputTooLargeError,
    RedactionError,
    RefusedError,
    RetryError,
)
from schemas.files.task import Task
from schemas.types import Canary, facts
from stream.teach.canary_texts import CanarySet, CanaryText, CanaryTexts
from stream.teacher.protocol import Answer
from stream.watch.metrics import Metrics

_log = structlog.get_logger(__name__)


class AsksAnew(Protocol):
    """A teacher that does not answer out of its memory."""

    prompt_version: str

    async def label_anew(self, text: str) -> Answer:
        """Ask about a text, whatever is remembered; raises as `Teacher.label`."""
        ...


class Log(Protocol):
    """The history of canaries; raises `RetryError` where broker or schema registry are away."""

    async def trust(self) -> TeacherTrust:
        """Tell what the whole history says."""
        ...

    async def prepare(self) -> None:
        """Make ready to write, before a question is paid for."""
        ...

    async def write(self, canary: Canary) -> None:
        """Append an entry."""
        ...


@dataclass(slots=True, kw_only=True)
class CanaryAsking:
    """Asks about one canary at each `tick`; `asks_here` tells whether it is this worker's to ask.

    `teacher_name` is who is asked, as the settings have it: the model and where it is. `redaction`
    names what is taken out of the texts, `examples` what examples are chosen from for each, "" for
    nothing: others are then other canaries.
    """

    task: Task
    teacher: AsksAnew
    teacher_name: str
    texts: CanaryTexts
    log: Log
    asks_here: Callable[[], bool]
    per_hour: float
    metrics: Metrics
    now_ms: Callable[[], int]
    redaction: str = ""
    examples: str = ""
    clock: Callable[[], float] = time.monotonic
    _told_ms: int | None = None
    _kept_back: set[str] = field(default_factory=set)
    """Texts that could not be redacted, by their digests: they never will be, so they are passed
    over until the next start."""

    async def tick(self) -> None:
        """Ask once; what keeps it from asking is logged, and tried again by the next tick."""
        if not self.asks_here():
            self.metrics.canary_state.clear()
            return
        try:
            await self._ask()
        except (RetryError, KafkaError, OSError, OutputTooLargeError) as error:
            self.metrics.canaries.labels("unanswered").inc()
            _log.warning("canary_unasked", error=repr(error))

    async def _ask(self) -> None:
        trust = await self.log.trust()
        self._tell(trust)
        found = await self.texts.choose(trust.epoch.references)
        if found is None:
            return
        tellable = {x: one for x, one in found.texts.items() if x not in self._kept_back}
        if not tellable:
            return
        name = self._name_of(found)
        key = (self.teacher_name, self.task.digest, self.teacher.prompt_version, name)
        epoch = trust.epoch if trust.is_about(key) else Epoch(1.0)
        digest = next_canary(replace(found, texts=tellable), epoch)
        await self.log.prepare()
        entry = await self._answered(digest, found.texts[digest], name)
        if entry is not None:
            self.metrics.canaries.labels(entry.outcome).inc()
            await self.log.write(entry)
            self._tell(await self.log.trust())

    def _name_of(self, found: CanarySet) -> str:
        told = [found.name]
        told += [f"redacted {self.redaction}"] if self.redaction else []
        told += [f"examples {self.examples}"] if self.examples else []
        return ", ".join(told)

    async def _answered(self, digest: str, canary: CanaryText, texts: str) -> Canary | None:
        """Ask; None where there is no answer that says anything of the teacher."""
        started_s = self.clock()
        said: Answer | None = None
        refused = False
        try:
            said = await self.teacher.label_anew(canary.text)
        except (BudgetExhaustedError, ExpiredError, RedactionError) as error:
            self.metrics.canaries.labels("unanswered").inc()
            _log.info("canary_unanswered", code=error.code, reason=str(error))
            if isinstance(error, RedactionError):
                self._kept_back.add(digest)
            return None
        except AnswerError as error:
            refused = isinstance(error, RefusedError)
        known = canary.known
        return Canary(
            self.task.name,
            self.task.digest,
            "answer",
            self.now_ms(),
            teacher=self.teacher_name,
            prompt_version=self.teacher.prompt_version,
            texts=texts,
            text_digest=digest,
            outcome="answered" if said else "refused" if refused else "invalid",
            facts=tuple(sorted(facts(said))) if said else (),
            right=f1(facts(said), known) if said and known is not None else -1.0,
            model=said.model if said else "",
            fingerprint=said.fingerprint if said else "",
            latency_ms=round((self.clock() - started_s) * 1000),
        )

    def _tell(self, trust: TeacherTrust) -> None:
        """Show how the teacher stands; say, once, that it has changed."""
        found = canary_facts(trust, per_hour=self.per_hour) or {}
        self.metrics.canary_state.clear()
        self.metrics.canary_state.labels(state=found["state"]).set(1)
        hold = trust.hold
        if hold is not None and hold.since_ms != self._told_ms:
            _log.error(
                "teacher_changed",
                noticed_by=trust.noticed,
                since_ms=hold.since_ms,
                before=found["before"],
                since=found["since"],
            )
        self._told_ms = hold.since_ms if hold else None


def next_canary(found: CanarySet, epoch: Epoch) -> str:
    """Choose the text to ask about: each once, then at random, all with the same chance.

    The test stands on that chance: answers to texts in turn would not be draws of one law.
    """
    digests = sorted(found.texts)
    unasked = [digest for digest in digests if digest not in epoch.references]
    if unasked:
        return unasked[0]
    return digests[int(lot("text", len(epoch.seen)) * len(digests))]
