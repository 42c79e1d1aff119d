"""What aiokafka's errors mean: what passes by itself, what is forbidden, what is hopeless."""

from __future__ import annotations

from typing import Final

from aiokafka.errors import (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IncompatibleBrokerVersion,
    KafkaError,
    KafkaTimeoutError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    UnsupportedVersionError,
)

from schemas.errors import ConfigError

FORBIDDEN: Final = (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
"""An access rule is missing."""
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


def no_transactions(servers: str) -> ConfigError:
    """Make the error that says what to set where exactly-once cannot be had."""
    return ConfigError(
        f"the broker at {servers} has no transactions: set kafka.delivery to at_least_once"
    )
