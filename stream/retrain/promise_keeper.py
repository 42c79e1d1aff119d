"""Keeps the promise: watches it by live audits, changes the policy when it breaks or is proved.

An audit is a silver label of the stream that was drawn at random. The label does not hold what the
student said, so the student in service tags the text again: it says the same of a text at any time
and in any company, where the events and requests that held its tagging go with their topics'
retention, and are many times as much to read. For the same reason an audit that an older student
asked for counts too: it is a text of the stream since the promise, drawn by its hash.

While evidence is short, audits may have a larger share of the records
(`distill.early_audit_share`): a policy brings it when a promise breaks, and another one takes it
back once the evidence suffices. Every policy's audits are a random sample of its own records, and
the policy, which a request names, says how large.

Where the student is of another version of the task than today's audits, nobody can watch: the topic
`promises` says no longer that it is kept, and the history stays, so under the student's own version
it is said again.

A change is a promotion of the action `policy`: the same student and bundle. Two who judge at once
are told apart as always: the first writer wins, and the other looks again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import structlog
from aiokafka.errors import KafkaError

from schemas.audit import is_evidence
from schemas.canaries.holds import Hold, open_hold
from schemas.errors import BundleError, GateError, RetryError, TaggingError, TopicError
from schemas.files.task import Task
from schemas.promises.keeping import Audit, next_promise, suffices
from schemas.promises.proving import Sighting
from schemas.promises.record import Promised, promised_by, promises_of, without_promise
from schemas.promises.serving import ANOTHER_TASK_VERSION, proving_since_ms, served_since
from schemas.promises.shortage import AuditShares
from schemas.promises.trust import ANOTHER_TEACHER, trusts_beside, without_trust
from schemas.types import (
    Promise,
    Promotion,
    RoutingPolicy,
    SilverLabel,
    facts,
    policy_digest,
    text_digest,
)
from stream.frame.health import RoleHealth
from stream.kafka.promotions import BRING_BACK
from stream.student import Student
from stream.watch.metrics import Metrics

_log = structlog.get_logger()

_REASONS: Mapping[str, str] = {
    "broken": "the promise is broken: audits contradict it",
    "kept": "the promise is proved by live audits",
    "unproven": "the stream has changed: the student agrees less often than when it was proved",
}


async def _none_held() -> Sequence[Hold]:
    return ()


class PromiseLog(Protocol):
    """What the keeper reads and writes; each raises `RetryError` when a broker is away."""

    async def history(self) -> Sequence[Promotion]:
        """Give the task's promotions, oldest first."""
        ...

    async def new_audits(self) -> Sequence[SilverLabel]:
        """Give the audits of the stream that were written since the last call."""
        ...

    async def record(self, promotion: Promotion) -> None:
        """Append the next promotion; `GateError` when another came first."""
        ...

    async def publish(self, promises: Sequence[Promise]) -> None:
        """Say to consumers what is not said yet."""
        ...


