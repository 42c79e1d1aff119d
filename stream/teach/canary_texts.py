"""The texts that canaries are: some of a labelled file, or some that the teacher has labelled."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog
from aiokafka import ConsumerRecord

from schemas.errors import DecodeError
from schemas.files.corpus import read_corpus
from schemas.files.task import Task, require_annotation
from schemas.settings import KafkaSettings
from schemas.types import Fact, SilverLabel, facts, text_digest
from schemas.wire.codec import Codec
from schemas.wire.keyed import decode_keyed
from schemas.wire.topics import TopicNames
from stream.kafka.topic_logs import read_since

_log = structlog.get_logger(__name__)

MOST_TEXTS = 40
"""Enough that two teachers differ in several, few enough that each was soon asked about once."""
_MOST_RECORDS = 20_000


@dataclass(frozen=True, slots=True)
class CanaryText:
    """A text, and what is known to be right about it; None where nothing is."""

    text: str
    known: frozenset[Fact] | None = None


@dataclass(frozen=True, slots=True)
class CanarySet:
    """The canaries by the digests of their texts; `name` is another where the texts are others."""

    name: str
    texts: Mapping[str, CanaryText]


class CanaryTexts(Protocol):
    """Where canaries come from."""

    async def choose(self, asked: Collection[str]) -> CanarySet | None:
        """Give the set; None while there are not enough. Texts of the digests `asked` stay."""
        ...


class FileTexts:
    """Some texts of a labelled file; raises `ConfigError` for labels that are not the task's."""

    def __init__(self, path: Path, task: Task) -> None:
        examples = {text_digest(one.text): one for one in read_corpus(path)}
        drawn = _drawn(examples)
        for digest in drawn:
            one = examples[digest]
            require_annotation(one, one.text, task, where=f"{path}: the text {one.id}")
        texts = {
            digest: CanaryText(examples[digest].text, facts(examples[digest])) for digest in drawn
        }
        name = hashlib.sha256("\n".join(sorted(texts)).encode()).hexdigest()
        self._set = CanarySet(name, texts)

    async def choose(self, asked: Collection[str]) -> CanarySet:  # noqa: ARG002 - the port's
        """Give the file's, which are always there."""
        return self._set


class LabelledTexts:
    """Texts of the silver labels that the teacher made; what is forgotten there is no canary."""

    def __init__(self, settings: KafkaSettings, task: Task, codec: Codec) -> None:
        self._settings, self._task, self._codec = settings, task, codec
        self._topic = TopicNames.of(settings).silver_labels
        self._offsets: dict[int, int] = {}
        self._found: dict[str, str] = {}

    async def choose(self, asked: Collection[str]) -> CanarySet | None:
        """Read on in the topic; the set is complete once there are `MOST_TEXTS` labels.

        Raises `RetryError` where brokers or schema registry are away: the next call reads the rest.
        """
        before: dict[int, int] | None = None
        while before != self._offsets:
            before = self._offsets
            records, offsets = await read_since(
                self._settings, self._topic, self._offsets, most=_MOST_RECORDS
            )
            for record in records:  # a label that is taken twice counts once
                await self._take(record)
            kept = _drawn(self._found, first=asked)
            self._found = {digest: self._found[digest] for digest in kept}
            self._offsets = offsets
        if len(self._found) < MOST_TEXTS:
            return None
        texts = {digest: CanaryText(text) for digest, text in self._found.items()}
        return CanarySet("labels", texts)

    async def _take(self, record: ConsumerRecord) -> None:
        task, _, rest = (record.key or b"").decode(errors="replace").partition(":")
        if task != self._task.name:
            return
        if record.value is None:
            for digest in [digest for digest in self._found if rest.startswith(digest)]:
                del self._found[digest]
            return
        try:
            await self._codec.resolve([record.value])
            label = decode_keyed(self._codec, SilverLabel, record.key, record.value)
        except DecodeError:
            return  # the round that reads them all says so
        if label.task_digest == self._task.digest and label.source != "human":
            self._found[text_digest(label.text)] = label.text


def _drawn(digests: Iterable[str], *, first: Collection[str] = ()) -> list[str]:
    """Draw texts by lot, always the same. Another lot than that of examples in the prompt."""

    def place(digest: str) -> tuple[bool, str]:
        return digest not in first, hashlib.sha256(f"canary {digest}".encode()).hexdigest()

    return sorted(digests, key=place)[:MOST_TEXTS]
