"""The seam of a kind: all that differs between entities and categories in asking a teacher."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from schemas.categories import Choose
from schemas.files.kind import Kind
from schemas.files.task import Task
from schemas.types import Annotated, Fact
from stream.teacher.kinds.categories import Categories
from stream.teacher.kinds.entities import Entities
from stream.teacher.kinds.said import Said


class TeacherKind(Protocol):
    """How a teacher is asked for one kind, and how its answers are read."""

    @property
    def name(self) -> Kind:
        """The kind's name; that of the answer's schema too."""
        ...

    @property
    def choose(self) -> Choose | None:
        """How many categories are asked for; None for entities."""
        ...

    def system(self, task: Task) -> str:
        """Tell what is asked, the form of the answer in words, and the labels."""
        ...

    def answer_schema(self, labels: Sequence[str]) -> dict[str, Any]:
        """Give the JSON schema of each member of an answer, `id` left out."""
        ...

    def members(self, text: str, said: Annotated) -> dict[str, Any]:
        """Write the members of the answer that `read` reads back as `said`."""
        ...

    def read(self, members: Mapping[str, Any], *, text: str, labels: Sequence[str]) -> Said:
        """Read an answer whose members these are; `InvalidAnswerError` for what is none."""
        ...

    def ground_again(
        self, told: Iterable[Fact], *, text: str, labels: Sequence[str]
    ) -> Said | None:
        """Read a remembered answer about `text`; None unless it could have been given today."""
        ...

    def expected_tokens_out(self, text: str) -> int:
        """Estimate the tokens of an answer about `text`."""
        ...


def kind_of(kind: Kind, choose: Choose | None = None) -> TeacherKind:
    """Choose the seam of a kind, as a task, a manifest or a corpus names it."""
    if kind == "categories":
        return Categories(choose or "one")
    return Entities()


ENTITIES: Final[TeacherKind] = kind_of("entities")
