"""Cold start: the first labels, from the teacher over unlabelled texts or from labelled files.

Both write silver labels like those of the stream, with their source, under the same keys. So
running it again asks for nothing twice: what is labelled under today's task file is passed over,
and an answer that was paid for before a crash comes out of the teacher's cache.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from aiokafka.errors import KafkaError

from distill.labels.giving_back import UNCHANGED, is_unchanged
from schemas.errors import (
    AnswerError,
    BrokerUnavailableError,
    ConfigError,
    InvalidAnswerError,
    RefusedError,
    TeacherPermanentError,
    TeacherUnavailableError,
)
from schemas.files.corpus import Example
from schemas.files.task import Task, require_annotation
from schemas.settings import Settings
from schemas.types import SilverLabel, facts, text_digest
from schemas.wire.codec import open_codec
from schemas.wire.labels import cold_label
from schemas.wire.record_ids import label_key
from schemas.wire.topics import TopicNames
from stream.kafka import clients
from stream.kafka.aiokafka_errors import too_few_replicas
from stream.kafka.signatures import Signatures
from stream.teacher.batches.lane import BatchLane
from stream.teacher.kinds.kind import kind_of
from stream.teacher.prompt import build_messages
from stream.teacher.protocol import Answer, Teacher

_log = structlog.get_logger()

Deliver = Callable[[SilverLabel], Awaitable[None]]
"""Writes one label and returns when the brokers have it."""

OnLabelled = Callable[[int, int], None]
"""Told of (texts done, texts in all)."""

OnRefused = Callable[[str, str], None]
"""Told of a text and the code of why its answer, which was paid for, is none."""

_CHARS_PER_TOKEN = 4
_WRITES_AT_ONCE = 256
_ENOUGH_ANSWERS = 5
_GIVE_UP_AFTER = 20
"""So many texts in a row without the teacher being reached: it is down, not busy."""


@dataclass(frozen=True, slots=True)
class BootstrapResult:
    """What a run did. `skipped` and `failed` count texts by reason.

    `remarks` are what a person should know of the teacher. The tokens and US dollars are the
    ledger's: answers that could not be used are paid for too.
    """

    labelled: int
    skipped: dict[str, int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    tokens_in: int = 0
    tokens_out: int = 0
    usd: float = 0.0
    remarks: tuple[str, ...] = ()

    @property
    def mostly_refused(self) -> bool:
        """Whether over half of at least five answers were no label."""
        refused = sum(self.failed.get(x.code, 0) for x in (RefusedError, InvalidAnswerError))
        answers = self.labelled + refused
        return answers >= _ENOUGH_ANSWERS and 2 * refused > answers

    def as_dict(self) -> dict[str, Any]:
        """Give the figures for JSON."""
        return {
            "labelled": self.labelled,
            "skipped": dict(self.skipped),
            "failed": dict(self.failed),
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
            "usd": self.usd,
            "remarks": list(self.remarks),
        }


def select(
    examples: Iterable[Example],
    *,
    known: Iterable[SilverLabel],
    task: Task,
    max_chars: int,
    limit: int | None = None,
    human: bool = False,
    confirm: bool = False,
) -> tuple[list[Example], dict[str, int]]:
    """Choose what is to be labelled, in the file's order, and count the others by reason.

    `known` are the labels that exist; only those of this task version count. `human` says that
    the examples are a person's labels: these replace others of the same text, where they say
    something else, or where the person means to `confirm` what the teacher said.
    """
    labels = {text_digest(x.text): x for x in known if _counts(x, task, human=human)}
    seen, skipped, chosen = set[str](), Counter[str](), list[Example]()
    for example in examples:
        digest = text_digest(example.text)
        if not example.text.strip():
            skipped["blank"] += 1
        elif len(example.text) > max_chars:
            skipped["too_long"] += 1
        elif digest in labels and not human:
            skipped["labelled_before"] += 1
        elif digest in labels and _stays(example, labels[digest], confirm=confirm):
            skipped[UNCHANGED] += 1
        elif digest in seen:
            skipped["repeated"] += 1
        elif limit is not None and len(chosen) >= limit:
            skipped["over_limit"] += 1
        else:
            seen.add(digest)
            chosen.append(example)
    return chosen, dict(skipped)


def _counts(label: SilverLabel, task: Task, *, human: bool) -> bool:
    """Whether the label says all that is asked; a person is not asked again for an added label."""
    version = task.versions.get(label.task_digest)
    if version is None:
        return False
    return not version.unasked or (label.source == "human" and not human)


def _stays(example: Example, label: SilverLabel, *, confirm: bool) -> bool:
    """Whether a person's example leaves the label as it is."""
    return is_unchanged(example, label) and not (confirm and label.source != "human")


