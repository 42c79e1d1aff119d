"""CloudEvents headers of what we produce, with the input's own carried along.

Binary content mode: the attributes are `ce_*` headers, the value stays the bare event.
The input's headers keep their names and order; its own CloudEvents attributes would
collide with ours, so `ce_x` travels as the extension `ce_inputx`. `traceparent` and
`tracestate` also become the extensions of CloudEvents' distributed tracing. The schema id of
the input's value is not carried: readers would take it for our event's. What exceeds
the bounds is dropped from the end: a stranger's headers must not outgrow the event.

Sources: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md,
https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/distributed-tracing.md
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from schemas.types import EntityEvent, Headers, TeacherRequest

EVENT_TYPE = b"silverstream.entity-event.v1"
REQUEST_TYPE = b"silverstream.teacher-request.v1"

MAX_CARRIED_HEADERS = 64
MAX_CARRIED_BYTES = 16_384

SCHEMA_ID_HEADER = "__value_schema_id"
"""Where Confluent's `HeaderSchemaIdSerializer` puts what else stands before the value."""

_TRACE = frozenset({"traceparent", "tracestate"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def event_headers(event: EntityEvent, source: Headers = ()) -> list[tuple[str, bytes]]:
    """Headers of an entity event; `source` are those of its input record.

    `ce_id` is `<task>/<record id>/<revision>`, so a repeated delivery has the same one.
    """
    event_id = f"{event.task}/{event.record_id}/{event.revision}"
    own = _own(event_id, EVENT_TYPE, event.task, event.record_id, event.produced_at_ms)
    return own + list(carried(source)) if source else own


def request_headers(request: TeacherRequest) -> list[tuple[str, bytes]]:
    """Headers of a teacher request, which itself holds those of its input record."""
    request_id = f"{request.task}/{request.record_id}/request"
    own = _own(request_id, REQUEST_TYPE, request.task, request.record_id, request.requested_at_ms)
    return own + list(carried(request.headers))


def carried(source: Headers) -> Iterator[tuple[str, bytes]]:
    """Name the input's headers as an output carries them, and keep to the bounds."""
    left = MAX_CARRIED_BYTES
    for count, (name, value) in enumerate(_renamed(source)):
        left -= len(name.encode("utf-8", "replace")) + len(value or b"")
        if count >= MAX_CARRIED_HEADERS or left < 0:
            return
        yield name, value


def _renamed(source: Headers) -> Iterable[tuple[str, bytes]]:
    for name, value in source:
        if name == SCHEMA_ID_HEADER:
            continue
        if name in _TRACE:
            yield f"ce_{name}", value
        yield (f"ce_input{name[3:]}" if name.startswith("ce_") else name), value


def _own(
    event_id: str, event_type: bytes, task: str, subject: str, time_ms: int
) -> list[tuple[str, bytes]]:
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", event_id.encode()),
        ("ce_source", b"/silverstream/" + task.encode()),
        ("ce_type", event_type),
        ("ce_subject", subject.encode()),
        ("ce_time", _rfc3339(time_ms)),
    ]


def _rfc3339(time_ms: int) -> bytes:
    moment = _EPOCH + timedelta(milliseconds=time_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z").encode()
