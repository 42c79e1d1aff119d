"""Names on the wire: topics, record ids, keys."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.settings import KafkaSettings
from schemas.types import text_digest


@dataclass(frozen=True, slots=True)
class TopicNames:
    """The topics of one application: `TopicNames.of(settings.kafka)`.

    `text` is the input's own name, the rest are prefixed.
    """

    prefix: str
    text: str

    @classmethod
    def of(cls, kafka: KafkaSettings) -> TopicNames:
        """Name the topics as the settings say."""
        return cls(kafka.topic_prefix, kafka.text_topic)

    @property
    def entities(self) -> str:
        """`EntityEvent`, partitioned as the text topic."""
        return f"{self.prefix}entities"

    @property
    def teacher_requests(self) -> str:
        """`TeacherRequest`, partitioned as the text topic."""
        return f"{self.prefix}teacher-requests"

    @property
    def silver_labels(self) -> str:
        """`SilverLabel` by `silver_key`, compacted."""
        return f"{self.prefix}silver-labels"

    @property
    def promotions(self) -> str:
        """`Promotion` by task, one partition, the whole history."""
        return f"{self.prefix}promotions"

    @property
    def dead_letters(self) -> str:
        """Original bytes of records that could not be processed."""
        return f"{self.prefix}dead-letters"


def record_id(topic: str, partition: int, offset: int) -> str:
    """`topic-partition-offset`: names one input record for ever."""
    return f"{topic}-{partition}-{offset}"


def silver_key(task: str, text: str) -> bytes:
    """Key of a silver label: one per task and exact text, so compaction keeps the newest."""
    return f"{task}:{text_digest(text)}".encode()
