"""The group's rebalances, passed on without losing an error on the way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

from aiokafka import ConsumerRebalanceListener, TopicPartition


class Rebalance(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """Calls `revoked` before partitions go and `assigned` when they have come.

    aiokafka 0.14 logs and swallows what a listener raises, and would go on without
    lanes: so an error goes to `failed` instead. It waits for `revoked`, in which lanes
    finish their batches; they must not wait for `getmany` there, which waits for the
    rebalance in turn.
    """

    def __init__(
        self,
        *,
        assigned: Callable[[Collection[TopicPartition]], None],
        revoked: Callable[[Collection[TopicPartition]], Awaitable[None]],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._assigned = assigned
        self._revoked = revoked
        self._failed = failed
        self._closed = False

    def close(self) -> None:
        """Take no more assignments: the worker is leaving."""
        self._closed = True

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Let the lanes finish."""
        try:
            await self._revoked(revoked)
        except Exception as error:  # noqa: BLE001  # passed on, see above
            self._failed(error)

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Start a lane for each."""
        if self._closed:
            return
        try:
            self._assigned(assigned)
        except Exception as error:  # noqa: BLE001  # passed on, see above
            self._failed(error)
