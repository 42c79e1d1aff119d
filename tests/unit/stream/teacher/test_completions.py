from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import TeacherUnavailableError
from stream.teacher.completions import MAX_BODY_BYTES, Completion, Failure, Usage, read_completion


def read(**changes: Any) -> Completion:
    completion = read_completion(body(**changes))
    assert isinstance(completion, Completion)
    return completion


def said(message: Any, **choice: Any) -> Completion:
    return read(choices=[{"message": message, "finish_reason": "stop"} | choice])


def failed(**changes: Any) -> Failure:
    failure = read_completion(body(**changes))
    assert isinstance(failure, Failure)
    return failure


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
    assert read_completion(b"\xef\xbb\xbf" + body()) == read()


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
    assert read(usage=usage).usage is None


def test_the_fingerprint_of_the_system_is_read_and_a_strange_one_dropped() -> None:
    assert read(system_fingerprint="fp_a").fingerprint == "fp_a"
    assert read().fingerprint is None
    assert read(system_fingerprint="a\nb").fingerprint is None


@pytest.mark.parametrize("model", [None, 3, "", "x" * 101, "a\nb", "a\x1b[31m"])
def test_a_model_name_that_may_not_stand_in_a_log_is_dropped(model: Any) -> None:
    assert read(model=model).model is None


def test_parts_of_a_wrong_type_are_none() -> None:
    completion = said({"content": 7, "refusal": 3, "tool_calls": 1}, finish_reason=1)
    assert (completion.content, completion.refusal, completion.finish_reason) == (None,) * 3


# The answer elsewhere than in `content`.

CALL = {"function": {"name": "entities", "arguments": "{}"}}


@pytest.mark.parametrize(
    "message",
    [
        {"content": "{}"},
        {"content": [{"type": "text", "text": "{"}, {"type": "text", "text": "}"}]},
        {"content": [{"type": "output_text", "text": "{}"}]},
        {"content": [{"text": "{}"}, None, 7, {"type": "image_url"}, {"type": "text"}]},
        {"content": ["{}"]},
        {"content": {}},
        {"content": [{"type": "thinking", "thinking": [{"text": "{1}"}]}, {"text": "{}"}]},
        {"content": None, "tool_calls": [CALL]},
        {"content": "", "tool_calls": [CALL]},
        {"tool_calls": [CALL]},
        {"tool_calls": [{"function": {"arguments": {}}}]},
        {"tool_calls": [None, {}, {"function": 7}, CALL]},
        {"content": None, "function_call": {"name": "entities", "arguments": "{}"}},
        {"content": None, "reasoning": "{}"},
        {"content": "", "reasoning_content": "{}"},
        {"content": " \n", "reasoning": None, "reasoning_content": "{}"},
        {"content": [], "reasoning": [{"type": "text", "text": "{}"}]},
        {"content": "{}", "reasoning": "thoughts", "reasoning_content": "thoughts"},
        {"content": "{}", "refusal": ""},
        {"content": "{}", "tool_calls": [], "function_call": None},
    ],
)
def test_the_answer_is_read_wherever_it_stands(message: Any) -> None:
    completion = said(message)
    assert (completion.content, completion.refusal) == ("{}", None)


def test_words_before_a_tool_call_are_kept_before_its_arguments() -> None:
    assert said({"content": "I call:", "tool_calls": [CALL]}).content == "I call:\n{}"


def test_every_tool_call_is_read_so_that_two_that_differ_are_seen() -> None:
    other = {"function": {"arguments": "{1}"}}
    assert said({"tool_calls": [CALL, other]}).content == "{}\n{1}"


def test_a_refusal_is_read_among_the_parts_too() -> None:
    refusal = {"type": "refusal", "refusal": "no"}
    assert said({"content": [refusal]}).refusal == "no"
    assert said({"content": None, "refusal": "no"}).refusal == "no"


def test_a_message_that_a_filter_took_away_is_no_failure() -> None:
    completion = read(choices=[{"finish_reason": "content_filter"}])
    assert (completion.content, completion.finish_reason) == (None, "content_filter")


