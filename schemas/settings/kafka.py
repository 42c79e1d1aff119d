"""The sections about Kafka: brokers, topics, how the input is read, the schema registry."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, model_validator

from schemas.settings.section import (
    HttpUrlOrNone,
    Milliseconds,
    PositiveFloat,
    PositiveInt,
    Section,
    Share,
    TopicName,
)

OUR_TOPICS = (
    "entities",
    "teacher-requests",
    "silver-labels",
    "promotions",
    "promises",
    "teacher-spend",
    "teacher-answers",
    "canaries",
    "dead-letters",
)
"""What follows `kafka.topic_prefix`."""


SIGNED_TOPICS = ("promotions", "promises", "silver-labels")
"""Those of them whose records can be signed."""

SigningKey = Annotated[
    str, Field(pattern=rf"^(({'|'.join(SIGNED_TOPICS)}):)?[A-Za-z0-9+/]{{43}}=$")
]
"""A public Ed25519 key in base64, for all signed topics or one."""


class KafkaSettings(Section):
    """How to reach the brokers, and what the lanes promise."""

    bootstrap_servers: str = "localhost:9092"
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    ssl_cafile: Path | None = None
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    signing_key: SecretStr | None = None
    """Signs promotions, promises and silver labels; its own public key is trusted too."""
    signing_key_file: Path | None = None
    """Where the key is kept instead, as a secret that is mounted."""
    trusted_keys: tuple[SigningKey, ...] = ()
    """Public keys whose signatures are believed, `KEY` or `TOPIC:KEY`; with any, no others are."""
    delivery: Literal["exactly_once", "at_least_once"] = "exactly_once"
    topic_prefix: TopicName = "silverstream."
    text_topic: TopicName = "text"
    """The input topic's own name; the prefix applies to the other topics only."""
    max_batch_records: PositiveInt = 512
    max_batch_bytes: PositiveInt = 256 * 1024
    """Of the records' values: long texts come in batches of few, so that progress shows."""
    transaction_timeout_ms: Milliseconds = 60_000
    session_timeout_ms: Milliseconds = 30_000
    startup_timeout_s: PositiveFloat = 120.0
    drain_timeout_s: PositiveFloat = 20.0
    max_failure_share: Share = 0.5
    """Share of failed records, over `failure_window_records`, above which a lane stops."""
    failure_window_records: PositiveInt = 200
    stall_timeout_s: PositiveFloat = 120.0
    """`/live` falls when a lane with lag has made no progress for this long."""

    @model_validator(mode="after")
    def _key_is_one(self) -> KafkaSettings:
        if self.signing_key is not None and self.signing_key_file is not None:
            raise ValueError("signing_key and signing_key_file are both set: which one signs?")
        return self

    @model_validator(mode="after")
    def _topics_are_several(self) -> KafkaSettings:
        # Kafka itself refuses names that differ in . and _ alone: its metrics take them for one.
        text, prefix = (x.replace("_", ".") for x in (self.text_topic, self.topic_prefix))
        if text in {prefix + name for name in OUR_TOPICS}:
            raise ValueError(
                f"text_topic {self.text_topic} is one of our own topics under another name: "
                "what we write would be read as input; give it, or topic_prefix, another name"
            )
        if not self.text_topic.strip("."):
            raise ValueError("text_topic must be a topic's name")
        return self


class TopicSettings(Section):
    """What `silverstream topics create` makes; checked at start-up."""

    partitions: PositiveInt = 6
    replication: PositiveInt = 1
    retention_ms: PositiveInt = 7 * 24 * 3600 * 1000


class InputSettings(Section):
    """How the values of the text topic are read."""

    format: Literal["text", "json", "avro"] = "text"
    text_field: str = "text"
    """Where the text stands in JSON or Avro; dots lead into records: `payload.after.body`."""
    max_text_chars: PositiveInt = 20_000


class SchemaRegistrySettings(Section):
    """Confluent-compatible schema registry; without a URL values are self-describing."""

    url: HttpUrlOrNone = None
    username: str | None = None
    password: SecretStr | None = None
    timeout_s: PositiveFloat = 10.0
