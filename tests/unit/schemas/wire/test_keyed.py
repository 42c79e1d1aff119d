from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from schemas.errors import DecodeError
from schemas.types import TeacherAnswer
from schemas.wire.codec import Codec
from schemas.wire.keyed import (
    JOINED,
    answer_key,
    decode_keyed,
    promise_key,
    spend_key,
    task_key,
)
from schemas.wire.record_ids import label_key, silver_key
from stream.testing.messages import a_canary, a_label, a_promise, a_promotion
from stream.testing.spend_topic import an_opening

PERSON, TEACHER = a_label(text="Ada", source="human"), a_label(text="Ada")
PROMISE, SPENT = a_promise(), an_opening()
BOTH = [
    (PERSON, label_key(PERSON)),
    (TEACHER, label_key(TEACHER)),
    (TEACHER, label_key(PERSON)),  # as 0.1.0 wrote it
    (a_promotion(), task_key(a_promotion())),
    (a_canary(), task_key(a_canary())),
    (PROMISE, promise_key(PROMISE)),
    (TeacherAnswer("a" * 64, "p", "m", "at"), answer_key(TeacherAnswer("a" * 64, "p", "m", "at"))),
    (SPENT, spend_key(SPENT)),
    (joined := replace(SPENT, purpose=JOINED, ledger="here"), spend_key(joined)),
]


@pytest.mark.parametrize(("value", "key"), BOTH)
def test_a_value_is_read_under_its_own_key(value: Any, key: bytes) -> None:
    assert decode_keyed(Codec(), type(value), key, Codec().encode(value, "topic")) == value


@pytest.mark.parametrize(
    ("value", "key"),
    [
        *((value, other) for value, key in BOTH for other in (None, b"", key + b"x", b"other")),
        (PERSON, label_key(TEACHER)),
        (TEACHER, silver_key(TEACHER.task, "Bo")),
        (TEACHER, label_key(replace(TEACHER, task="another"))),
        (PROMISE, promise_key(replace(PROMISE, label="PER"))),
        (SPENT, spend_key(replace(SPENT, holder="another"))),
    ],
)
def test_under_the_key_of_another_it_is_no_value(value: Any, key: bytes | None) -> None:
    with pytest.raises(DecodeError, match="under the key of another"):
        decode_keyed(Codec(), type(value), key, Codec().encode(value, "topic"))