# An error where an answer should be.


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"code": 429}, 429),
        ({"code": "503"}, 503),
        ({"status": 504, "code": "X"}, 504),
        ({"status_code": 401}, 401),
        ({"code": "rate_limit_exceeded"}, 429),
        ({"code": None, "type": "rate_limit_error"}, 429),
        ({"code": "insufficient_quota", "type": "insufficient_quota"}, 429),
        ({"type": "Too Many Requests"}, 429),
        ({"status": "RESOURCE_EXHAUSTED", "code": 8}, 429),
        ({"type": "overloaded_error"}, 503),
        ({"code": "engine_overloaded"}, 503),
        ({"code": "invalid_api_key", "type": "invalid_request_error"}, 401),
        ({"type": "authentication_error"}, 401),
        ({"code": "model_not_found"}, 404),
        ({"code": "context_length_exceeded"}, 400),
        ({"type": "invalid_request_error"}, 400),
        ({"type": "server_error"}, 500),
        ({"code": "upstream_timeout"}, 504),
        ({"message": "odd"}, None),
        ({"code": 40303}, None),
        ({"code": True}, None),
        ({"code": ["429"]}, None),
        ("busy", None),
        ("rate_limit_exceeded", 429),
        (["busy"], None),
    ],
)
def test_an_error_in_the_body_is_judged_by_its_code(error: Any, status: int | None) -> None:
    assert failed(error=error, choices=[]).status == status
    assert failed(error=error).status == status
    assert failed(choices=[{"error": error, "finish_reason": "error"}]).status == status


@pytest.mark.parametrize("code", ["content_filter", "content_policy_violation", "moderation"])
def test_a_content_filter_has_one_name(code: str) -> None:
    failure = failed(error={"code": code, "message": "no"})
    assert (failure.status, failure.error["code"]) == (400, "content_filter")


def test_an_error_object_in_place_of_a_completion_is_read() -> None:
    told = json.dumps({"object": "error", "message": "busy", "code": 429}).encode()
    assert read_completion(told) == Failure(429, {"message": "busy", "code": 429}, None)
    assert read_completion(b"{}") == Failure(None, {}, None)


@pytest.mark.parametrize(
    "choices", [[], None, [None], [{}], [{"message": None}], [{"message": "hi"}], {"0": 1}]
)
def test_a_body_without_a_message_is_a_failure_with_its_usage(choices: Any) -> None:
    failure = failed(choices=choices)
    assert (failure.status, failure.usage) == (None, Usage(7, 3))


def test_no_tokens_used_is_no_usage() -> None:
    assert failed(choices=[], usage={"prompt_tokens": 0, "completion_tokens": 0}).usage is None


@pytest.mark.parametrize("error", [None, {}, "", False])
def test_an_error_field_without_an_error_does_not_matter(error: Any) -> None:
    assert read(error=error).content == "{}"


@settings(max_examples=100)
@given(st.binary(max_size=40) | st.integers(0, 150).map(lambda n: body()[:n]))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with pytest.raises(TeacherUnavailableError):
        read_completion(data)


@pytest.mark.parametrize(
    ("usage", "billed"),
    [
        ({"completion_tokens_details": {"reasoning_tokens": 2}}, Usage(7, 3, 2)),
        (
            {"completion_tokens_details": {"reasoning_tokens": 5}, "total_tokens": 15},
            Usage(7, 8, 5),
        ),
        ({"completion_tokens_details": {"reasoning_tokens": 5}}, Usage(7, 5, 5)),
        ({"total_tokens": 15}, Usage(7, 8)),
        ({"total_tokens": 10}, Usage(7, 3)),
        ({"total_tokens": "many", "completion_tokens_details": [5]}, Usage(7, 3)),
    ],
)
def test_thoughts_are_billed_whether_or_not_the_completion_counts_them(
    usage: Any, billed: Usage
) -> None:
    assert read(usage={"prompt_tokens": 7, "completion_tokens": 3, **usage}).usage == billed
