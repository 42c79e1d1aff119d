"""A teacher without a network: recorded answers, and the calls it got."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.errors import RefusedError, SilverstreamError
from stream.teacher.kinds.said import Annotation, said_by
from stream.teacher.protocol import Answer

Recorded = Annotation | SilverstreamError


class RecordedTeacher:
    """A `Teacher` that answers by text, raises what is recorded, and refuses unknown texts.

    `asked` lists the texts it was asked about, in order. An answer costs one token
    a character in, and one an entity or category out.
    """

    def __init__(
        self,
        answers: Mapping[str, Recorded],
        *,
        model: str = "recorded",
        prompt_version: str = "recorded",
    ) -> None:
        self._answers = dict(answers)
        self._model = model
        self._prompt_version = prompt_version
        self.asked: list[str] = []
        self.closed = False

    async def label(
        self,
        text: str,
        *,
        expires_at_ms: int | None = None,  # noqa: ARG002 - it never waits
    ) -> Answer:
        """Give the recorded answer, or raise the recorded error."""
        self.asked.append(text)
        recorded = self._answers.get(text, RefusedError("no recorded answer"))
        if isinstance(recorded, SilverstreamError):
            raise recorded
        said = said_by(recorded)
        return Answer(
            entities=said.entities,
            categories=said.categories,
            model=self._model,
            prompt_version=self._prompt_version,
            tokens_in=len(text),
            tokens_out=len(recorded),
            cached=False,
        )

    async def check(self) -> None:
        """Do nothing: it always answers."""

    async def aclose(self) -> None:
        """Note that it was closed."""
        self.closed = True