def estimate_tokens(examples: Sequence[Example], task: Task) -> tuple[int, int]:
    """Estimate tokens in and out of asking about every example, at four characters a token."""
    chars = sum(
        len(message["content"])
        for example in examples
        for message in build_messages(task, example.text)
    )
    kind = kind_of(task.kind, task.choose)
    out = sum(kind.expected_tokens_out(example.text) for example in examples)
    return chars // _CHARS_PER_TOKEN, out


def price(settings: Settings, *, tokens_in: int, tokens_out: int) -> float:
    """Price tokens, in US dollars."""
    return settings.teacher.price_usd(tokens_in, tokens_out)


async def label_by_teacher(
    examples: Sequence[Example],
    *,
    task: Task,
    teacher: Teacher,
    deliver: Deliver,
    concurrency: int,
    now_ms: Callable[[], int],
    progress: OnLabelled,
    lane: BatchLane | None = None,
    refused: OnRefused = lambda _text, _code: None,
) -> BootstrapResult:
    """Ask the teacher about every text, `concurrency` at a time; failures are counted, not raised.

    With a `lane` it is asked in batches, and labels are written as each of them ends.

    A spent budget ends the run, for what is left would fail as well; so does a teacher that
    refuses us (`TeacherPermanentError`), at once, or that is not reached for many texts in a row,
    or for any at all (`TeacherUnavailableError`).
    """
    run = _Run(task, deliver, now_ms, progress, refused, total=len(examples))
    texts = [example.text for example in examples]
    if lane is None:
        await run.ask_all(texts, teacher, concurrency)
    else:
        async with aclosing(lane.lots(texts)) as lots:
            async for lot in lots:
                await run.ask_all(lot.texts, lot, concurrency)
                if run.stopped:
                    break
    if run.refusal is not None:
        raise TeacherPermanentError(
            f"{run.refusal}; {run.labelled} labels are written, run the command again to go on"
        )
    if examples and run.unreached >= min(_GIVE_UP_AFTER, len(examples)):
        raise TeacherUnavailableError(
            f"the teacher was not reached for {run.unreached} texts in a row; {run.labelled} "
            "labels are written, run the command again to go on"
        )
    return run.result()


