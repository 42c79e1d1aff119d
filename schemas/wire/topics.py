"""The names of the topics."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.settings import KafkaSettings


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
        """`SilverLabel` by `label_key`, compacted."""
        return f"{self.prefix}silver-labels"

    @property
    def promotions(self) -> str:
        """`Promotion` by task, one partition, the whole history."""
        return f"{self.prefix}promotions"

    @property
    def promises(self) -> str:
        """`Promise` by task, student and label, compacted."""
        return f"{self.prefix}promises"

    @property
    def teacher_spend(self) -> str:
        """`TeacherSpend` by hour, task, purpose and holder, one partition, compacted."""
        return f"{self.prefix}teacher-spend"

    @property
    def teacher_answers(self) -> str:
        """`TeacherAnswer` by question, compacted."""
        return f"{self.prefix}teacher-answers"

    @property
    def canaries(self) -> str:
        """`Canary` by task, one partition, the whole history."""
        return f"{self.prefix}canaries"

    @property
    def dead_letters(self) -> str:
        """Original bytes of records that could not be processed."""
        return f"{self.prefix}dead-letters"
