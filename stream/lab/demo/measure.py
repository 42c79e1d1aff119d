"""What the measure of a demo is called: F1 of facts, which for one category a text is accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Measure:
    """`key` names it in JSON; `name` and `title` are for people."""

    key: str
    name: str
    title: str

    def keyed(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Give the values with the names of the fields that hold the measure (`f1…`) made ours."""
        return {field.replace("f1", self.key): value for field, value in values.items()}


F1 = Measure("f1", "F1", "strict F1")
ACCURACY = Measure("accuracy", "accuracy", "accuracy")
