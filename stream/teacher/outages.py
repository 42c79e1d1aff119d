"""What is told of an endpoint that refuses us, or does not answer: once, and when that is over."""

from __future__ import annotations

from functools import partial

import structlog

from schemas.errors import TeacherUnavailableError
from stream.teacher.books import Books
from stream.teacher.retries import Circuit, Outage

_log = structlog.get_logger()


class OutageNews:
    """Logs what becomes of a circuit, and notes it for `silverstream status`.

    `place` is where the endpoint is, without secrets.
    """

    def __init__(self, circuit: Circuit, books: Books, place: str) -> None:
        self._circuit = circuit
        self._books = books
        self._place = place
        self.refusal: TeacherUnavailableError | None = None
        """Why the endpoint refuses us, as far as it was told."""
        self._outage: Outage | None = None

    async def tell(self) -> None:
        """Tell what has changed since it was told last; not for each request."""
        self._tell_refusal()
        await self._tell_outage()

    def _tell_refusal(self) -> None:
        told, self.refusal = self.refusal, self._circuit.refusal
        if self.refusal is not None and told is None:
            _log.error("teacher_refuses_us", words=str(self.refusal))
        elif self.refusal is None and told is not None:
            _log.info("teacher_answers_again")

    async def _tell_outage(self) -> None:
        told, self._outage = self._outage, self._circuit.outage
        if self._outage == told:
            return
        if self._outage is None and told is not None and not told.refuses:
            _log.info("teacher_circuit_closed")
        elif self._outage is not None and told is None and not self._outage.refuses:
            _log.error("teacher_circuit_opened", words=self._outage.why)
        note = partial(self._books.store.note_outage, self._place, self._outage)
        await self._books.kept(note)
