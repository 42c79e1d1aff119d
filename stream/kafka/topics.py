"""The topics we need: making them, and checking at start-up that they are as they must be.

`entities` and `teacher-requests` are written to the partition that the input came
from, so they need at least as many partitions as the input topic, whatever number
its producers chose for it. When it gets more, they are widened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    InvalidPartitionsError,
    KafkaError,
    TopicAlreadyExistsError,
    for_code,
)

from schemas.errors import TopicError
from schemas.settings import KafkaSettings, Settings, TopicSettings
from schemas.wire.topics import TopicNames
from stream.kafka import clients
from stream.kafka.aiokafka_errors import may_pass

T = TypeVar("T")

_POLL_S = 0.2
_SPEND_LAG_MS = 48 * 3600 * 1000
_FORGOTTEN_KEPT_MS = 30 * 24 * 3600 * 1000
"""How long an answer that was forgotten is told: a copy not read for that long is made anew."""
_MEND = "run `silverstream topics create`"


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """What one topic must be.

    `partitions` counts when the topic is made; `like`, if set, names the topic whose
    partition count it must at least have, `fixed` says that the count itself must be exact.
    `config` is set when it is made, `required` must hold whenever it is read.
    """

    name: str
    partitions: int
    replication: int
    like: str = ""
    fixed: bool = False
    config: Mapping[str, str] = field(default_factory=dict)
    required: Mapping[str, str] = field(default_factory=dict)


def specs(names: TopicNames, topics: TopicSettings) -> list[TopicSpec]:
    """List every topic of one application, the input topic first."""
    n, copies = topics.partitions, topics.replication
    deleted = {"cleanup.policy": "delete"}  # compaction would drop records that share a key
    kept = deleted | {"retention.ms": str(topics.retention_ms)}
    for_ever = {"cleanup.policy": "compact"}
    # A day's records stay as they were written until the day is over.
    spend = {"min.compaction.lag.ms": str(_SPEND_LAG_MS)}
    answers = {"delete.retention.ms": str(_FORGOTTEN_KEPT_MS)}
    history = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
    return [
        TopicSpec(names.text, n, copies, config=kept),
        TopicSpec(names.entities, n, copies, like=names.text, config=kept, required=deleted),
        TopicSpec(
            names.teacher_requests, n, copies, like=names.text, config=kept, required=deleted
        ),
        TopicSpec(names.silver_labels, n, copies, config=for_ever, required=for_ever),
        TopicSpec(names.promotions, 1, copies, fixed=True, config=history, required=history),
        TopicSpec(names.promises, 1, copies, config=for_ever, required=for_ever),
        TopicSpec(
            names.teacher_spend, 1, copies, fixed=True, config=for_ever | spend, required=for_ever
        ),
        TopicSpec(names.teacher_answers, 1, copies, config=for_ever | answers, required=for_ever),
        TopicSpec(names.canaries, 1, copies, fixed=True, config=history, required=history),
        TopicSpec(names.dead_letters, n, copies, config=kept, required=deleted),
    ]


def needed_specs(settings: Settings) -> list[TopicSpec]:
    """List the topics that a worker cannot do without, by these settings."""
    names = TopicNames.of(settings.kafka)
    shared = {
        names.teacher_spend: settings.teacher.budget_holds_for,
        names.teacher_answers: settings.teacher.answers_held_for,
    }
    return [
        spec
        for spec in specs(names, settings.topics)
        if shared.get(spec.name, "cluster") == "cluster"
    ]


async def create_topics(settings: KafkaSettings, wanted: Sequence[TopicSpec]) -> list[str]:
    """Make the topics that are missing; returns their names in the order of `wanted`.

    Those that are there stay as they are (`check_topics` judges them). Raises
    `TopicError` when the broker refuses, `BrokerUnavailableError` when there is none.
    """
    present = await partition_counts(settings, [spec.name for spec in wanted])
    missing = [_sized(spec, present) for spec in wanted if spec.name not in present]
    if missing:
        await _ask(settings, lambda client: _create(client, missing))
        await _seen(settings, [spec.name for spec in wanted])
    return [spec.name for spec in missing]


async def widen_topics(
    settings: KafkaSettings, wanted: Sequence[TopicSpec], *, at_least: int = 0
) -> list[str]:
    """Give topics that have fewer partitions than the one they are `like` as many; their names.

    `at_least` counts where the other's number is not yet known everywhere. Raises `TopicError`,
    with a command that does it, when the broker refuses; `BrokerUnavailableError` when there is
    none.
    """
    needed = await _too_narrow(settings, wanted, at_least)
    for name, count in needed.items():
        await _ask(settings, partial(_widen, name=name, count=count))
    if needed:
        await _widened(settings, wanted, at_least)
    return [*needed]


async def check_topics(settings: KafkaSettings, wanted: Sequence[TopicSpec]) -> None:
    """Raise `TopicError` naming every topic that is missing or wrong, and what mends it.

    Settings that a broker does not tell (the embedded one tells few) are not judged.
    """
    present = await partition_counts(settings, [spec.name for spec in wanted])
    judged = [spec.name for spec in wanted if spec.required and spec.name in present]
    configs = await _ask(settings, lambda client: topic_configs(client, judged))
    wrong = [
        problem
        for spec in wanted
        for problem in _problems(spec, present, configs.get(spec.name, {}))
    ]
    if wrong:
        raise TopicError("; ".join(wrong))


async def partition_counts(settings: KafkaSettings, names: Sequence[str]) -> dict[str, int]:
    """Tell how many partitions each of these topics has; those that are missing are left out.

    Raises `BrokerUnavailableError` when no broker answers within the start-up time.
    """
    return await _ask(settings, lambda client: _partition_counts(client, names))


async def topic_configs(
    client: AIOKafkaAdminClient, names: Sequence[str]
) -> dict[str, Mapping[str, str]]:
    """Give the settings of topics, as far as the broker tells them."""
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    try:
        responses = await client.describe_configs(resources) if resources else []
    except KafkaError as error:
        if may_pass(error):
            raise
        return {}
    return {
        resource[3]: {entry[0]: entry[1] for entry in resource[4]}
        for response in responses
        for resource in response.resources
    }


async def _ask(
    settings: KafkaSettings, question: Callable[[AIOKafkaAdminClient], Awaitable[T]]
) -> T:
    return await clients.ask(lambda: clients.admin(settings), question, settings=settings)


def _problems(
    spec: TopicSpec, present: Mapping[str, int], config: Mapping[str, str]
) -> Iterable[str]:
    count = present.get(spec.name)
    if count is None:
        yield f"topic {spec.name} is missing: {_MEND}"
        return
    if spec.like and count < present.get(spec.like, 0):
        yield (
            f"topic {spec.name} has {count} partitions but needs {present[spec.like]} as "
            f"{spec.like} has: {_MEND}, which widens it"
        )
    if spec.fixed and count != spec.partitions:
        yield (
            f"topic {spec.name} has {count} partitions but needs {spec.partitions}, and Kafka "
            f"takes none away: set kafka.topic_prefix to a name that is free and {_MEND}; "
            "what the present topics hold stays where it is"
        )
    for name, value in spec.required.items():
        if config.get(name, value) != value:
            yield (
                f"topic {spec.name} has {name}={config[name]} but needs {value}: "
                f"kafka-configs.sh --alter --topic {spec.name} --add-config {name}={value}"
            )


def _sized(spec: TopicSpec, present: Mapping[str, int]) -> TopicSpec:
    return replace(spec, partitions=present.get(spec.like, spec.partitions))


async def _partition_counts(client: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, int]:
    # All topics, not these by name: asking by name makes some brokers create them (Tansu does).
    found: list[dict[str, Any]] = await client.describe_topics()
    counts = {topic["topic"]: len(topic["partitions"]) for topic in found}
    return {name: counts[name] for name in names if counts.get(name)}


async def _create(client: AIOKafkaAdminClient, missing: Sequence[TopicSpec]) -> None:
    response = await client.create_topics(
        [
            NewTopic(spec.name, spec.partitions, spec.replication, topic_configs=dict(spec.config))
            for spec in missing
        ]
    )
    for name, code, *message in response.topic_errors:
        error = for_code(code)
        # Somebody else may have been quicker; the check at start-up judges what they made.
        if code and error is not TopicAlreadyExistsError:
            raise TopicError(f"cannot create topic {name}: {error.__name__} {message}")


async def _too_narrow(
    settings: KafkaSettings, wanted: Sequence[TopicSpec], at_least: int
) -> dict[str, int]:
    names = {name for spec in wanted for name in (spec.name, spec.like) if name}
    present = await partition_counts(settings, sorted(names))
    needed = {spec.name: max(present.get(spec.like, 0), at_least) for spec in wanted if spec.like}
    return {name: n for name, n in needed.items() if present.get(name, n) < n}


async def _widen(client: AIOKafkaAdminClient, *, name: str, count: int) -> None:
    try:
        await client.create_partitions({name: NewPartitions(count)})
    except InvalidPartitionsError:
        return  # somebody was quicker; what came of it is looked at
    except KafkaError as error:
        if may_pass(error):
            raise
        raise TopicError(
            f"topic {name} needs {count} partitions, and the broker does not widen it for us "
            f"({type(error).__name__}): kafka-topics.sh --alter --topic {name} "
            f"--partitions {count}"
        ) from None


async def _widened(settings: KafkaSettings, wanted: Sequence[TopicSpec], at_least: int) -> None:
    try:
        async with asyncio.timeout(settings.startup_timeout_s):
            while await _too_narrow(settings, wanted, at_least):  # noqa: ASYNC110  # as in `_seen`
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        names = ", ".join(await _too_narrow(settings, wanted, at_least))
        raise TopicError(f"topics were widened but are not yet: {names}") from None


async def _seen(settings: KafkaSettings, names: Sequence[str]) -> None:
    # Apache Kafka's brokers learn of a new topic a moment after its creation is answered.
    try:
        async with asyncio.timeout(settings.startup_timeout_s):
            # Polled, since no broker tells of it by itself.
            while len(await partition_counts(settings, names)) < len(set(names)):  # noqa: ASYNC110  # as said
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        raise TopicError(f"topics were created but are not there yet: {', '.join(names)}") from None
