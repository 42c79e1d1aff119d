"""Who may write topics, as far as the broker tells: aiokafka has the request, but no method for it.

Sources: https://kafka.apache.org/protocol#The_Messages_DescribeAcls and KIP-140, KIP-290.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import DescribeAclsRequest

from schemas.settings import KafkaSettings
from stream.kafka import clients

EVERYONE: Final = "User:*"
_ANY, _TOPIC, _ALLOW = 1, 2, 3
_ALL, _WRITE = 2, 4
_PREFIXED = 4
_SECURITY_DISABLED, _CLUSTER_DENIED = 54, 31


@dataclass(frozen=True, slots=True)
class Allowed:
    """That a principal may write the topics of a name: all of them (`*`), or a prefix's."""

    principal: str
    name: str
    prefixed: bool = False

    def covers(self, topic: str) -> bool:
        """Whether the topic is one of them."""
        return self.name in ("*", topic) or (self.prefixed and topic.startswith(self.name))


Untold = Literal["no authorizer", "not ours to see", "not told"]


async def writers(settings: KafkaSettings) -> list[Allowed] | Untold:
    """List who is allowed to write topics; or say why that is not to be had.

    Denials, which win over what is allowed, are left out. Raises `BrokerUnavailableError`.
    """
    answer = await clients.ask(lambda: clients.admin(settings), _describe, settings=settings)
    if answer is None:
        return "not told"
    return allowed(answer.error_code, answer.resources)


def allowed(error_code: int, resources: list[Any]) -> list[Allowed] | Untold:
    """Read the broker's answer: (type, name, pattern, [(principal, host, operation, kind)])."""
    if error_code == _SECURITY_DISABLED:
        return "no authorizer"
    if error_code == _CLUSTER_DENIED:
        return "not ours to see"
    if error_code:
        return "not told"
    return [
        Allowed(principal, name, prefixed=pattern == _PREFIXED)
        for _, name, pattern, rules in resources
        for principal, _, operation, kind in rules
        if kind == _ALLOW and operation in (_ALL, _WRITE)
    ]


async def _describe(client: AIOKafkaAdminClient) -> Any:
    """Ask for all rules of topics; None where the broker does not know the question."""
    request = DescribeAclsRequest(_TOPIC, None, _ANY, None, None, _ANY, _ANY)  # null is any
    try:
        return await client._send_request(request)  # noqa: SLF001 - no public way, see above
    except (NotImplementedError, KeyError):
        return None
