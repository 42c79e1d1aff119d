"""What a user writes first: Faust, a stock transformers pipeline, one event at a time.

Run as `python -m tests.benchmarks.faust_pipeline BOOTSTRAP MODEL_FOLDER WEB_PORT GROUP`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import faust
from transformers import pipeline


def build(bootstrap: str, model: str, port: int, group: str) -> faust.App:
    """An app with one agent: text in, the pipeline's entities as JSON out."""
    tag = pipeline("token-classification", model=model, aggregation_strategy="simple")
    app = faust.App(
        group,
        broker=f"kafka://{bootstrap}",
        value_serializer="raw",
        web_port=port,
        web_bind="127.0.0.1",
        topic_disable_leader=True,
        topic_allow_declare=False,
        consumer_auto_offset_reset="earliest",
    )
    texts = app.topic(f"{group}-in", value_type=bytes)
    entities = app.topic(f"{group}-out", value_type=bytes)

    @app.agent(texts)
    async def enrich(stream: Any) -> None:
        async for event in stream.events():
            found = tag(event.value.decode())
            value = json.dumps(found, default=float).encode()
            await entities.send(key=event.key, value=value)

    return app


if __name__ == "__main__":
    broker, folder, web_port, group = sys.argv[1:5]
    app = build(broker, folder, int(web_port), group)
    faust.Worker(app, loglevel="WARNING").execute_from_commandline()
