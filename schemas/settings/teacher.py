"""The section of the teacher."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, SecretStr, model_validator

from schemas.settings.examples import ExamplesSettings
from schemas.settings.redaction import RedactionSettings
from schemas.settings.section import (
    HttpUrl,
    Money,
    NotNegative,
    PositiveFloat,
    PositiveInt,
    Section,
    Share,
    TopicName,
)

DEFAULT_MODEL = "gpt-4.1-mini"

_OF_THE_CLUSTER: Final = (
    "budget_usd_per_hour",
    "budget_usd_per_task",
    "budget_tokens_per_hour",
    "budget_tokens_per_day",
    "budget_tokens_per_task",
)


class TeacherSettings(Section):
    """The OpenAI-compatible endpoint and what it may cost."""

    base_url: HttpUrl = "https://api.openai.com/v1"
    api_key: SecretStr | None = None
    model: str = DEFAULT_MODEL
    response_format: Literal["auto", "json_schema", "json_object", "text"] = "auto"
    strict: Literal["auto", "on", "off"] = "auto"
    """Of a JSON schema: whether the server is told to keep to it."""
    limit_parameter: Literal["auto", "max_tokens", "max_completion_tokens"] = "auto"
    temperature: Literal["auto", "none"] | NotNegative = "auto"
    connect_timeout_s: PositiveFloat = 5.0
    read_timeout_s: PositiveFloat = 60.0
    max_attempts: PositiveInt = 5
    max_retry_wait_s: PositiveFloat = 30.0
    concurrency: PositiveInt = 8
    ask: Literal["whole", "unsure"] = "whole"
    """What deferred records are asked about: all of the text, or what the student is unsure of,
    where that is little. Audits, and all who judge, ask about the whole."""
    texts_per_call: Annotated[int, Field(ge=1, le=32)] = 1
    """How many deferred records, or texts of a cold start, one call may ask about."""
    max_output_tokens: PositiveInt = 1024
    reasoning_tokens: Annotated[int, Field(ge=0)] = 0
    """What a reasoning model may think on top of its answer; it is billed as output."""
    price_in_usd_per_million: Money = 0.40
    price_out_usd_per_million: Money = 1.60
    budget_usd_per_day: Money = 10.0
    budget_holds_for: Literal["machine", "cluster"] = "machine"
    """Whom the budget bounds: all who share the state file, or, by the topic `teacher-spend`, all
    who share that, on however many machines."""
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
    def _canaries_have_consent(self) -> Self:
        consent = self.consent_header is not None or bool(self.consent_topics)
        if consent and self.canaries_per_hour > 0 and self.canaries is None:
            raise ValueError(
                "with consent_header or consent_topics, set canaries to a file of texts that you "
                "vouch for: silver labels do not say whether the teacher may see theirs"
            )
        return self

    @property
    def texts_at_once(self) -> int:
        """How many texts may be asked about at the same time."""
        return self.concurrency * self.texts_per_call

    @property
    def prices_are_another_models(self) -> bool:
        """Whether the default model's prices stand for a model that is another one."""
        prices = {"price_in_usd_per_million", "price_out_usd_per_million"}
        return self.model != DEFAULT_MODEL and not prices & self.model_fields_set

    def price_usd(self, tokens_in: int, tokens_out: int) -> float:
        """Price tokens, in US dollars."""
        usd_in = tokens_in * self.price_in_usd_per_million
        return (usd_in + tokens_out * self.price_out_usd_per_million) / 1e6
