"""aiokafka clients with the safe defaults, and starting them with patience.

What differs from aiokafka 0.14's own defaults, and why:

* consumers: no automatic commits (they would commit unprocessed records), reading
  committed (aborted records never happened), starting at the earliest offset (a new
  group loses nothing);
* producers: `acks=all`; a linger of zero, because a lane hands over whole batches;
* topics are looked at twice a minute: partitions may be added live;
* a rebalance may take longer than a session: lanes finish their batch first.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal, Never, Protocol, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, UnknownError
from aiokafka.helpers import create_ssl_context
from tenacity import RetryCallState, TryAgain, retry_never

from schemas.errors import BrokerUnavailableError, ConfigError
from schemas.retry import Backoff, Deadline, patiently
from schemas.settings import KafkaSettings
from stream.kafka.aiokafka_errors import may_pass, no_transactions, refuse_the_hopeless
from stream.kafka.transactional import TransactionalProducer

log = structlog.get_logger(__name__)

REQUEST_TIMEOUT_MS = 30_000
REBALANCE_TIMEOUT_MS = 60_000
MAX_REQUEST_BYTES = 1024 * 1024
"""The largest record and batch we send; the default limit of a broker is a little higher."""
METADATA_MAX_AGE_MS = 30_000
"""So that partitions that are added live are read within a minute, a rebalance included."""
FETCH_MAX_WAIT_MS = 200
"""aiokafka has one fetch under way per broker: a busy partition waits for an idle one this long."""
BACKOFF = Backoff(0.2, 5.0)
"""Between two attempts to reach the brokers."""


class Startable(Protocol):
    """What `start_with_retry` starts: any aiokafka client."""

    async def start(self) -> None:
        """Connect."""


Client = TypeVar("Client", bound=Startable)
T = TypeVar("T")


def consumer(
    settings: KafkaSettings,
    *topics: str,
    group_id: str | None = None,
    isolation_level: Literal["read_committed", "read_uncommitted"] = "read_committed",
) -> AIOKafkaConsumer:
    """Make a consumer that never commits by itself and reads committed records from the earliest.

    Without `group_id` it belongs to no group and takes part in no rebalance. With another
    `isolation_level` it is told, say, where a partition ends that holds open transactions.
    """
    return AIOKafkaConsumer(
        *topics,
        **_connection(settings),
        group_id=group_id,
        enable_auto_commit=False,
        isolation_level=isolation_level,
        auto_offset_reset="earliest",
        session_timeout_ms=settings.session_timeout_ms,
        heartbeat_interval_ms=max(1, settings.session_timeout_ms // 10),
        rebalance_timeout_ms=max(REBALANCE_TIMEOUT_MS, settings.session_timeout_ms),
        fetch_max_bytes=16 * MAX_REQUEST_BYTES,
        fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
        # A lane that stands still is for `/live` to see. aiokafka would also count a worker
        # without partitions as idle, and have it leave and join for ever.
        max_poll_interval_ms=2**31 - 1,
    )


def producer(settings: KafkaSettings) -> AIOKafkaProducer:
    """Make a producer for at-least-once; not idempotent, since the embedded broker refuses that.

    Order holds all the same: aiokafka sends one batch per partition at a time.
    """
    return AIOKafkaProducer(**_connection(settings), acks="all", **_BATCHING)


def idempotent_producer(settings: KafkaSettings) -> AIOKafkaProducer:
    """Make a producer whose records are written once and in order, or never.

    It does not give a record up by itself: drop it with `stream.kafka.lane.delivery.discard`.
    """
    return AIOKafkaProducer(**_connection(settings), enable_idempotence=True, **_BATCHING)


def transactional_producer(settings: KafkaSettings, *, transactional_id: str) -> AIOKafkaProducer:
    """Make the producer of one lane; starting it fences whoever had the id before."""
    return TransactionalProducer(
        **_connection(settings),
        transactional_id=transactional_id,
        transaction_timeout_ms=settings.transaction_timeout_ms,
        **_BATCHING,
    )


def admin(settings: KafkaSettings) -> AIOKafkaAdminClient:
    """Make a client for topics and their configuration."""
    return AIOKafkaAdminClient(**_connection(settings))


async def start_with_retry(
    make: Callable[[], Client], *, timeout_s: float, servers: str = "", backoff: Backoff = BACKOFF
) -> Client:
    """Start a client that `make` makes, anew for each attempt, until it works.

    Raises `BrokerUnavailableError` after `timeout_s`, `ConfigError` at once for what
    waiting does not mend (credentials, a broker without transactions).
    """
    patience = _Patience(timeout_s, servers, backoff)
    return await patience.until_done(lambda: patience.start(make))


async def ask(
    make: Callable[[], Client],
    question: Callable[[Client], Awaitable[T]],
    *,
    settings: KafkaSettings,
    backoff: Backoff = BACKOFF,
) -> T:
    """Put a question to a started client, anew after each error that may pass by itself.

    One broker of several that is away makes aiokafka fail now and then, since it asks
    any of them. Raises as `start_with_retry` after `startup_timeout_s`.
    """
    patience = _Patience(settings.startup_timeout_s, settings.bootstrap_servers, backoff)

    async def attempt() -> T:
        client = await patience.start(make)
        try:
            return await patience.ask(question, client)
        finally:
            await stop(client)

    return await patience.until_done(attempt)


class _Patience:
    """The attempts of one start or question; `TryAgain` carries what the last one met."""

    def __init__(self, timeout_s: float, servers: str, backoff: Backoff) -> None:
        self._deadline = Deadline(timeout_s)
        self._timeout_s = timeout_s
        self._servers = servers
        self._backoff = backoff
        self._reason = "no answer"

    async def until_done(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Attempt it until the time is up; raises `BrokerUnavailableError` then."""
        return await patiently(
            attempt,
            retry=retry_never,  # `TryAgain` is retried all the same, and nothing else
            wait=self._deadline.within(self._backoff),
            stop=self._deadline.passed,
            before_sleep=self._warn,
            give_up=self._give_up,
        )

    async def start(self, make: Callable[[], Client]) -> Client:
        """Start a client; whatever aiokafka says of a broker then, it may pass."""
        client = make()
        try:
            async with asyncio.timeout_at(self._deadline.at_s):
                await client.start()
        except (KafkaError, OSError, TimeoutError) as error:
            await stop(client)
            raise self._passing(error) from error
        except BaseException:
            await stop(client)
            raise
        return client

    async def ask(self, question: Callable[[Client], Awaitable[T]], client: Client) -> T:
        """Put the question; an error that says something of the question itself is raised."""
        try:
            async with asyncio.timeout_at(self._deadline.at_s):
                return await question(client)
        except (KafkaError, OSError, TimeoutError) as error:
            again = self._passing(error)
            if may_pass(error):
                raise again from error
            raise

    def _passing(self, error: Exception) -> TryAgain:
        refuse_the_hopeless(error, self._servers)
        # The deadline cuts an attempt short; what the earlier attempts met says more.
        if not isinstance(error, TimeoutError):
            self._reason = f"{type(error).__name__}: {error}"
        return TryAgain()

    def _warn(self, _: RetryCallState) -> None:
        left_s = round(self._deadline.left_s, 1)
        log.warning("broker_unavailable", servers=self._servers, reason=self._reason, left_s=left_s)

    def _give_up(self, _: RetryCallState) -> Never:
        raise BrokerUnavailableError(
            f"no Kafka broker answered at {self._servers or 'the given servers'} "
            f"within {self._timeout_s:g} s: {self._reason}"
        )


