"""What an installation needs before its workers start: topics, and what a new one begins with.

An installation is new where none of its own topics was there. It gets the key of its audit sample,
and where one budget holds for many machines, the record that says that nothing was spent. An older
one gets neither unasked: workers on other machines lack a key that is made on one of them, and
nobody knows here what was spent.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from schemas.audit import NO_KEYS, audit_keys, make_audit_key
from schemas.errors import DiskError
from schemas.settings import Settings
from schemas.types import TeacherSpend
from schemas.wire.codec import open_codec
from schemas.wire.topics import TopicNames
from stream.cli.budget import an_opening
from stream.kafka.resolving import prepare_patiently
from stream.kafka.spend_log import open_spend
from stream.kafka.topics import TopicSpec, create_topics, specs, widen_topics

Outcome = Literal["created", "widened", "exists"]
KeyOutcome = Literal["set", "created", "exists", "none"]


@dataclass(frozen=True, slots=True)
class Installed:
    """What became of each topic, and of the audit key; `remark` says why there is no key."""

    topics: dict[str, Outcome]
    audit_key: KeyOutcome
    remark: str = ""


def topic_specs(settings: Settings) -> list[TopicSpec]:
    """List what the topics of these settings must be."""
    return specs(TopicNames.of(settings.kafka), settings.topics)


async def install(settings: Settings, *, clock: Callable[[], float] = time.time) -> Installed:
    """Make what is missing, and widen topics that have too few partitions.

    Raises as `create_topics`, `widen_topics` and, to open a budget, as `open_spend`.
    """
    wanted = topic_specs(settings)
    made = await create_topics(settings.kafka, wanted)
    widened = await widen_topics(settings.kafka, wanted)
    is_new = {spec.name for spec in wanted} - {settings.kafka.text_topic} <= set(made)
    if is_new and settings.teacher.budget_holds_for == "cluster":
        await _open_budget(settings, now_s=clock())

    def outcome(name: str) -> Outcome:
        return "created" if name in made else "widened" if name in widened else "exists"

    outcomes = {spec.name: outcome(spec.name) for spec in wanted}
    return Installed(outcomes, *_audit_key(settings, is_new=is_new))


async def _open_budget(settings: Settings, *, now_s: float) -> None:
    """Say that nothing was spent."""
    topic = TopicNames.of(settings.kafka).teacher_spend
    async with open_codec(settings.schema_registry) as codec:
        await prepare_patiently(
            codec, {topic: TeacherSpend}, timeout_s=settings.kafka.startup_timeout_s
        )
        await open_spend(settings, codec, an_opening(0.0, now_s=now_s))


def _audit_key(settings: Settings, *, is_new: bool) -> tuple[KeyOutcome, str]:
    routing = settings.routing
    if routing.audit_key:
        return "set", ""
    if audit_keys(routing) != NO_KEYS:
        return "exists", ""
    if not is_new:
        return "none", "audits are public; see docs/operating.md, The audit key"
    try:
        make_audit_key(routing)
    except DiskError as error:
        return "none", f"audits are public: {error}"
    return "created", ""
