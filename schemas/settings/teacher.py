"""The section of the teacher."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, ValidationError, model_validator

from schemas.settings.batch import BatchSettings
from schemas.settings.examples import ExamplesSettings
from schemas.settings.redaction import RedactionSettings
from schemas.settings.section import (
    Money,
    NotNegative,
    PositiveFloat,
    PositiveInt,
    Share,
    TopicName,
)
from schemas.settings.teacher_endpoint import NamedTeacher, TeacherEndpoint

_ROOM_AFTER_A_BATCH_S: Final = 3600.0
"""In which a batch that is late is cancelled, and what it lacks is asked live."""
_OF_THE_CLUSTER: Final = (
    "budget_usd_per_hour",
    "budget_usd_per_task",
    "budget_tokens_per_hour",
    "budget_tokens_per_day",
    "budget_tokens_per_task",
)


class TeacherSettings(TeacherEndpoint):
    """The OpenAI-compatible endpoint and what it may cost.

    With several teachers the endpoint is that of the first, and the rest holds for all of them.
    """

    budget_usd_per_day: Money = 10.0
    budget_holds_for: Literal["machine", "cluster"] = "machine"
    """Whom the budget bounds: all who share the state file, or, by the topic `teacher-spend`, all
    who share that, on however many machines."""
    answers_held_for: Literal["machine", "cluster"] = "machine"
    """Who takes an answer in place of a call: all who share the state file, or, by the topic
    `teacher-answers`, all who share that."""
    budget_usd_per_hour: Money | None = None
    budget_usd_per_task: Money | None = None
    """For good: all that is ever spent on the task."""
    budget_tokens_per_hour: PositiveInt | None = None
    budget_tokens_per_day: PositiveInt | None = None
    budget_tokens_per_task: PositiveInt | None = None
    budget_share_apart: Share = 0.1
    """Of each limit: what is kept for all that is no deferred record, and no more than that."""
    canaries_per_hour: NotNegative = 0.0
    """How often the teacher is asked about a text whose answer is known, to see whether it is still
    the one that it was; 0: never."""
    canaries: Path | None = None
    """Labelled texts to ask about; null: texts that the teacher has labelled. Where consent is
    asked for it must be set: labels do not say whether the teacher may see their texts."""
    compared_share: Share = 0.2
    """Of several teachers: of the audits, the share that all of them are asked about."""
    tolerated_loss: Share = 0.05
    """Of several teachers: another than the first is asked where it is cheaper, and the worse one
    in no more than this share of the records, less those in which it is the better one."""
    batch: BatchSettings = BatchSettings()
    """Of several teachers it is that of the first."""
    request_ttl_s: PositiveFloat = 6 * 3600.0
    few_shot: Annotated[int, Field(ge=0)] = 0
    """Examples drawn from `distill.gold`'s unused part; 0 uses those of the task file alone."""
    examples: ExamplesSettings = ExamplesSettings()
    prompts: Path | None = None
    """Where versions of the prompt are kept, a folder a task; null: `prompts` beside the task
    file."""
    state: Path = Path("state/teacher.sqlite")
    """Answer cache and spend ledger."""
    redaction: RedactionSettings = RedactionSettings()
    consent_header: str | None = None
    """A header of the input's records that says whether the teacher may see them; see
    `schemas.consent`."""
    consent_topics: tuple[TopicName, ...] = ()
    """Input topics all of whose records the teacher may see."""

    @model_validator(mode="after")
    def _finer_limits_are_the_clusters(self) -> Self:
        finer = [name for name in _OF_THE_CLUSTER if getattr(self, name) is not None]
        if finer and self.budget_holds_for == "machine":
            raise ValueError(
                f"{finer[0]} is kept by the topic teacher-spend: set budget_holds_for: cluster"
            )
        return self

    @model_validator(mode="after")
    def _batches_of_the_stream_come_in_time(self) -> Self:
        if "stream" not in self.batch.purposes:
            return self
        if self.ask == "unsure":
            raise ValueError(
                "batch.purposes with stream: a batch asks about whole texts, and ask is unsure"
            )
        # What comes while a batch waits is taken when that has ended, and then waits for its own.
        takes_s = self.batch.gather_s + 2 * self.batch.deadline_s + _ROOM_AFTER_A_BATCH_S
        if self.request_ttl_s < takes_s:
            raise ValueError(
                f"batch.purposes with stream: request_ttl_s ({self.request_ttl_s:g}) must be "
                f"{takes_s:g} or more, which is gather_s, twice deadline_s and an hour: what comes "
                "while a batch waits would expire before the next one ends (or lower deadline_s)"
            )
        return self

    @model_validator(mode="after")
    def _canaries_have_consent(self) -> Self:
        consent = self.consent_header is not None or bool(self.consent_topics)
        if consent and self.canaries_per_hour > 0 and self.canaries is None:
            raise ValueError(
                "with consent_header or consent_topics, set canaries to a file of texts that you "
                "vouch for: silver labels do not say whether the teacher may see theirs"
            )
        return self


def with_the_first(values: Any) -> Any:
    """Give settings with a list of teachers the endpoint of the first one as `teacher`.

    What holds for all stands in `teacher`; raises `ValueError` where a part of an endpoint does.
    """
    if not isinstance(values, dict) or not (listed := values.get("teachers")):
        return values
    shared = values.get("teacher") or {}
    if not isinstance(shared, dict | TeacherSettings) or not isinstance(listed, list | tuple):
        return values
    given = (
        {name: getattr(shared, name) for name in shared.model_fields_set}
        if isinstance(shared, TeacherSettings)
        else shared
    )
    if clash := sorted(set(given) & set(TeacherEndpoint.model_fields)):
        raise ValueError(
            f"teacher.{clash[0]} and teachers are both given: it belongs to each of the teachers; "
            "teacher holds what they have in common"
        )
    try:
        first = NamedTeacher.model_validate(listed[0])
    except ValidationError:
        return values  # told of the list
    return {**values, "teacher": {**given, **first.own}}
