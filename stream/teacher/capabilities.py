"""In which form a server takes requests: found out at its refusals, and kept for the process.

We ask for the strictest form first, a JSON schema that the server enforces, at temperature 0,
and step down by what the server names when it refuses: `json_schema`, `json_object`, plain text
(the prompt asks for JSON in any case); `max_tokens`, `max_completion_tokens`; no temperature; no
`strict`. What a setting fixes is never changed.

`max_tokens` comes first, because the open-source servers know only that one; without a limit a
reservation would bound nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

import structlog

from schemas.settings import TeacherSettings
from stream.teacher.refusals import Refusal, about

_log = structlog.get_logger()

ResponseFormat = Literal["json_schema", "json_object", "text"]
LimitParameter = Literal["max_tokens", "max_completion_tokens"]

_ABOUT_THE_FORM = frozenset({400, 422, 501})
_FORMAT_WORDS = re.compile(
    r"response[ _]?format|json[ _]schema|json[ _]object|json[ _]mode|response_schema|"
    r"structured output|guided|grammar"
)
_LIMIT_WORDS = re.compile(r"\bmax_tokens\b")
_TEMPERATURE_WORDS = re.compile(r"\btemperature\b")
_STRICT_WORDS = re.compile(r"\bstrict\b")
_UNKNOWN_WORDS = re.compile(
    r"not support|unsupported|unknown|unrecogni[sz]ed|unexpected|not permitted|not allowed|"
    r"invalid param|extra|deprecated|not available|unavailable|use '?max_completion_tokens"
)
_NEXT_FORMAT: Final[dict[ResponseFormat, ResponseFormat]] = {
    "json_schema": "json_object",
    "json_object": "text",
}


@dataclass(frozen=True, slots=True)
class RequestForm:
    """How a request is put."""

    response_format: ResponseFormat = "json_schema"
    strict: bool = True
    limit_parameter: LimitParameter = "max_tokens"
    temperature: float | None = 0.0

    def arguments(
        self, *, schema: dict[str, Any], schema_name: str, max_tokens: int
    ) -> dict[str, Any]:
        """Return the parameters of a chat completion, those that are not sent left out."""
        sent: dict[str, Any] = {self.limit_parameter: max_tokens}
        if self.temperature is not None:
            sent["temperature"] = self.temperature
        if self.response_format == "json_object":
            sent["response_format"] = {"type": "json_object"}
        elif self.response_format == "json_schema":
            named = {"name": schema_name, "schema": schema}
            strict = {"strict": True} if self.strict else {}
            sent["response_format"] = {"type": "json_schema", "json_schema": named | strict}
        return sent


def first_form(settings: TeacherSettings) -> RequestForm:
    """Return the form to begin with: what the settings fix, and else the strictest."""
    form = RequestForm()
    if settings.response_format != "auto":
        form = replace(form, response_format=settings.response_format)
    if settings.strict != "auto":
        form = replace(form, strict=settings.strict == "on")
    if settings.limit_parameter != "auto":
        form = replace(form, limit_parameter=settings.limit_parameter)
    if settings.temperature != "auto":
        fixed = None if settings.temperature == "none" else settings.temperature
        form = replace(form, temperature=fixed)
    return form


def stepped_down(
    form: RequestForm, refusal: Refusal, settings: TeacherSettings
) -> RequestForm | None:
    """Return the next form to try after `form` was refused so; None where there is none.

    The parameter that the refusal names counts before its words.
    """
    if refusal.status not in _ABOUT_THE_FORM or about(refusal) in {"text", "filter"}:
        return None
    for named in (refusal.param, refusal.said):
        for next_form in _steps(form, named, refusal.said, settings):
            return next_form
    return None


def _steps(
    form: RequestForm, named: str, said: str, settings: TeacherSettings
) -> Iterator[RequestForm]:
    has_schema = form.response_format == "json_schema"
    if settings.strict == "auto" and has_schema and form.strict and _STRICT_WORDS.search(named):
        yield replace(form, strict=False)
    lower = _NEXT_FORMAT.get(form.response_format)
    if settings.response_format == "auto" and lower and _FORMAT_WORDS.search(named):
        yield replace(form, response_format=lower)
    # A limit that is too high for the model is named as well: no other name would help.
    if (
        settings.limit_parameter == "auto"
        and form.limit_parameter == "max_tokens"
        and _LIMIT_WORDS.search(named)
        and _UNKNOWN_WORDS.search(said)
    ):
        yield replace(form, limit_parameter="max_completion_tokens")
    if (
        settings.temperature == "auto"
        and form.temperature is not None
        and _TEMPERATURE_WORDS.search(named)
    ):
        yield replace(form, temperature=None)


def names_our_form(refusal: Refusal) -> bool:
    """Whether the refusal names a parameter of ours, one that no step down would mend."""
    words = (_FORMAT_WORDS, _LIMIT_WORDS, _TEMPERATURE_WORDS, re.compile("max_completion_tokens"))
    places = (refusal.param, refusal.said)
    return any(word.search(place) for word in words for place in places)


class Capabilities:
    """The form in use, shared by all calls under way: what one finds out holds for all."""

    def __init__(self, settings: TeacherSettings) -> None:
        self._settings = settings
        self._first = first_form(settings)
        self.form = self._first
        """How requests are put now."""

    def step_down(self, refused: RequestForm, refusal: Refusal) -> bool:
        """Take the next form after `refused` was; false when there is none.

        Where another call has stepped down meanwhile, its form is to be tried. What is not about
        the form (a limit, a fault, the key) says nothing of another one.
        """
        if refusal.status not in _ABOUT_THE_FORM:
            return False
        if self.form != refused:
            return True
        lower = stepped_down(refused, refusal, self._settings)
        if lower is None:
            return False
        self.form = lower
        _log.warning("teacher_stepped_down", words=refusal.words, **_changes(refused, lower))
        return True

    @property
    def steps_taken(self) -> dict[str, Any]:
        """What is sent otherwise than at first, by parameter; empty when nothing is."""
        return _changes(self._first, self.form)


def _changes(before: RequestForm, now: RequestForm) -> dict[str, Any]:
    then = asdict(before)
    return {name: value for name, value in asdict(now).items() if value != then[name]}
