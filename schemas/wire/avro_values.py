"""Frozen types to and from the plain values that fastavro writes and reads.

Avro knows types, not ranges: what comes in is checked here, so that nothing behind the
codec meets a NaN confidence or a span outside its text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from typing import Any

from schemas.bio import validate_entities
from schemas.categories import validate_categories
from schemas.types import (
    Canary,
    Category,
    Choice,
    Doubt,
    Entity,
    EntityEvent,
    Fact,
    Opinion,
    Promise,
    Promotion,
    RoutingPolicy,
    SilverLabel,
    TeacherAnswer,
    TeacherRequest,
    TeacherSpend,
    TextRecord,
)

Fields = dict[str, Any]

_HOUR = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}", re.ASCII)


def _reader_of(kind: type) -> Callable[[Any], Fields]:
    names = [field.name for field in fields(kind)]
    # `attrgetter` of one name gives the bare value, of several a tuple.
    if len(names) == 1:
        return lambda value: {names[0]: getattr(value, names[0])}
    get = attrgetter(*names)
    return lambda value: dict(zip(names, get(value), strict=True))


def _entity_fields(entity: Entity) -> Fields:
    return {
        "start": entity.start,
        "end": entity.end,
        "label": entity.label,
        "surface": entity.surface,
        "confidence": entity.confidence,
    }


def _category_fields(category: Category) -> Fields:
    return {"label": category.label, "confidence": category.confidence}


def _event_fields(event: EntityEvent) -> Fields:
    # The hot path: written out, which takes a third of the time of the general way.
    return {
        "task": event.task,
        "task_digest": event.task_digest,
        "record_id": event.record_id,
        "text_digest": event.text_digest,
        "entities": [_entity_fields(entity) for entity in event.entities],
        "confidence": event.confidence,
        "decided_by": event.decided_by,
        "revision": event.revision,
        "status": event.status,
        "reason": event.reason,
        "student_version": event.student_version,
        "policy_version": event.policy_version,
        "teacher_model": event.teacher_model,
        "prompt_version": event.prompt_version,
        "source_timestamp_ms": event.source_timestamp_ms,
        "produced_at_ms": event.produced_at_ms,
        "categories": [_category_fields(category) for category in event.categories],
    }


_policy_fields = _reader_of(RoutingPolicy)


def _annotated(kind: type) -> Callable[[Any], Fields]:
    read = _reader_of(kind)

    def to_fields(value: Any) -> Fields:
        found = read(value)
        found["entities"] = [_entity_fields(entity) for entity in value.entities]
        found["categories"] = [_category_fields(category) for category in value.categories]
        return found

    return to_fields


def _request_fields(request: TeacherRequest) -> Fields:
    headers = [{"name": name, "value": value} for name, value in request.headers]
    doubts = [_doubt_fields(doubt) for doubt in request.doubts]
    return _tagged_request(request) | {"headers": headers, "doubts": doubts}


def _doubt_fields(doubt: Doubt) -> Fields:
    choices = [{"label": one.label, "probability": one.probability} for one in doubt.choices]
    return {"start": doubt.start, "end": doubt.end, "choices": choices}


def _promotion_fields(promotion: Promotion) -> Fields:
    policy = _policy_fields(promotion.policy) | {"trusted": list(promotion.policy.trusted)}
    return _promotion(promotion) | {"policy": policy}


def _canary_fields(canary: Canary) -> Fields:
    return _canary(canary) | {"facts": _fact_fields(canary.facts)}


def _fact_fields(said: tuple[Fact, ...]) -> list[Fields]:
    return [{"start": a, "end": b, "label": label} for a, b, label in said]


def _label_fields(label: SilverLabel) -> Fields:
    opinions = [_opinion(one) | {"facts": _fact_fields(one.facts)} for one in label.opinions]
    return _label(label) | {"opinions": opinions}


def _answer_fields(answer: TeacherAnswer) -> Fields:
    return _answer(answer) | {"facts": _fact_fields(answer.facts)}


_tagged_request = _annotated(TeacherRequest)
_canary = _reader_of(Canary)
_label = _annotated(SilverLabel)
_opinion = _reader_of(Opinion)
_answer = _reader_of(TeacherAnswer)
_promotion = _reader_of(Promotion)

TO_FIELDS: dict[type, Callable[[Any], Fields]] = {
    TextRecord: _reader_of(TextRecord),
    EntityEvent: _event_fields,
    TeacherRequest: _request_fields,
    SilverLabel: _label_fields,
    Promotion: _promotion_fields,
    Promise: _reader_of(Promise),
    TeacherSpend: _reader_of(TeacherSpend),
    Canary: _canary_fields,
    TeacherAnswer: _answer_fields,
}
"""From a value to the fields that its schema names."""


def _to_text(found: Fields) -> TextRecord:
    return TextRecord(**found)


def _to_event(found: Fields) -> EntityEvent:
    _require(found["revision"] >= 1, "revision is below 1")
    _require_share(found, "confidence")
    entities = _entities(found)
    _check_spans(entities)
    return EntityEvent(**found | {"entities": entities, "categories": _categories(found)})


def _to_request(found: Fields) -> TeacherRequest:
    _require_share(found, "confidence")
    _require(found["source_partition"] >= 0, "source_partition is negative")
    entities = _entities(found)
    validate_entities(found["text"], entities)
    headers = tuple((header["name"], header["value"]) for header in found["headers"])
    annotated = {"entities": entities, "categories": _categories(found)}
    doubts = {"doubts": _doubts(found, len(found["text"]))}
    return TeacherRequest(**found | annotated | doubts | {"headers": headers})


def _to_label(found: Fields) -> SilverLabel:
    _require_share(found, "weight")
    _require(found["weight"] > 0, "weight is not above 0")
    entities = _entities(found)
    validate_entities(found["text"], entities)
    opinions = tuple(_opinion_in(one) for one in found["opinions"])
    annotated = {"entities": entities, "categories": _categories(found)}
    return SilverLabel(**found | annotated | {"opinions": opinions})


def _opinion_in(found: Fields) -> Opinion:
    _require_share(found, "confidence")
    return Opinion(**found | {"facts": _facts(found)})


def _to_promotion(found: Fields) -> Promotion:
    policy = found["policy"]
    _require_share(policy, "threshold")
    _require_share(policy, "audit_share")
    _require(found["sequence"] >= 1, "sequence is below 1")
    trusted = {"trusted": tuple(policy["trusted"])}
    return Promotion(**found | {"policy": RoutingPolicy(**policy | trusted)})


def _to_promise(found: Fields) -> Promise:
    for name in ("agreement", "confidence", "threshold", "accepted_share", "bound"):
        _require_share(found, name)
    _require(0 <= found["errors"] <= found["audited"], "errors are not among the audited")
    return Promise(**found)


def _to_spend(found: Fields) -> TeacherSpend:
    _require(_HOUR.fullmatch(found["hour"]) is not None, "hour is none")
    for name, value in found.items():
        _require(isinstance(value, str) or value >= 0, f"{name} is negative")
    return TeacherSpend(**found)


def _to_canary(found: Fields) -> Canary:
    _require(found["right"] == -1 or 0 <= found["right"] <= 1, "right is no share, and not -1")
    return Canary(**found | {"facts": _facts(found)})


def _to_answer(found: Fields) -> TeacherAnswer:
    return TeacherAnswer(**found | {"facts": _facts(found)})


FROM_FIELDS: dict[type, Callable[[Fields], Any]] = {
    TextRecord: _to_text,
    EntityEvent: _to_event,
    TeacherRequest: _to_request,
    SilverLabel: _to_label,
    Promotion: _to_promotion,
    Promise: _to_promise,
    TeacherSpend: _to_spend,
    Canary: _to_canary,
    TeacherAnswer: _to_answer,
}
"""From the fields that the schema names to a value; `ValueError` when one is out of range."""


def _facts(found: Fields) -> tuple[Fact, ...]:
    # No text is at hand that they are held against: an order and a length can be asked all the
    # same.
    said = {(fact["start"], fact["end"], fact["label"]) for fact in found["facts"]}
    _require(all(0 <= start <= end for start, end, _ in said), "a fact is no span")
    return tuple(sorted(said))


def _entities(found: Fields) -> tuple[Entity, ...]:
    for entity in found["entities"]:
        _require_share(entity, "confidence")
        _require(bool(entity["label"]), "an entity has no label")
    return tuple(Entity(**entity) for entity in found["entities"])


def _categories(found: Fields) -> tuple[Category, ...]:
    for category in found["categories"]:
        _require_share(category, "confidence")
    categories = tuple(Category(**category) for category in found["categories"])
    validate_categories(categories)
    return categories


def _doubts(found: Fields, n_chars: int) -> tuple[Doubt, ...]:
    end, doubts = 0, []
    for one in found["doubts"]:
        for choice in one["choices"]:
            _require_share(choice, "probability")
        is_whole = one["start"] == one["end"] == 0 and len(found["doubts"]) == 1
        is_span = end <= one["start"] < one["end"] <= n_chars
        _require(is_whole or is_span, "the doubts are not sorted spans of the text")
        end = one["end"]
        choices = tuple(Choice(**choice) for choice in one["choices"])
        doubts.append(Doubt(one["start"], end, choices))
    return tuple(doubts)


def _check_spans(entities: tuple[Entity, ...]) -> None:
    # The event does not hold the text: what can be said without it.
    end = 0
    for entity in entities:
        _require(end <= entity.start < entity.end, "the entities are not sorted spans")
        _require(len(entity.surface) == entity.end - entity.start, "a surface has a wrong length")
        end = entity.end


def _require_share(found: Fields, name: str) -> None:
    _require(0 <= found[name] <= 1, f"{name} is not in [0, 1]")


def _require(holds: bool, what: str) -> None:  # noqa: FBT001 - an assertion that stays under -O
    if not holds:
        raise ValueError(what)
