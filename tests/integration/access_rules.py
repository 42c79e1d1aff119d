"""The access rules of docs/operating.md: as its table has them, and as Kafka does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its stubs export none of these
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from schemas.settings import OUR_TOPICS, KafkaSettings, TopicSettings
from schemas.wire.topics import TopicNames
from stream.kafka.topics import TopicSpec, specs
from stream.testing.apache_kafka import ApacheKafka

DOCUMENT = Path(__file__).parents[2] / "docs" / "operating.md"
APP = "app-test"
USERS = ("producer", "tag", "teach", "distill", "consumer")
ROLES = ("tag", "teach", "distill")
TOPICS = ("text", *OUR_TOPICS)
OPERATIONS = {"read": AclOperation.READ, "write": AclOperation.WRITE}
Rights = dict[str, dict[str, set[str]]]
"""By user and column of the table."""


def documented() -> Rights:
    """Read the table of docs/operating.md."""
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("| user | `text`"))
    head, _, *rows = (
        [cell.strip(" `") for cell in line.split("|")[1:-1]] for line in lines[start:]
    )
    rights: Rights = {}
    for row in rows:
        if len(row) != len(head):
            break
        user, *cells = row
        rights[user] = {
            name: set(re.split(r"\W+", cell)) - {""} if name in TOPICS else {cell} - {""}
            for name, cell in zip(head[1:], cells, strict=True)
        }
    return rights


RIGHTS = documented()


@dataclass(frozen=True)
class Place:
    """A secured broker, topics of ours that no other test uses, and the settings of each user."""

    broker: ApacheKafka
    certificate: Path
    prefix: str

    def kafka(self, user: str, *, password: str = "") -> KafkaSettings:
        return KafkaSettings.model_validate(
            {
                "bootstrap_servers": self.broker.secured_servers,
                "topic_prefix": self.prefix,
                "text_topic": self.topic("text"),
                "security_protocol": "SASL_SSL",
                "ssl_cafile": self.certificate,
                "sasl_mechanism": "SCRAM-SHA-512",
                "sasl_username": user,
                "sasl_password": password or f"password of {user}",
                "startup_timeout_s": 20.0,
            }
        )

    @property
    def names(self) -> TopicNames:
        return TopicNames.of(self.kafka("tag"))

    @property
    def specs(self) -> list[TopicSpec]:
        return specs(self.names, TopicSettings(partitions=1, replication=1))

    def topic(self, column: str) -> str:
        return f"{self.prefix}{column}"


def rules(place: Place) -> Iterator[AclBinding]:
    """Give the rights of the table, and the sentence below it, as Kafka's own."""

    def rule(
        user: str, kind: ResourceType, name: str, operation: AclOperation, *, prefix: bool = False
    ) -> AclBinding:
        pattern = ResourcePatternType.PREFIXED if prefix else ResourcePatternType.LITERAL
        allow = AclPermissionType.ALLOW
        return AclBinding(kind, name, pattern, f"User:{user}", "*", operation, allow)

    topic, group, transaction = (
        ResourceType.TOPIC,
        ResourceType.GROUP,
        ResourceType.TRANSACTIONAL_ID,
    )
    for user, columns in RIGHTS.items():
        for column in TOPICS:
            for right in columns[column]:
                yield rule(user, topic, place.topic(column), OPERATIONS[right])
            if user in ROLES:
                for seen in (AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS):
                    yield rule(user, topic, place.topic(column), seen)
        for name in columns["group"]:
            mine = "shop" if name == "its own" else name.replace("<app>-<task>", APP)
            yield rule(user, group, mine, AclOperation.READ)
        for name in columns["transactional ids"]:
            mine = name.replace("<app>-<task>", APP).removesuffix("*")
            yield rule(user, transaction, mine, AclOperation.WRITE, prefix=True)