@dataclass(slots=True)
class _Run:
    task: Task
    deliver: Deliver
    now_ms: Callable[[], int]
    progress: OnLabelled
    refused: OnRefused
    total: int
    labelled: int = 0
    unreached: int = 0
    refusal: TeacherPermanentError | None = None
    failed: Counter[str] = field(default_factory=Counter)

    @property
    def stopped(self) -> bool:
        return (
            bool(self.failed["budget_exhausted"])
            or self.refusal is not None
            or self.unreached >= _GIVE_UP_AFTER
        )

    async def ask_all(self, texts: Sequence[str], teacher: Teacher, concurrency: int) -> None:
        """Ask about these texts until the run is stopped."""
        queue = iter(texts)

        async def worker() -> None:
            for text in queue:
                if self.stopped:
                    return
                await self.ask(text, teacher)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(concurrency, len(texts))):
                    group.create_task(worker())
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None  # they all say the same: Kafka is away

    async def ask(self, text: str, teacher: Teacher) -> None:
        try:
            answer = await teacher.label(text)
        except TeacherPermanentError as error:
            self.refusal = error
            return
        except (AnswerError, TeacherUnavailableError) as error:
            self.failed[error.code] += 1
            _log.warning(
                "answer_refused", text=text_digest(text)[:8], code=error.code, reason=str(error)
            )
            if isinstance(error, RefusedError | InvalidAnswerError):
                self.refused(text, error.code)
            away = isinstance(error, TeacherUnavailableError)
            self.unreached = self.unreached + 1 if away else 0
        else:
            self.unreached = 0
            await self.deliver(self._label(text, answer))
            self.labelled += 1
        self.progress(self.labelled + self.failed.total(), self.total)

    def _label(self, text: str, answer: Answer) -> SilverLabel:
        return cold_label(
            text,
            answer,
            task=self.task,
            source="bootstrap",
            now_ms=self.now_ms(),
            answer=answer,
        )

    def result(self) -> BootstrapResult:
        left = self.total - self.labelled - self.failed.total()
        failed = dict(self.failed) | ({"not_asked": left} if left else {})
        return BootstrapResult(self.labelled, failed=failed)


async def take_labels(
    examples: Sequence[Example],
    *,
    task: Task,
    deliver: Deliver,
    now_ms: Callable[[], int],
    progress: OnLabelled,
    replacing: Iterable[SilverLabel] = (),
) -> BootstrapResult:
    """Write the examples' own annotation as human labels.

    One that is `replacing` an earlier label serves the purpose of that: an audit that a person
    corrects stays an audit, or it would be trained on.
    """
    check_labels(examples, task)
    earlier = {label.text: label for label in replacing}
    for start in range(0, len(examples), _WRITES_AT_ONCE):
        some = examples[start : start + _WRITES_AT_ONCE]
        labels = [
            _human_label(one, earlier.get(one.text), task=task, now_ms=now_ms()) for one in some
        ]
        await asyncio.gather(*map(deliver, labels))
        progress(start + len(some), len(examples))
    return BootstrapResult(len(examples))


def _human_label(
    example: Example, earlier: SilverLabel | None, *, task: Task, now_ms: int
) -> SilverLabel:
    label = cold_label(example.text, example, task=task, source="human", now_ms=now_ms)
    if earlier is None:
        return label
    return replace(
        label,
        audit=earlier.audit,
        record_id=earlier.record_id,
        student_version=earlier.student_version,
    )


def check_labels(examples: Iterable[Example], task: Task) -> None:
    """Raise `ConfigError` for labels that the task file does not know, and what is no answer to it.

    An answer is of the task's kind, and of categories has as many as are to be chosen.
    """
    examples = list(examples)
    found = {label for example in examples for _, _, label in facts(example)}
    if foreign := sorted(found - set(task.label_names)):
        raise ConfigError(
            f"the corpus has labels that task {task.name} lacks: {', '.join(foreign)} "
            f"(the task file knows {', '.join(task.label_names)})"
        )
    for example in examples:
        require_annotation(example, example.text, task, where=f"the text {example.id}")


@asynccontextmanager
async def label_writer(settings: Settings) -> AsyncIterator[Deliver]:
    """Open the silver-labels topic for writing; `BrokerUnavailableError` when it cannot be."""
    topics, signatures = TopicNames.of(settings.kafka), Signatures.of(settings.kafka)
    async with (
        open_codec(settings.schema_registry) as codec,
        clients.started(
            lambda: clients.producer(settings.kafka), settings=settings.kafka
        ) as producer,
    ):
        await codec.prepare({topics.silver_labels: SilverLabel})

        async def deliver(label: SilverLabel) -> None:
            topic, key = topics.silver_labels, label_key(label)
            value = codec.encode(label, topic)
            headers = list(signatures.headers(topic, key, value))
            try:
                await producer.send_and_wait(topic, value, key, headers=headers)
            except KafkaError as error:
                unwritten = BrokerUnavailableError(f"cannot write a label: {error}")
                raise too_few_replicas(error, topic) or unwritten from None

        yield deliver
