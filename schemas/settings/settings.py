"""The whole configuration: the sections, and what follows from several of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from schemas.environment import PREFIX
from schemas.files.kind import Kind
from schemas.masking import masked_place
from schemas.promises.proving import HALF
from schemas.promises.settings import PromiseSettings
from schemas.promises.shortage import AuditShares
from schemas.settings.distill import DistillSettings
from schemas.settings.kafka import (
    InputSettings,
    KafkaSettings,
    SchemaRegistrySettings,
    TopicSettings,
)
from schemas.settings.recipe import ExperimentSettings, Recipe, settled_recipe
from schemas.settings.serving import RoutingSettings, StudentSettings, WebSettings
from schemas.settings.teacher import TeacherSettings, with_the_first
from schemas.settings.teacher_endpoint import NamedTeacher, TeacherEndpoint, refuse_alike

_JUDGING_SHARE = 0.4
_QUESTIONS_PER_RECORD = 0.1
"""No more are kept for judging by themselves: what larger budgets buy for the lanes judges too."""


class Settings(BaseSettings):
    """The whole configuration of one application.

    Made here, it is the defaults and what it is given; `load_settings` adds file and environment.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        env_prefix=PREFIX,
        env_nested_delimiter="__",
    )

    app: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")] = "silverstream"
    task: Path = Path("task.yaml")
    kafka: KafkaSettings = KafkaSettings()
    topics: TopicSettings = TopicSettings()
    input: InputSettings = InputSettings()
    student: StudentSettings = StudentSettings()
    routing: RoutingSettings = RoutingSettings()
    teacher: TeacherSettings = TeacherSettings()
    teachers: tuple[NamedTeacher, ...] = ()
    """Several in the place of one, the best first: `teacher` is then what they have in common, and
    the first one's endpoint."""
    promise: PromiseSettings = PromiseSettings()
    distill: DistillSettings = DistillSettings()
    experiment: ExperimentSettings = ExperimentSettings()
    web: WebSettings = WebSettings()
    schema_registry: SchemaRegistrySettings = SchemaRegistrySettings()

    def recipe_of(self, kind: Kind) -> Recipe:
        """How students of the kind are made: the operator's part and the experiments', together."""
        return settled_recipe(self.distill.recipe, self.experiment, kind)

    @property
    def first_teacher(self) -> str:
        """Name the best of several teachers, by the person's order; "" where there is one alone."""
        return self.teachers[0].name if self.teachers else ""

    def teacher_named(self, name: str) -> TeacherSettings:
        """Give the settings of one of several teachers; `LookupError` where there is none such."""
        for one in self.teachers:
            if one.name == name:
                common = self.teacher.model_dump(exclude=set(TeacherEndpoint.model_fields))
                return TeacherSettings.model_validate(
                    {x: common[x] for x in common if x in self.teacher.model_fields_set} | one.own
                )
        raise LookupError(name)

    def apart(self, name: str) -> str:
        """Name what keeps a teacher's answers apart in the cache, where a model has two places.

        It goes to the topic of shared answers, so it has no secret; where places differ in nothing
        else the teacher's name tells them apart.
        """
        here = self.teacher_named(name)
        places = [masked_place(x.base_url) for x in self.teachers if x.model == here.model]
        if len(places) == 1:
            return ""
        place = masked_place(here.base_url)
        return place if places.count(place) == 1 else f"{place} {name}"

    def led_by(self, name: str) -> Settings:
        """Give the same settings with this teacher as the first of several."""
        teachers = tuple(sorted(self.teachers, key=lambda one: one.name != name))
        return self.model_copy(update={"teacher": self.teacher_named(name), "teachers": teachers})

    def only_teacher(self, teacher: TeacherSettings) -> Settings:
        """Give the same settings with this teacher alone."""
        return self.model_copy(update={"teacher": teacher, "teachers": ()})

    @property
    def lanes_routing(self) -> RoutingSettings:
        """The lanes' part of the routing budget: what judging leaves of it."""
        share = self.routing.budget_share - self.questions_per_record
        return self.routing.model_copy(update={"budget_share": share})

    @property
    def questions_per_record(self) -> float:
        """The rounds' part of the routing budget: what a record earns for judging."""
        budget, share = self.routing.budget_share, self.distill.judging.share
        if share != "auto":
            return budget * share
        return 0.0 if self.distill.gold else min(budget * _JUDGING_SHARE, _QUESTIONS_PER_RECORD)

    @property
    def unproved_share(self) -> float:
        """The most that is settled alone where no promise is proved: no more than lanes leave."""
        return min(HALF, 1 - self.lanes_routing.budget_share)

    @property
    def audit_shares(self) -> AuditShares:
        """The shares of the records that are audits, by the policies to come; 0 turns both off."""
        settled, early = self.distill.audit_share, self.distill.early_audit_share
        if early == "auto":
            early = self.lanes_routing.budget_share / 2
        return AuditShares(settled, max(settled, early or 0.0) if settled else 0.0)

    @property
    def judging_audits(self) -> int:
        """How many audits the gate needs where it judges by them."""
        by_audits = not self.distill.gold and not self.questions_per_record
        return self.distill.gate.min_records if by_audits else 0

    @classmethod
    def settings_customise_sources(  # noqa: D102 - pydantic-settings' own
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - as above
        init_settings: PydanticBaseSettingsSource,
        *_: PydanticBaseSettingsSource,
        **__: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

    @model_validator(mode="before")
    @classmethod
    def _the_first_is_the_teacher(cls, values: Any) -> Any:
        return with_the_first(values)

    @field_validator("teachers")
    @classmethod
    def _all_are_others(cls, teachers: tuple[NamedTeacher, ...]) -> tuple[NamedTeacher, ...]:
        refuse_alike(teachers)
        return teachers

    @model_validator(mode="after")
    def _one_teacher_answers_the_stream_in_batches(self) -> Settings:
        if len(self.teachers) > 1 and "stream" in self.teacher.batch.purposes:
            raise ValueError(
                "teacher.batch.purposes with stream: of several teachers each record has its own, "
                "and is asked about live"
            )
        return self

    @model_validator(mode="after")
    def _audit_fits_the_budget(self) -> Settings:
        for name in ("audit_share", "early_audit_share"):
            share = getattr(self.distill, name)
            if isinstance(share, float) and share > self.routing.budget_share > 0:
                raise ValueError(
                    f"distill.{name} ({share}) must not exceed "
                    f"routing.budget_share ({self.routing.budget_share}): audits are paid from it"
                )
        return self
