"""Values of every kind that travels, drawn at random, and one event."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from schemas.types import (
    Canary,
    Choice,
    Doubt,
    Entity,
    EntityEvent,
    Promise,
    Promotion,
    RoutingPolicy,
    SilverLabel,
    TeacherAnswer,
    TeacherRequest,
    TeacherSpend,
    TextRecord,
)
from schemas.wire.avro_schemas import FOLDERS
from stream.testing.messages import an_event

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
shares = st.floats(0, 1)
longs = st.integers(-(2**63), 2**63 - 1)


@st.composite
def spans(draw: st.DrawFn, text: str) -> tuple[Entity, ...]:
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=6)))
    pairs = zip(cuts[::2], cuts[1::2], strict=False)
    return tuple(
        Entity(a, b, draw(st.sampled_from("XY")), text[a:b], draw(shares)) for a, b in pairs
    )


def _built(kind: type, **parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    basic = {"str": words, "int": longs, "float": shares, "bool": st.booleans()}
    types = {name: basic.get(str(hint)) for name, hint in kind.__annotations__.items()}
    chosen = {name: found for name, found in types.items() if found is not None} | parts
    return st.builds(kind, **chosen)


def _values(text: str) -> dict[type, st.SearchStrategy[Any]]:
    entities = spans(text)
    return {
        TextRecord: st.just(TextRecord(text)),
        EntityEvent: _built(EntityEvent, entities=entities, revision=st.integers(1, 2**31 - 1)),
        TeacherRequest: _built(
            TeacherRequest,
            text=st.just(text),
            entities=entities,
            source_partition=st.integers(0, 2**31 - 1),
            key=st.none() | st.binary(max_size=5),
            headers=st.lists(st.tuples(words, st.binary(max_size=5)), max_size=3).map(tuple),
            doubts=st.lists(
                st.builds(Choice, label=words, probability=st.floats(0, 1)), max_size=3
            ).map(lambda choices: (Doubt(0, 0, tuple(choices)),)),
        ),
        SilverLabel: _built(
            SilverLabel,
            text=st.just(text),
            entities=entities,
            weight=st.floats(0, 1, exclude_min=True),
        ),
        Promotion: _built(
            Promotion,
            sequence=st.integers(1, 2**63 - 1),
            policy=_built(RoutingPolicy),
            metrics=st.dictionaries(words, st.floats(allow_nan=False), max_size=3),
        ),
        Promise: _built(
            Promise,
            **dict.fromkeys(
                ("agreement", "confidence", "threshold", "accepted_share", "bound"), st.floats(0, 1)
            ),
            audited=st.just(9),
            errors=st.integers(0, 9),
            offsets=st.dictionaries(words, st.integers(0, 2**63 - 1), max_size=3),
        ),
        TeacherSpend: st.builds(
            TeacherSpend,
            hour=st.just("2026-11-26T17"),
            task=words,
            purpose=words,
            holder=words,
            sequence=st.integers(0, 2**63 - 1),
            ledger=words,
            nano_usd=st.integers(0, 2**63 - 1),
            tokens_reasoning=st.integers(0, 9),
        ),
        TeacherAnswer: st.builds(
            TeacherAnswer,
            question=words,
            prompt_version=words,
            asked_model=words,
            endpoint=words,
            model=words,
            facts=st.sets(st.tuples(st.integers(0, 9), st.integers(9, 99), words), max_size=3).map(
                lambda said: tuple(sorted(said))
            ),
            answered_at_ms=st.integers(0, 2**63 - 1),
        ),
        Canary: _built(
            Canary,
            facts=st.sets(st.tuples(st.integers(0, 9), st.integers(9, 99), words), max_size=3).map(
                lambda said: tuple(sorted(said))
            ),
            right=st.just(-1.0) | st.floats(0, 1),
        ),
    }


values = texts.flatmap(lambda text: st.one_of(*_values(text).values()))
KINDS = list(FOLDERS)

ADA, OSLO = Entity(0, 3, "PER", "Ada", 0.5), Entity(12, 16, "LOC", "Oslo", 0.75)
EVENT = an_event(entities=(ADA, OSLO), confidence=0.5, source_timestamp_ms=-5)
