from __future__ import annotations

from dataclasses import dataclass

from schemas.files.task import LabelSpec, Task
from schemas.types import Entity, TeacherRequest
from schemas.wire.labels import cold_label, teacher_label

ENTITIES = (Entity(0, 3, "PER", "Ada"),)


@dataclass(frozen=True)
class _Answer:
    entities: tuple[Entity, ...] = ENTITIES
    model: str = "m"
    prompt_version: str = "pv"
    tokens_in: int = 11
    tokens_out: int = 3


def _request(*, audit: bool) -> TeacherRequest:
    return TeacherRequest(
        task="people",
        task_digest="asked",
        record_id="news-3-41",
        source_topic="news",
        source_partition=3,
        key=None,
        headers=(),
        source_timestamp_ms=7,
        text="Ada",
        entities=(),
        confidence=0.4,
        reason="audit" if audit else "low_confidence",
        audit=audit,
        student_version="v1",
        policy_version="p",
        requested_at_ms=8,
        expires_at_ms=99,
    )


def test_a_label_of_the_stream_names_all_that_made_it() -> None:
    label = teacher_label(_request(audit=True), _Answer(), task_digest="answered", now_ms=9)
    assert (label.text, label.entities, label.source) == ("Ada", ENTITIES, "teacher")
    assert (label.task, label.task_digest, label.audit) == ("people", "answered", True)
    assert (label.teacher_model, label.prompt_version) == ("m", "pv")
    assert (label.student_version, label.record_id) == ("v1", "news-3-41")
    assert (label.tokens_in, label.tokens_out, label.labelled_at_ms) == (11, 3, 9)
    assert not teacher_label(_request(audit=False), _Answer(), task_digest="d", now_ms=9).audit


def test_a_cold_label_has_no_record_and_no_student() -> None:
    task = Task("people", "en", (LabelSpec("PER"),))
    asked = cold_label("Ada", ENTITIES, task=task, source="bootstrap", now_ms=9, answer=_Answer())
    assert (asked.task, asked.task_digest, asked.source) == ("people", task.digest, "bootstrap")
    assert (asked.record_id, asked.student_version, asked.audit) == ("", "", False)
    assert (asked.teacher_model, asked.prompt_version, asked.tokens_in) == ("m", "pv", 11)
    told = cold_label("Ada", list(ENTITIES), task=task, source="human", now_ms=9)
    assert (told.entities, told.source, told.teacher_model) == (ENTITIES, "human", "")