@dataclass(slots=True, kw_only=True)
class PromiseKeeper:
    """A role that watches; `tick` is called by a timer. It holds audits by text digest."""

    task: Task
    log: PromiseLog
    load: Callable[[Promotion], Student]
    metrics: Metrics
    now_ms: Callable[[], int]
    holds: Callable[[], Awaitable[Sequence[Hold]]] = _none_held
    """Which labels are held back, for the teacher had changed: these are no audits."""
    shares: AuditShares | None = None
    """Of the audits, while evidence is short and else; None leaves every policy's as it is."""
    judging_audits: int = 0
    """So many audits the gate waits for, where it judges by them."""
    first_teacher: str = ""
    """Of several teachers the one whose answers to audits count; "" for a single one."""
    _labels: dict[str, SilverLabel] = field(default_factory=dict)
    _student: Student | None = None
    _tagged: dict[str, Audit] = field(default_factory=dict)
    _published: int = 0
    _entries: int = 0
    _unwatched: int = 0
    _looked: tuple[int, int] = (0, 0)
    """At which promotion and how many audits: there is nothing to see there twice."""

    async def start(self) -> None:
        """Nothing is to be begun before the first tick."""

    async def stop(self) -> None:
        """Nothing is held."""

    def health(self) -> RoleHealth:
        """Say that all is well: what cannot be watched now is tried again by the next tick."""
        return RoleHealth(ready=True, live=True)

    async def tick(self) -> None:
        """Look once; what keeps it from looking is logged, and tried again by the next tick."""
        try:
            await self._look()
        except (RetryError, KafkaError, OSError, TopicError, BundleError, TaggingError) as error:
            _log.warning("promise_unwatched", error=repr(error))
        except GateError as error:
            _log.info("promise_overtaken", error=str(error))

    async def _look(self) -> None:
        holds = await self.holds()
        history = await self.log.history()
        self._note_length(len(history))
        for label in await self.log.new_audits():
            self._labels.setdefault(text_digest(label.text), label)
        promotion = history[-1] if history else None
        promised = promised_by(promotion) if promotion else None
        if promotion is None or promised is None:
            return
        if promotion.task_digest != self.task.digest:
            self._note_unwatched(promotion)
            await self._say(promotion)
            return
        await self._say(promotion)
        if open_hold(holds) is not None:
            return  # the last good policy stands until it is known whom the audits are of
        _, in_force_ms = served_since(history)
        since_ms = proving_since_ms(history)
        tagged = await self._audits(promotion, min(since_ms, promotion.promoted_at_ms))
        audits = [one for one in tagged if not any(hold.covers(one.at_ms) for hold in holds)]
        if (promotion.sequence, len(audits)) == self._looked:
            return
        # Elsewhere: all audits are looked at again, which takes seconds once they are very many.
        found = await asyncio.to_thread(
            next_promise, promised, audits, in_force_ms=in_force_ms, since_ms=since_ms
        )
        if found is not None:
            short = found.short or len(audits) < self.judging_audits
            await self._change(history, found, short=short)
        elif not self._is_the_teacher_of(promotion):
            await self._distrust(history, promised)
        elif self.shares is not None and await asyncio.to_thread(
            suffices, promised, audits, least=self.judging_audits
        ):
            await self._lower(history, promised, self.shares.settled)
        self._looked = (promotion.sequence, len(audits))

    def _note_length(self, n_entries: int) -> None:
        """Say, once, that the history is shorter than it was: nobody takes entries away."""
        if n_entries < self._entries:
            _log.error(
                "promotions_lost", entries=n_entries, before=self._entries, advice=BRING_BACK
            )
        self._entries = n_entries

    def _note_unwatched(self, promotion: Promotion) -> None:
        """Say, once, that audits by today's task tell nothing of a student of another version."""
        if promotion.sequence != self._unwatched:
            _log.warning(
                "promise_unwatched", student=promotion.student_version, error=ANOTHER_TASK_VERSION
            )
        self._unwatched = promotion.sequence

    async def _audits(self, promotion: Promotion, since_ms: int) -> list[Audit]:
        """Tag those that came since the last look with the student in force; give all since."""
        if self._student is None or self._student.digest != promotion.digest:
            self._student = await asyncio.to_thread(self.load, promotion)
            self._tagged.clear()
        old = [key for key, label in self._labels.items() if label.labelled_at_ms < since_ms]
        for key in old:
            del self._labels[key]
            self._tagged.pop(key, None)
        new = {
            key: label
            for key, label in self._labels.items()
            if key not in self._tagged and is_evidence(label.teacher, self.first_teacher)
        }
        self._tagged |= await asyncio.to_thread(_tagged, self._student, new)
        return sorted(self._tagged.values(), key=lambda audit: audit.at_ms)

    async def _change(
        self, history: Sequence[Promotion], promised: Promised, *, short: bool
    ) -> None:
        share = self.shares.when(short=short) if self.shares else None
        promotion = under_another_policy(history, promised, now_ms=self.now_ms(), audit_share=share)
        await self.log.record(promotion)
        told = _told(promotion, promised)
        match promised.proof.state:
            case "broken":
                _log.error("promise_broken", **told)
            case "unproven":
                _log.warning("promise_stream_changed", **told)
            case "kept":
                _log.info("promise_kept", **told)
        await self._say(promotion)

    def _is_the_teacher_of(self, promotion: Promotion) -> bool:
        """Whether it still answers beside whom the labels were proved that the policy trusts.

        Of several teachers, whether one of them does.
        """
        newest: dict[str, SilverLabel] = {}
        for label in sorted(self._labels.values(), key=lambda label: label.labelled_at_ms):
            if label.teacher_model and label.labelled_at_ms >= promotion.promoted_at_ms:
                newest[label.teacher] = label
        return not newest or any(
            trusts_beside(promotion, (label.teacher_model, label.prompt_version))
            for label in newest.values()
        )

    async def _distrust(self, history: Sequence[Promotion], promised: Promised) -> None:
        promotion = under_another_policy(
            history, promised, now_ms=self.now_ms(), reason=ANOTHER_TEACHER
        )
        await self.log.record(promotion)
        _log.warning(
            "trust_withdrawn",
            student=promotion.student_version,
            sequence=promotion.sequence,
            labels=list(history[-1].policy.trusted),
        )
        await self._say(promotion)

    async def _lower(self, history: Sequence[Promotion], promised: Promised, share: float) -> None:
        """Let audits fall back to their share, where they have more; all else stays as it is."""
        if history[-1].policy.audit_share <= share:
            return
        settled = replace(promised, short=False)
        promotion = with_audit_share(history, settled, share, now_ms=self.now_ms())
        await self.log.record(promotion)
        _log.info(
            "audits_lowered",
            student=promotion.student_version,
            sequence=promotion.sequence,
            share=share,
        )
        await self._say(promotion)

    async def _say(self, promotion: Promotion) -> None:
        promises = promises_of(promotion, task_digest=self.task.digest)
        self.metrics.promising(promises[0])
        if promotion.sequence != self._published:
            await self.log.publish(promises)
            self._published = promotion.sequence


