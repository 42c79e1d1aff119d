"""A transactional producer that goes no further once a request of a transaction may come late.

Tried on Apache Kafka 4.4.0: aiokafka 0.14 sends what is not answered again, under the same epoch,
since it knows no KIP-890. Where the first request was only late, it meets the transaction after:

* the end (EndTxn) ends that half-way: outputs are committed without their offset, and come twice
  when the batch is repeated;
* an offset (TxnOffsetCommit) takes the place of that one's: a lane that begins anew repeats it.

Another producer under the same id has a later epoch, so that the broker refuses what comes late.
Records have sequence numbers, and partitions and groups that are added twice change nothing.
"""

from __future__ import annotations

from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.protocol.transaction import EndTxnRequest, TxnOffsetCommitRequest

_ONCE: Final = (EndTxnRequest, TxnOffsetCommitRequest)


class TransactionalProducer(AIOKafkaProducer):  # type: ignore[misc]  # aiokafka is not typed
    """An `AIOKafkaProducer` with a `transactional_id`; drop it after any error, as always."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._may_come_late = False
        self._send_request = self.client.send
        self.client.send = self._watched

    async def begin_transaction(self) -> None:
        """Begin; raises `KafkaError` where an end or an offset that was sent was not answered."""
        if self._may_come_late:
            raise KafkaError(
                "a request of the transaction before was not answered: it may come yet"
            )
        await super().begin_transaction()

    async def _watched(self, node: int, request: object, **options: Any) -> Any:
        try:
            return await self._send_request(node, request, **options)
        except KafkaError:
            self._may_come_late |= isinstance(request, _ONCE)
            raise
