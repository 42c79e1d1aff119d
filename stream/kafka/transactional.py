"""A transactional producer that goes no further once the end of a transaction may come late.

Tried on Apache Kafka 4.4.0: aiokafka 0.14 sends the end of a transaction (EndTxn) again when it is
not answered, under the same epoch, since it knows no KIP-890. Where the first one was only late, it
then ends the transaction after that half-way: outputs are committed without their offset, and come
twice when the batch is repeated. Another producer under the same id has a later epoch, so that the
broker refuses what comes late.
"""

from __future__ import annotations

from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.protocol.transaction import EndTxnRequest


class TransactionalProducer(AIOKafkaProducer):  # type: ignore[misc]  # aiokafka is not typed
    """An `AIOKafkaProducer` with a `transactional_id`; drop it after any error, as always."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._lost_end = False
        self._send_request = self.client.send
        self.client.send = self._watched

    async def begin_transaction(self) -> None:
        """Begin; raises `KafkaError` where an end that was sent before was not answered."""
        if self._lost_end:
            raise KafkaError("the end of a transaction was not answered: it may come later yet")
        await super().begin_transaction()

    async def _watched(self, node: int, request: object, **options: Any) -> Any:
        try:
            return await self._send_request(node, request, **options)
        except KafkaError:
            self._lost_end |= isinstance(request, EndTxnRequest)
            raise
