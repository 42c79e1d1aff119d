"""What a replay was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from schemas.errors import ConfigError
from schemas.files.corpus import Reading

Order = Literal["file", "shuffled", "date"]
Routing = Literal["uncertainty", "random"]

EMBEDDED = "embedded"
GOLD = "gold"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """The command line's values.

    `teacher` is `"gold"` or a file with recorded `llm_entities` or `llm_categories`; `broker` is
    `"embedded"` or HOST:PORT of an Apache Kafka; `budget` is a share of the records; `how` is
    how stream, held-out set and gold are read.
    """

    stream: tuple[Path, ...]
    held_out: Path
    gold: Path | None = None
    cold_start: int = 500
    teacher: str = GOLD
    budget: float = 0.10
    rounds: int = 5
    routing: Routing = "uncertainty"
    order: Order = "file"
    seed: int = 0
    broker: str = EMBEDDED
    ceiling: bool = False
    plain: bool = False
    recorded_ceiling: bool = False
    revise: bool = False
    """Whether the stream ends with a `silverstream revise --answers` of all of it."""
    second_opinion: Path | None = None
    """Recorded answers of another teacher, who is asked again about doubted labels."""
    task: Path | None = None
    config: Path | None = None
    how: Reading = Reading()  # noqa: RUF009 - it is frozen

    def check(self) -> ReplayOptions:
        """Return itself; raise `ConfigError` for what cannot be replayed."""
        _require(bool(self.stream), "--stream must be given at least once")
        _require(self.cold_start > 0, "--cold-start must be at least 1: no student serves before")
        _require(self.rounds > 0, "--rounds must be at least 1")
        _require(0 <= self.budget <= 1, f"--budget is a share from 0 to 1, not {self.budget}")
        _require_word("--routing", self.routing, get_args(Routing))
        _require_word("--order", self.order, get_args(Order))
        recorded = self.recorded_answers is not None
        _require(recorded or not self.recorded_ceiling, "--recorded-ceiling needs --teacher FILE")
        for path in self._files():
            _require(path.is_file(), f"no such file: {path}")
        return self

    @property
    def recorded_answers(self) -> Path | None:
        """The file of recorded answers, or None where the gold answers."""
        return None if self.teacher == GOLD else Path(self.teacher)

    def _files(self) -> list[Path]:
        optional = (
            self.gold,
            self.task,
            self.config,
            self.recorded_answers,
            self.second_opinion,
        )
        return [*self.stream, self.held_out, *(path for path in optional if path)]


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ConfigError(message)


def _require_word(option: str, word: str, words: tuple[str, ...]) -> None:
    _require(word in words, f"{option} must be one of {', '.join(words)}, not {word!r}")
