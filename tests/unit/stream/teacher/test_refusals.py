from __future__ import annotations

import json
from typing import Any

import pytest

from stream.teacher.refusals import (
    About,
    about,
    never_fits,
    out_of_money,
    read_refusal,
    without_secrets,
)

TEXT = "Yesterday Ada Lovelace met the ambassador in Oslo"


def refusal(status: int, body: Any) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_refusal(status, raw, secrets=["sk-live-0123456789"], text=TEXT)


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "No such thing", "code": "x", "param": "temperature"}},
        [{"error": {"message": "No such thing", "status": "INVALID_ARGUMENT"}}],
        {"error": "No such thing"},
        {"object": "error", "message": "No such thing", "type": "BadRequestError"},
        {"detail": "No such thing"},
        {"detail": [{"loc": ["body", "x"], "msg": "No such thing", "input": {"a": TEXT}}]},
        {"error": {"message": "Provider error", "metadata": {"raw": "No such thing"}}},
        b"<html><body>No such\x07 thing</body></html>",
    ],
)
def test_the_servers_own_words_are_found_in_every_form(body: Any) -> None:
    assert "No such thing" in refusal(400, body).words


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{}", b"\xff\xfe", b'{"error": null}', b"[" * 9999]
)
def test_a_body_that_says_nothing_leaves_the_status(body: bytes) -> None:
    assert str(refusal(418, body)).startswith("418")


def test_words_are_bounded_printable_and_without_key_or_text() -> None:
    said = f"Key sk-live-0123456789 is wrong for {TEXT!r}\nand sk-other-12345 too " + "x" * 5000
    words = refusal(401, {"error": {"message": said}}).words
    assert len(words) <= 200
    assert words.isprintable()
    assert "Ada" not in words
    assert "sk-" not in words
    assert "is wrong for" in words


def test_a_part_of_the_text_is_masked_too() -> None:
    error = {"error": {"message": "near 'Ada Lovelace' there"}}
    assert refusal(400, error).words == "near '…' there"


def test_words_that_a_long_text_has_too_are_understood_all_the_same() -> None:
    text = "Models: temperature and response_format are words of any text about servers."
    body = json.dumps({"error": {"message": "response_format is not supported"}}).encode()
    assert "response_format" in read_refusal(400, body, text=text).said


def test_a_code_behind_a_long_message_is_read() -> None:
    long = {"error": {"message": "x" * 50_000, "code": "context_length_exceeded"}}
    assert about(refusal(400, long)) == "text"


@pytest.mark.parametrize("opening", ['{"error": ', '[{"error": ', " {"])
def test_json_that_broke_off_is_not_quoted(opening: str) -> None:
    assert refusal(400, f"{opening}{{'message': 'near Ada'".encode()).words == ""


@pytest.mark.parametrize("hidden", ["key", "text"])
def test_a_text_and_a_key_are_masked_in_the_escapes_of_json_too(hidden: str) -> None:
    secret = "Вчера Ада была в Осло\nи дома"
    body = {"error": {"message": "Failed", "metadata": {"raw": json.dumps({"input": secret})}}}
    secrets, text = ([secret], "") if hidden == "key" else ([], secret)
    found = read_refusal(400, json.dumps(body).encode(), secrets=secrets, text=text)
    assert found.words == 'Failed {"input": "…"}'
    assert "\\u" not in found.said


def test_a_key_that_the_server_shows_in_part_is_masked() -> None:
    assert "abcd" not in without_secrets("Incorrect API key: sk-p*********abcd.", [])


@pytest.mark.parametrize(
    ("status", "error", "whom"),
    [
        (400, {"code": "content_filter"}, "filter"),
        (403, {"message": "your input was flagged"}, "filter"),
        (400, {"code": "context_length_exceeded"}, "text"),
        (
            400,
            {"message": "'max_tokens' is too large: 9. The model's maximum context length is 8"},
            "text",
        ),
        (413, {}, "text"),
        (
            400,
            {"message": "input length and `max_tokens` exceed context limit: 199000 + 9 > 200000"},
            "text",
        ),
        (400, {"message": "API key not valid. Please pass a valid API key."}, "us"),
        (400, {"message": "The model `x` does not exist"}, "us"),
        (400, {"code": "unsupported_parameter", "param": "top_k"}, "us"),
        (400, {"message": "Your credit balance is too low"}, "us"),
        (401, {}, "us"),
        (402, {}, "us"),
        (403, {}, "us"),
        (404, {}, "us"),
        (400, {"message": "bad request"}, "unclear"),
        (422, {}, "unclear"),
    ],
)
def test_it_tells_whom_a_refusal_is_about(status: int, error: dict[str, str], whom: About) -> None:
    assert about(refusal(status, {"error": error})) == whom


@pytest.mark.parametrize(
    ("message", "never"),
    [
        (
            "Request too large for gpt-4o on tokens per min (TPM): Limit 3, Requested 4. The input",
            True,
        ),
        ("The input or output tokens must be reduced in order to run successfully.", True),
        ("Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000, Used 29000", False),
        ("Too many tokens, please wait before trying again.", False),
        ("Insufficient balance: the request's tokens must be reduced", False),
    ],
)
def test_a_text_that_no_waiting_fits_into_a_limit_is_told_from_too_many(
    message: str, *, never: bool
) -> None:
    assert never_fits(refusal(429, {"error": {"message": message}})) == never


def test_what_the_text_says_changes_nothing() -> None:
    told = "invalid api key: your credit balance is too low"
    body = json.dumps({"error": {"message": f"cannot read {told!r}"}}).encode()
    assert about(read_refusal(400, body, text=told)) == "unclear"


def test_an_account_without_quota_is_told_from_one_that_is_too_fast() -> None:
    gemini = {
        "code": 429,
        "message": "You exceeded your current quota, please check your plan and billing details. "
        "For more information on this error, head over to: "
        "https://ai.google.dev/gemini-api/docs/rate-limits.",
        "status": "RESOURCE_EXHAUSTED",
    }
    inactive = {"message": "Billing not active"}
    assert out_of_money(refusal(429, {"error": {"code": "insufficient_quota"}}))
    assert out_of_money(refusal(429, {"error": {"message": "Insufficient balance"}}))
    assert out_of_money(refusal(429, {"error": inactive}))
    assert not out_of_money(refusal(429, {"error": gemini}))
    assert not out_of_money(refusal(429, {"error": {"message": "Rate limit reached"}}))
