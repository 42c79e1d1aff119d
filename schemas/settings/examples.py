"""Which examples the teacher is shown: the same for all texts, or those that are like each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from schemas.settings.section import Section


class ExamplesSettings(Section):
    """Examples that are chosen for each text, after those that are the same for all.

    What they are chosen from judges nobody, see `schemas.files.example_pool`.
    """

    choose: Literal["fixed", "similar"] = "fixed"
    """`fixed`: the task file's and those of `teacher.few_shot`, and no others."""
    number: Annotated[int, Field(ge=1, le=50)] = 4
    """Of `similar`: how many a text gets, where so many are like it."""
    file: Path | None = None
    """Labelled texts to choose from; null: the half of `distill.gold` that does not judge first."""

    @property
    def n_similar(self) -> int:
        """How many are chosen for each text; 0 where all are fixed."""
        return self.number if self.choose == "similar" else 0
