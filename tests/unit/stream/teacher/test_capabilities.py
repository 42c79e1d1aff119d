from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.settings import TeacherSettings
from stream.teacher.capabilities import Capabilities, RequestForm, first_form, stepped_down
from stream.teacher.refusals import Refusal, read_refusal

FIRST = RequestForm()


def refusal(message: str, *, status: int = 400, **error: Any) -> Refusal:
    return read_refusal(status, json.dumps({"error": {"message": message, **error}}).encode())


def step(form: RequestForm, why: Refusal, **settings: Any) -> RequestForm | None:
    return stepped_down(form, why, TeacherSettings(**settings))


OPENAI_LIMIT = refusal(
    "Unsupported parameter: 'max_tokens' is not supported with this model. "
    "Use 'max_completion_tokens' instead.",
    param="max_tokens",
    code="unsupported_parameter",
)
OPENAI_TEMPERATURE = refusal(
    "Unsupported value: 'temperature' does not support 0 with this model.", param="temperature"
)
DEEPSEEK = refusal("This response_format type is unavailable now")
LLAMA = refusal("response_format type must be 'text' or 'json_object', but got: json_schema")
TGI = refusal("`temperature` must be strictly positive", status=422)


def test_it_begins_with_the_strictest_form() -> None:
    sent = first_form(TeacherSettings()).arguments(
        schema={"a": 1}, schema_name="entities", max_tokens=9
    )
    assert sent == {
        "max_tokens": 9,
        "temperature": 0.0,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "entities", "schema": {"a": 1}, "strict": True},
        },
    }


def test_what_is_not_wanted_is_not_sent() -> None:
    form = RequestForm("text", limit_parameter="max_completion_tokens", temperature=None)
    assert form.arguments(schema={}, schema_name="x", max_tokens=9) == {"max_completion_tokens": 9}
    loose = RequestForm(strict=False).arguments(schema={}, schema_name="x", max_tokens=9)
    assert "strict" not in loose["response_format"]["json_schema"]


@pytest.mark.parametrize(
    ("why", "changed"),
    [
        (OPENAI_LIMIT, {"limit_parameter": "max_completion_tokens"}),
        (OPENAI_TEMPERATURE, {"temperature": None}),
        (TGI, {"temperature": None}),
        (DEEPSEEK, {"response_format": "json_object"}),
        (LLAMA, {"response_format": "json_object"}),
        (refusal('Unknown name "strict" at json_schema'), {"strict": False}),
        (refusal("no grammar", status=501), {"response_format": "json_object"}),
    ],
)
def test_what_the_server_names_is_stepped_down(why: Refusal, changed: dict[str, Any]) -> None:
    capabilities = Capabilities(TeacherSettings())
    assert capabilities.step_down(FIRST, why)
    assert capabilities.steps_taken == changed


def test_a_list_of_faults_as_mistral_gives_it_is_read() -> None:
    place = ["body", "response_format", "json_schema", "strict"]
    detail = [{"loc": place, "msg": "Extra inputs are not permitted", "input": True}]
    why = read_refusal(422, json.dumps({"detail": detail}).encode())
    assert step(FIRST, why) == RequestForm(strict=False)


def test_formats_end_with_none() -> None:
    second = step(FIRST, LLAMA)
    assert second is not None
    third = step(second, LLAMA)
    assert third == RequestForm("text")
    assert step(third, LLAMA) is None


@pytest.mark.parametrize(
    "why",
    [
        refusal("'max_tokens' is too large: the maximum context length is 512"),
        refusal("max_tokens must be at most 512", param="max_tokens"),
        refusal("temperature", status=429),
        refusal("response_format", code="content_filter"),
        refusal("something else"),
    ],
)
def test_other_refusals_change_nothing(why: Refusal) -> None:
    assert step(FIRST, why) is None


@pytest.mark.parametrize(
    ("why", "settings"),
    [
        (OPENAI_LIMIT, {"limit_parameter": "max_tokens"}),
        (OPENAI_TEMPERATURE, {"temperature": 0.0}),
        (DEEPSEEK, {"response_format": "json_schema"}),
        (refusal("strict"), {"strict": "on"}),
    ],
)
def test_what_a_setting_fixes_is_never_changed(why: Refusal, settings: dict[str, Any]) -> None:
    form = first_form(TeacherSettings(**settings))
    assert step(form, why, **settings) is None


def test_settings_spare_the_refusals() -> None:
    settings = TeacherSettings(
        response_format="json_object",
        strict="off",
        limit_parameter="max_completion_tokens",
        temperature="none",
    )
    assert first_form(settings) == RequestForm("json_object", False, "max_completion_tokens", None)


def test_who_was_refused_in_an_older_form_takes_the_newer_one() -> None:
    capabilities = Capabilities(TeacherSettings())
    assert capabilities.step_down(FIRST, OPENAI_LIMIT)
    newer = capabilities.form
    assert capabilities.step_down(FIRST, OPENAI_LIMIT)
    assert capabilities.form == newer


@pytest.mark.parametrize("status", [401, 403, 404, 408, 429, 500, 503, 504, 524])
def test_a_refusal_that_is_not_of_the_form_is_not_repeated_in_a_newer_one(status: int) -> None:
    capabilities = Capabilities(TeacherSettings())
    assert capabilities.step_down(FIRST, OPENAI_LIMIT)
    assert not capabilities.step_down(FIRST, refusal("max_tokens", status=status))
