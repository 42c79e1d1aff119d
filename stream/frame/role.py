"""What a worker plays: started in order, asked for its health, stopped in reverse."""

from __future__ import annotations

from typing import Protocol

from stream.frame.health import RoleHealth


class Role(Protocol):
    """One part of a worker, from its start to its end."""

    async def start(self) -> None:
        """Begin, and return once begun: the parts after this one wait. Raises what must halt."""
        ...

    async def stop(self) -> None:
        """End, with what is in hand finished; also called where `start` raised or never ran."""
        ...

    def health(self) -> RoleHealth:
        """Say how it is now; may be asked before `start` and while it runs."""
        ...
