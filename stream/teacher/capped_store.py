"""A teacher's store under a second, smaller limit: what one run may spend in all.

The run's own ledger lies beside its files and outlives it, so a run that is killed and resumed
goes on under the same limit. Each call is reserved in both ledgers before it is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from schemas.errors import BudgetExhaustedError
from stream.teacher.ledger_and_cache import TeacherStore, Totals
from stream.teacher.spending import Cause, Taken

_RUN = "run"
"""The one "day" of a run's ledger: its limit is for good."""


class CappedStore(TeacherStore):
    """The store at `path`, whose calls cost at most `most_usd` by the ledger at `run_ledger` too.

    Raises as `TeacherStore`.
    """

    def __init__(self, path: Path, *, run_ledger: Path, most_usd: float) -> None:
        self._run = TeacherStore(run_ledger)
        self._most_usd = most_usd
        self._pairs: dict[int, int] = {}
        super().__init__(path)

    def reserve(
        self,
        usd: float,
        *,
        cause: Cause,
        day: str,
        budget_usd: float,
        parts: Sequence[Taken] = (),
    ) -> int:
        """Set `usd` aside in both ledgers; `BudgetExhaustedError` where either has no room."""
        try:
            of_run = self._run.reserve(
                usd, cause=cause, day=_RUN, budget_usd=self._most_usd, parts=parts
            )
        except BudgetExhaustedError:
            raise BudgetExhaustedError(
                f"{self._run.spent_usd(_RUN):.4f} of the run's {self._most_usd:.4f} USD are spent: "
                f"no {usd:.4f} left for a call (--max-usd)"
            ) from None
        try:
            call = super().reserve(usd, cause=cause, day=day, budget_usd=budget_usd, parts=parts)
        except BaseException:
            self._run.release(of_run)
            raise
        self._pairs[call] = of_run
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
        """Book what the reserved `call` did cost, in both ledgers."""
        of_run = self._pairs.pop(call, None)  # None: reserved by another run than this one
        for ledger, reserved in ((self._run.settle, of_run), (super().settle, call)):
            if reserved is None:
                continue
            ledger(
                reserved,
                tokens_in=tokens_in,
                tokens_out=tokens_out,
                usd=usd,
                tokens_reasoning=tokens_reasoning,
                parts=parts,
            )

    def release(self, call: int) -> None:
        """Give the reservation back in both ledgers."""
        of_run = self._pairs.pop(call, None)
        if of_run is not None:
            self._run.release(of_run)
        super().release(call)

    def open_lines(self, batch: str) -> dict[str, int]:
        """Give the calls of a batch, and know again what the run's ledger has reserved for them.

        What that alone has reserved, a killed process came no further with: it is given back.
        """
        found = super().open_lines(batch)
        for line, of_run in self._run.open_lines(batch).items():
            if line in found:
                self._pairs[found[line]] = of_run
            else:
                self._run.release(of_run)
        return found

    def close_batch(self, batch: str) -> None:
        """End a batch in both ledgers."""
        self._run.close_batch(batch)
        super().close_batch(batch)

    def run_totals(self) -> Totals:
        """Add up what the run has spent, its earlier processes included."""
        return self._run.totals()

    def close(self) -> None:
        """Close both files."""
        super().close()
        self._run.close()
