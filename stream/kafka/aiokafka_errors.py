"""What aiokafka's errors mean: what passes by itself, what is forbidden, what is hopeless."""

from __future__ import annotations

from typing import Final

from aiokafka.errors import (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IncompatibleBrokerVersion,
    InvalidSessionTimeoutError,
    InvalidTransactionTimeout,
    KafkaError,
    KafkaTimeoutError,
    NotEnoughReplicasAfterAppendError,
    NotEnoughReplicasError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    UnsupportedVersionError,
)

from schemas.errors import BrokerUnavailableError, ConfigError

FORBIDDEN: Final = (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
"""An access rule is missing."""
_IMPOSSIBLE: Final[dict[type[Exception], str]] = {
    InvalidSessionTimeoutError: "kafka.session_timeout_ms must lie between the broker's "
    "group.min.session.timeout.ms and group.max.session.timeout.ms (by default 6000 and 1800000)",
    InvalidTransactionTimeout: "kafka.transaction_timeout_ms must not exceed the broker's "
    "transaction.max.timeout.ms (by default 900000)",
}
"""A setting of ours that lies outside of what a setting of the broker allows."""
_TOO_FEW_REPLICAS: Final = (NotEnoughReplicasError, NotEnoughReplicasAfterAppendError)
_TOO_OLD: Final = (IncompatibleBrokerVersion, UnsupportedVersionError)
_REFUSED: Final = (*FORBIDDEN, AuthenticationFailedError, AuthenticationMethodNotSupported)


def may_pass(error: Exception) -> bool:
    """Tell whether the same call may succeed later; aiokafka calls its own timeouts final."""
    return not isinstance(error, KafkaError) or error.retriable or type(error) is KafkaTimeoutError


def refuse_the_hopeless(error: Exception, servers: str) -> None:
    """Raise `ConfigError` for what no waiting mends, be it said by a broker that is there."""
    if isinstance(error, _TOO_OLD):
        raise no_transactions(servers) from None
    if isinstance(error, _REFUSED):
        raise ConfigError(f"the broker at {servers} refuses us: {error}") from None
    if (mend := _IMPOSSIBLE.get(type(error))) is not None:
        raise ConfigError(mend) from None


def too_few_replicas(error: Exception, topic: str) -> BrokerUnavailableError | None:
    """Make the error that says why a topic took no record, where that was for want of replicas."""
    if not isinstance(error, _TOO_FEW_REPLICAS):
        return None
    return BrokerUnavailableError(
        f"topic {topic} takes no records: fewer of its replicas are in sync than its "
        "min.insync.replicas; bring the brokers back that are away (silverstream doctor)"
    )


def no_transactions(servers: str) -> ConfigError:
    """Make the error that says what to set where exactly-once cannot be had."""
    return ConfigError(
        f"the broker at {servers} has no transactions: set kafka.delivery to at_least_once"
    )
