"""What `/live` and `/ready` answer, as functions of what the roles report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class RoleHealth:
    """One role, seen now. `facts` are JSON values, for people and scripts."""

    ready: bool
    live: bool
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Health:
    """The worker's health: that of all its roles together."""

    roles: dict[str, Callable[[], RoleHealth]] = field(default_factory=dict)

    def ready(self) -> tuple[bool, dict[str, Any]]:
        """Whether every role can work now, and the facts."""
        seen = self._seen()
        return all(role.ready for role in seen.values()), _report(seen)

    def live(self) -> tuple[bool, dict[str, Any]]:
        """Whether a restart could not help: false when a role has lag and stands still."""
        seen = self._seen()
        return all(role.live for role in seen.values()), _report(seen)

    def _seen(self) -> dict[str, RoleHealth]:
        return {name: look() for name, look in self.roles.items()}


def _report(seen: dict[str, RoleHealth]) -> dict[str, Any]:
    report: dict[str, Any] = {
        "ready": {name: role.ready for name, role in seen.items()},
        "live": {name: role.live for name, role in seen.items()},
    }
    for role in seen.values():
        report |= role.facts
    return report
