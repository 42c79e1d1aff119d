"""By what a candidate was judged: what a round says of it, and a replay prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from distill.judging.scoring import Interval

JudgedBy = Literal["gold", "audit", "cold start", "differing"]


@dataclass(frozen=True, slots=True)
class Judged:
    """`interval` is that of the gain in F1, or of the F1 of a first student.

    Of `differing` texts, where the two students differ among `texts` that both tagged, `asked` were
    asked about, `refused` of them in vain, and `known` had been answered before. `need` is how many
    answers such a gain needs by estimate, None where that is not to be told. `presumed` tells that
    what is usual was to speak beside the answers, for the rounds before could not tell, or for the
    stream has `changed` since the champion. So many texts of a little `gold` told who is better;
    the teacher was `followed` with that weight.
    """

    by: JudgedBy
    interval: Interval
    asked: int = 0
    differing: int = 0
    refused: int = 0
    known: int = 0
    texts: int = 0
    need: int | None = None
    presumed: bool = False
    changed: bool = False
    gold: int = 0
    followed: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Give the figures for JSON."""
        return {
            "by": self.by,
            "asked": self.asked,
            "differing": self.differing,
            "refused": self.refused,
            "known": self.known,
            "texts": self.texts,
            "need": self.need,
            "presumed": self.presumed,
            "changed": self.changed,
            "gold": self.gold,
            "followed": self.followed,
            "interval": self.interval.as_dict(),
        }
