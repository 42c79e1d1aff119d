"""What one run may spend of the day's budget: a cap over the ledger, in US dollars and in calls.

The ledger bounds the day for everyone on the machine; a purse bounds one run, whatever others spend
meanwhile. Both are asked before each call, and a call whose bill got lost counts as reserved.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from pathlib import Path

from schemas.errors import BudgetExhaustedError
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.spending import Cause, Taken

_ROUNDING_USD = 1e-9


class Purse:
    """What a run may spend, and in `calls` and `usd` what it has spent or reserved; thread-safe."""

    def __init__(self, *, max_usd: float, max_calls: float = math.inf) -> None:
        self._max_usd = max_usd
        self._max_calls = max_calls
        self._kept_usd, self._kept_calls = 0.0, 0
        self._lock = threading.Lock()
        self.calls = 0
        self.usd = 0.0

    def keep_back(self, *, usd: float, calls: int) -> None:
        """Leave so much for later; 0 gives all of it free."""
        self._kept_usd, self._kept_calls = usd, calls

    def take(self, usd: float) -> None:
        """Take the money for a call; `BudgetExhaustedError` where there is not enough."""
        with self._lock:
            if self.calls >= self._max_calls - self._kept_calls:
                raise BudgetExhaustedError(f"the {self._max_calls:.0f} calls of this run are made")
            if self.usd + usd > self._max_usd - self._kept_usd + _ROUNDING_USD:
                raise BudgetExhaustedError(
                    f"{self.usd:.4f} of the {self._max_usd:.4f} USD of this run are spent"
                )
            self.calls += 1
            self.usd += usd

    def change(self, *, usd: float, calls: int = 0) -> None:
        """Book what differs from what was taken."""
        with self._lock:
            self.usd += usd
            self.calls += calls


class PursedStore(TeacherStore):
    """A store whose calls are paid from a purse too; several stores may share one."""

    def __init__(self, path: Path, purse: Purse) -> None:
        super().__init__(path)
        self._purse = purse
        self._taken: dict[int, float] = {}

    def reserve(
        self,
        usd: float,
        *,
        cause: Cause,
        day: str,
        budget_usd: float,
        parts: Sequence[Taken] = (),
    ) -> int:
        """Reserve in the purse and in the day's ledger; `BudgetExhaustedError` by either."""
        self._purse.take(usd)
        try:
            call = super().reserve(usd, cause=cause, day=day, budget_usd=budget_usd, parts=parts)
        except BaseException:
            self._purse.change(usd=-usd, calls=-1)
            raise
        self._taken[call] = usd
        return call

    def settle(
        self,
        call: int,
        *,
        tokens_in: int,
        tokens_out: int,
        usd: float,
        tokens_reasoning: int = 0,
        parts: Sequence[Taken] = (),
    ) -> None:
        """Book what the call did cost."""
        super().settle(
            call,
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            usd=usd,
            tokens_reasoning=tokens_reasoning,
            parts=parts,
        )
        self._purse.change(usd=usd - self._taken.pop(call))

    def release(self, call: int) -> None:
        """Give back what was taken for a call that cost nothing."""
        super().release(call)
        self._purse.change(usd=-self._taken.pop(call), calls=-1)
