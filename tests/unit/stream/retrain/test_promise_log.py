from __future__ import annotations

import itertools

from schemas.files.task import LabelSpec, Task
from schemas.settings import Settings
from schemas.wire.codec import Codec
from schemas.wire.record_ids import label_key
from schemas.wire.topics import TopicNames
from stream.kafka.local.embedded import EmbeddedBroker
from stream.kafka.topic_logs import append
from stream.kafka.topics import TopicSpec, create_topics
from stream.retrain.promise_log import KafkaPromiseLog
from stream.testing.messages import a_label

TASK = Task("test", "en", (LabelSpec("PER"),))
_numbers = itertools.count()


async def test_an_audit_counts_under_its_own_key_alone(embedded_broker: EmbeddedBroker) -> None:
    prefix = f"promise-log-{next(_numbers)}."
    servers = embedded_broker.bootstrap_servers
    settings = Settings.model_validate(
        {"kafka": {"bootstrap_servers": servers, "topic_prefix": prefix}}
    )
    topic = TopicNames.of(settings.kafka).silver_labels
    await create_topics(settings.kafka, [TopicSpec(topic, 2, 1)])
    told = {"task": TASK.name, "task_digest": TASK.digest, "audit": True, "record_id": "text-0-1"}
    audit = a_label(**told)
    for key in (label_key(audit), label_key(a_label(**told, text="another"))):
        await append(settings.kafka, topic, key=key, value=Codec().encode(audit, topic))
    assert len(await KafkaPromiseLog(settings, TASK, Codec()).all_audits()) == 1
