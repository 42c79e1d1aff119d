"""The seam of a kind: all that differs between entities and categories in asking about doubts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from schemas.categories import Choose
from schemas.files.kind import Kind
from schemas.files.task import Task
from schemas.types import Annotated, Doubt
from stream.teacher.kinds.said import Said
from stream.teacher.unsure.categories import UnsureCategories
from stream.teacher.unsure.entities import UnsureEntities


class UnsureKind(Protocol):
    """How a teacher is asked about doubts, and how its answers are joined with what is sure."""

    def system(self, task: Task) -> str:
        """Tell what is asked, and the form of the answer in words."""
        ...

    def answer_schema(self, labels: Sequence[str]) -> dict[str, Any]:
        """Give the JSON schema of each member of an answer, `id` left out."""
        ...

    def marks(
        self, text: str, sure: Annotated, doubts: Sequence[Doubt], task: Task
    ) -> dict[str, Any]:
        """Give what stands beside the text."""
        ...

    def read(
        self,
        members: Mapping[str, Any],
        *,
        text: str,
        labels: Sequence[str],
        sure: Annotated,
        doubts: Sequence[Doubt],
    ) -> Said:
        """Read what the text says by the answer and what is sure; raises `InvalidAnswerError`."""
        ...

    def members(self, text: str, said: Annotated, marks: Mapping[str, Any]) -> dict[str, Any]:
        """Write the members of an answer by one who says `said`."""
        ...

    def expected_tokens_out(self, doubts: Sequence[Doubt]) -> int:
        """Estimate the tokens of an answer."""
        ...


def unsure_kind(kind: Kind, choose: Choose | None = None) -> UnsureKind:
    """Choose the seam of a kind."""
    if kind == "categories":
        return UnsureCategories(choose or "one")
    return UnsureEntities()
