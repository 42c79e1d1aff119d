from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import TeacherUnavailableError
from stream.teacher.completions import MAX_BODY_BYTES, Completion, Usage, read_completion


def body(**changes: Any) -> bytes:
    message = {"role": "assistant", "content": "{}", "refusal": None}
    completion = {
        "model": "gpt",
        "choices": [{"message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3},
    }
    return json.dumps(completion | changes).encode()


def test_the_parts_that_matter_are_read() -> None:
    assert read_completion(body()) == Completion("{}", None, "stop", "gpt", Usage(7, 3))


def test_a_byte_order_mark_does_not_matter() -> None:
    assert read_completion(b"\xef\xbb\xbf" + body()).content == "{}"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>Bad gateway</html>",
        b"\xff\xfe\x00",
        b"[]",
        b"null",
        b"7",
        body()[:-10],
        body(choices=[]),
        body(choices=None),
        body(choices=[None]),
        body(choices=[{}]),
        body(choices=[{"message": None}]),
        body(choices=[{"message": "hi"}]),
        b"[" * 100_000,
        b" " * (MAX_BODY_BYTES + 1),
    ],
)
def test_what_is_no_completion_may_be_asked_for_again(data: bytes) -> None:
    with pytest.raises(TeacherUnavailableError):
        read_completion(data)


@pytest.mark.parametrize(
    "usage",
    [
        None,
        [],
        {},
        {"prompt_tokens": 7},
        {"prompt_tokens": -1, "completion_tokens": 3},
        {"prompt_tokens": True, "completion_tokens": 3},
        {"prompt_tokens": 7, "completion_tokens": "3"},
        {"prompt_tokens": 7.5, "completion_tokens": 3},
        {"prompt_tokens": 10**12, "completion_tokens": 3},
    ],
)
def test_a_bill_that_makes_no_sense_is_none(usage: Any) -> None:
    assert read_completion(body(usage=usage)).usage is None


@pytest.mark.parametrize("model", [None, 3, "", "x" * 101, "a\nb", "a\x1b[31m"])
def test_a_model_name_that_may_not_stand_in_a_log_is_dropped(model: Any) -> None:
    assert read_completion(body(model=model)).model is None


def test_parts_of_a_wrong_type_are_none() -> None:
    choice = {"message": {"content": [{"text": "x"}], "refusal": 3}, "finish_reason": 1}
    completion = read_completion(body(choices=[choice]))
    assert (completion.content, completion.refusal, completion.finish_reason) == (None,) * 3


@settings(max_examples=100)
@given(st.binary(max_size=40) | st.integers(0, 150).map(lambda n: body()[:n]))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with pytest.raises(TeacherUnavailableError):
        read_completion(data)
