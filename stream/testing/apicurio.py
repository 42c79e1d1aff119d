"""A real schema registry for tests: Apicurio, in memory, on loopback, without Docker.

`make registry` fetches it (deploy/registry/pom.xml, through Maven); Java 21 or newer runs it. It
speaks Confluent's REST API under `/apis/ccompat/v7`, all but the GUIDs of schemas.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import Self

import httpx

from schemas.errors import ConfigError, SchemaRegistryUnavailableError
from stream.kafka.local.child_process import ChildProcess
from stream.kafka.local.embedded import free_port
from stream.testing.java import fetched, find_java

_JAR = "quarkus-run.jar"
_POLL_S = 0.2
_OLDEST_JAVA = 21
_JVM = ("-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""Short-lived, on small machines: start fast, compile little."""
_COMPATIBILITY = "FULL_TRANSITIVE"


def registry_app() -> Path | None:
    """Find Apicurio, unpacked: in `$SILVERSTREAM_REGISTRY_APP`, else in `.cache/registry/app`.

    None without it, or without a Java that can run it.
    """
    folder = fetched("SILVERSTREAM_REGISTRY_APP", "registry/app")
    return folder if (folder / _JAR).exists() and find_java(_OLDEST_JAVA) else None


class ApicurioRegistry:
    """A schema registry for as long as the context lasts; every subject is FULL_TRANSITIVE."""

    def __init__(self, *, start_timeout_s: float = 120.0) -> None:
        self._start_timeout_s = start_timeout_s
        self._port = free_port()
        self._folder: Path | None = None
        self._child: ChildProcess | None = None

    @property
    def url(self) -> str:
        """For `SchemaRegistrySettings.url`."""
        return f"http://127.0.0.1:{self._port}/apis/ccompat/v7"

    def start(self) -> Self:
        """Start it and wait until it answers.

        Raises `ConfigError` where it or its Java is missing, `SchemaRegistryUnavailableError` when
        it does not answer within `start_timeout_s`.
        """
        app, java = registry_app(), find_java(_OLDEST_JAVA)
        if app is None or java is None:
            raise ConfigError(f"Apicurio or a Java >= {_OLDEST_JAVA} is missing: make registry")
        self._folder = Path(tempfile.mkdtemp(prefix="silverstream-registry-"))
        where = ("-Dquarkus.http.host=127.0.0.1", f"-Dquarkus.http.port={self._port}")
        self._child = ChildProcess(
            [java, *_JVM, *where, "-jar", str(app / _JAR)], log=self._folder / "registry.log"
        )
        try:
            self._wait_until_up(self._child)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Kill it; all its schemas are gone."""
        if self._child is not None:
            self._child.kill()
            self._child = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _wait_until_up(self, child: ChildProcess) -> None:
        deadline = time.monotonic() + self._start_timeout_s
        while not self._is_set():
            if not child.running or time.monotonic() > deadline:
                raise SchemaRegistryUnavailableError(f"Apicurio is not up: {child.log_tail()}")
            time.sleep(_POLL_S)

    def _is_set(self) -> bool:
        """Set the compatibility of all subjects, as soon as it answers."""
        try:
            answer = httpx.put(
                f"{self.url}/config",
                json={"compatibility": _COMPATIBILITY},
                timeout=10,
                trust_env=False,
            )
        except httpx.TransportError:
            return False
        return answer.status_code == httpx.codes.OK

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
