"""The sections of the rounds: when they run, and by what a student is judged."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, model_validator

from schemas.files.store_url import StoreRoot
from schemas.settings.recipe import RecipeSettings
from schemas.settings.section import (
    HttpUrlOrNone,
    Money,
    PositiveFloat,
    PositiveInt,
    Section,
    Share,
)


class GateSettings(Section):
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
    max_trigger_rise: Share = 0.05
    """A phrase of the stream's labels may turn the tags of so many more texts than before; 1 looks
    for none."""


class JudgingSettings(Section):
    """Judging without gold: the teacher is asked where challenger and champion differ."""

    texts: Annotated[int, Field(ge=0)] = 3000
    """So many of the stream's newest texts both students tag."""
    questions: PositiveInt = 300
    """The most that one round asks, and the most that rounds may save up."""
    batch: PositiveInt = 20
    """So many are asked before it is looked whether the answers tell enough."""
    patience: Annotated[int, Field(ge=0)] = 2
    """In the round of this number since the champion, or where the stream has changed since, a
    proof is no longer asked for: where the answers cannot tell, a challenger that has learnt more
    is expected to be better. 0: never."""
    share: Share | Literal["auto"] = "auto"
    """Of `routing.budget_share`: what rounds may ask of it, and the lanes leave to them. `auto`
    is 0.4 without gold, but no more than 0.1 of the records, and nothing with it."""


class DoubtSettings(Section):
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


class DistillSettings(Section):
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
    max_training_labels: PositiveInt | None = None
    """Of more labels a round learns the newest alone, and what people say; null: all."""
    audit_share: Share = 0.02
    early_audit_share: Share | Literal["auto"] | None = None
    """The share while evidence is short, for the promise or for audits that judge; `auto` is half
    of what the lanes may ask, null `audit_share`."""
    recipe: RecipeSettings = RecipeSettings()
    gate: GateSettings = GateSettings()
    judging: JudgingSettings = JudgingSettings()
    doubt: DoubtSettings = DoubtSettings()
    openlineage: bool = False
    """Tell a catalogue what each round read and wrote; OpenLineage's own variables say where."""
    seed: int = 0

    @property
    def folder(self) -> Path:
        """The folder of this machine where snapshots and rounds are made."""
        return self.snapshots if isinstance(self.snapshots, Path) else self.work
