"""Settings: one frozen, validated object, made once at start.

Sources, the later one wins: defaults, the YAML file given by `--config` (or
`SILVERSTREAM_CONFIG`), environment variables `SILVERSTREAM_<SECTION>__<NAME>`,
keyword arguments. Unknown names are refused, so that a typo is not a default.
"""

from schemas.settings.distill import DistillSettings, DoubtSettings, GateSettings, JudgingSettings
from schemas.settings.examples import ExamplesSettings
from schemas.settings.kafka import (
    OUR_TOPICS,
    SIGNED_TOPICS,
    InputSettings,
    KafkaSettings,
    SchemaRegistrySettings,
    TopicSettings,
)
from schemas.settings.loading import load_settings, masked, settings_file, source_words
from schemas.settings.recipe import ExperimentSettings, Recipe, RecipeSettings, RoutingStrategy
from schemas.settings.serving import QuotaSettings, RoutingSettings, StudentSettings, WebSettings
from schemas.settings.settings import Settings
from schemas.settings.teacher import TeacherSettings
from schemas.settings.teacher_endpoint import DEFAULT_MODEL, NamedTeacher, TeacherEndpoint

__all__ = [
    "DEFAULT_MODEL",
    "OUR_TOPICS",
    "SIGNED_TOPICS",
    "DistillSettings",
    "DoubtSettings",
    "ExamplesSettings",
    "ExperimentSettings",
    "GateSettings",
    "InputSettings",
    "JudgingSettings",
    "KafkaSettings",
    "NamedTeacher",
    "QuotaSettings",
    "Recipe",
    "RecipeSettings",
    "RoutingSettings",
    "RoutingStrategy",
    "SchemaRegistrySettings",
    "Settings",
    "StudentSettings",
    "TeacherEndpoint",
    "TeacherSettings",
    "TopicSettings",
    "WebSettings",
    "load_settings",
    "masked",
    "settings_file",
    "source_words",
]