def under_another_policy(
    history: Sequence[Promotion],
    promised: Promised,
    *,
    now_ms: int,
    reason: str = "",
    audit_share: float | None = None,
) -> Promotion:
    """Make the task's next entry: the student in force, under the policy that is promised now.

    The `reason` is the promise's state, unless another is given; the share of audits stays where
    none is given.
    """
    current = history[-1]
    # Whom to trust was proved of what was deferred under the old threshold, on the old stream.
    policy = replace(
        current.policy,
        threshold=promised.proof.threshold,
        trusted=(),
        audit_share=current.policy.audit_share if audit_share is None else audit_share,
    )
    entry = _next_entry(history, policy, promised, now_ms=now_ms)
    return replace(
        entry,
        reason=reason or _REASONS[promised.proof.state],
        metrics=without_trust(entry.metrics),
    )


def with_audit_share(
    history: Sequence[Promotion], promised: Promised, share: float, *, now_ms: int
) -> Promotion:
    """Make the task's next entry: all as it is, but for the share of audits."""
    policy = replace(history[-1].policy, audit_share=share)
    entry = _next_entry(history, policy, promised, now_ms=now_ms)
    return replace(entry, reason="the evidence suffices: audits fall to their share")


def _next_entry(
    history: Sequence[Promotion], policy: RoutingPolicy, promised: Promised, *, now_ms: int
) -> Promotion:
    current = history[-1]
    return replace(
        current,
        sequence=len(history) + 1,
        parent=current.student_version,
        action="policy",
        policy=policy,
        policy_digest=policy_digest(policy),
        promoted_at_ms=now_ms,
        metrics=without_promise(current.metrics) | promised.metrics(),
    )


def _told(promotion: Promotion, promised: Promised) -> dict[str, Any]:
    proof = promised.proof
    return {
        "student": promotion.student_version,
        "sequence": promotion.sequence,
        "agreement": promised.asked.agreement,
        "audited": proof.audited,
        "errors": proof.errors,
        "threshold": round(proof.threshold, 6),
    }


def _tagged(student: Student, labels: Mapping[str, SilverLabel]) -> dict[str, Audit]:
    taggings = student.tag([label.text for label in labels.values()])
    return {
        key: Audit(
            label.labelled_at_ms, Sighting(tagging.confidence, facts(tagging) == facts(label))
        )
        for (key, label), tagging in zip(labels.items(), taggings, strict=True)
    }