async def check_transactions(settings: KafkaSettings, *, transactional_id: str) -> None:
    """Raise `ConfigError` when the broker cannot do exactly-once.

    Starts a transactional producer once. Tansu answers InitProducerId with an unknown
    error rather than an unsupported version, so here, where the broker is known to be
    up, an unknown error counts as a refusal.
    """
    client = transactional_producer(settings, transactional_id=transactional_id)
    try:
        async with asyncio.timeout(settings.startup_timeout_s):
            await client.start()
    except UnknownError:
        raise no_transactions(settings.bootstrap_servers) from None
    except (KafkaError, OSError, TimeoutError) as error:
        refuse_the_hopeless(error, settings.bootstrap_servers)
        raise BrokerUnavailableError(f"cannot try a transaction: {error}") from None
    finally:
        await stop(client)


@asynccontextmanager
async def started(make: Callable[[], Client], *, settings: KafkaSettings) -> AsyncIterator[Client]:
    """Start a client within the start-up time (`start_with_retry`); stop it after use."""
    client = await start_with_retry(
        make, timeout_s=settings.startup_timeout_s, servers=settings.bootstrap_servers
    )
    try:
        yield client
    finally:
        await stop(client)


async def stop(client: Any) -> None:
    """Stop any aiokafka client; one whose broker is gone is stopped all the same."""
    closing = client.close if isinstance(client, AIOKafkaAdminClient) else client.stop
    try:
        with suppress(KafkaError, OSError, TimeoutError):
            await closing()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling() or not isinstance(client, AIOKafkaConsumer):
            raise
        await _finish_stopping(client)


async def _finish_stopping(client: AIOKafkaConsumer) -> None:
    """Do the rest of a `stop` that aiokafka broke off itself.

    aiokafka 0.14 cancels its fetches and awaits them; one that waits to try again, as when
    the broker is away, lets the cancellation through, and what comes after is left undone.
    """
    fetches = [*client._fetcher._pending_tasks]  # noqa: SLF001  # no public way, see above
    for fetch in fetches:
        fetch.cancel()
    await asyncio.gather(*fetches, return_exceptions=True)
    await client._client.close()  # noqa: SLF001  # as above


_BATCHING: dict[str, Any] = {
    "linger_ms": 0,
    "max_batch_size": 256 * 1024,
    "max_request_size": MAX_REQUEST_BYTES,
}


def _connection(settings: KafkaSettings) -> dict[str, Any]:
    return {
        "bootstrap_servers": settings.bootstrap_servers.split(","),
        "client_id": "silverstream",
        "request_timeout_ms": REQUEST_TIMEOUT_MS,
        "metadata_max_age_ms": METADATA_MAX_AGE_MS,
        "security_protocol": settings.security_protocol,
        **_tls(settings),
        **_credentials(settings),
    }


def _tls(settings: KafkaSettings) -> dict[str, Any]:
    if not settings.security_protocol.endswith("SSL"):
        return {}
    cafile = str(settings.ssl_cafile) if settings.ssl_cafile else None
    try:
        return {"ssl_context": create_ssl_context(cafile=cafile)}
    except OSError as error:
        raise ConfigError(f"kafka.ssl_cafile: cannot read {cafile}: {error}") from None


def _credentials(settings: KafkaSettings) -> dict[str, Any]:
    if not settings.security_protocol.startswith("SASL"):
        return {}
    if settings.sasl_mechanism is None or settings.sasl_password is None:
        raise ConfigError(
            f"kafka.security_protocol {settings.security_protocol} needs "
            "kafka.sasl_mechanism, kafka.sasl_username and kafka.sasl_password"
        )
    return {
        "sasl_mechanism": settings.sasl_mechanism,
        "sasl_plain_username": settings.sasl_username,
        "sasl_plain_password": settings.sasl_password.get_secret_value(),
    }
