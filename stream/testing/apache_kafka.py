"""Apache Kafka for tests: KRaft brokers on loopback, without Docker.

The jars come from `make kafka` (deploy/kafka/pom.xml, through Maven); Java 17 or
newer runs them. Each broker is controller too (combined roles), keeps its log in a
temporary folder, and is stopped by its process id.

Tried on 4.4.0, and good to know: a lone broker killed with -9 that aborts a timed-out
transaction while it is still registering again skips the markers ("Couldn't find leader
endpoint ... can be skipped"), and the id's next commit makes the dead records visible.
With the default clean-up interval of ten seconds it has long registered by then, so that
interval is not shortened here.
"""

from __future__ import annotations

import asyncio
import base64
import shutil
import tempfile
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas.errors import BrokerUnavailableError, ConfigError
from stream.kafka.local.child_process import ChildProcess
from stream.kafka.local.embedded import answers, free_port
from stream.testing.java import fetched, java_release

_POLL_S = 0.1
_OLDEST_JAVA = 17
_QUICK_JVM = ("-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
"""Short-lived brokers on small machines: start fast, compile little."""
_QUIET = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"


def kafka_libs() -> Path | None:
    """Find Apache Kafka's jars: in `$SILVERSTREAM_KAFKA_LIBS`, else in `.cache/kafka/libs`.

    None without them, or without a Java that can run them.
    """
    folder = fetched("SILVERSTREAM_KAFKA_LIBS", "kafka/libs")
    has_jars = any(folder.glob("kafka_2.13-*.jar"))
    java = shutil.which("java")
    return folder if has_jars and java and java_release(java) >= _OLDEST_JAVA else None


_MECHANISM = "SCRAM-SHA-512"


@dataclass(frozen=True, slots=True)
class Secured:
    """A second listener: TLS, SASL (SCRAM-SHA-512) and access rules, of which there are none yet.

    `keystore` is a PEM file: the private key (PKCS 8) and its certificate, for 127.0.0.1. `users`
    are passwords by name. Whoever comes by the first listener, without TLS, may do everything.
    """

    keystore: Path
    users: Mapping[str, str]


class ApacheKafka:
    """A cluster of one or three brokers for as long as the context lasts.

    Broker numbers start at 1. Topics are never made by themselves; the group
    coordinator starts rebalances at once and takes sessions from one second on,
    so that tests are quick.
    """

    def __init__(
        self,
        *,
        brokers: int = 1,
        heap_mb: int = 512,
        start_timeout_s: float = 90.0,
        secured: Secured | None = None,
    ) -> None:
        self._secured = secured
        self._secured_ports = {number: free_port() for number in range(1, brokers + 1)}
        self._numbers = range(1, brokers + 1)
        self._heap_mb = heap_mb
        self._start_timeout_s = start_timeout_s
        self._folder: Path | None = None
        self._children: dict[int, ChildProcess] = {}
        self._ports = {number: free_port() for number in self._numbers}
        self._controller_ports = {number: free_port() for number in self._numbers}

    @property
    def bootstrap_servers(self) -> str:
        """All brokers, `host:port,host:port`."""
        return ",".join(f"127.0.0.1:{port}" for port in self._ports.values())

    @property
    def secured_servers(self) -> str:
        """The secured listeners of all brokers."""
        return ",".join(f"127.0.0.1:{port}" for port in self._secured_ports.values())

    @property
    def pids(self) -> dict[int, int]:
        """The process id of each running broker, by number."""
        return {number: child.pid for number, child in self._children.items()}

    def start_all(self) -> Self:
        """Format the folders, start every broker, wait until all are registered.

        Raises `ConfigError` without jars or Java, `BrokerUnavailableError` when the
        cluster is not up within `start_timeout_s`.
        """
        libs = _required_libs()
        self._folder = Path(tempfile.mkdtemp(prefix="silverstream-kafka-"))
        try:
            self._format(libs)
            for number in self._numbers:
                self._launch(number)
            self._wait_for(len(self._numbers))
        except BaseException:
            self.stop_all()
            raise
        return self

    def stop_all(self) -> None:
        """Kill every broker and remove the folders; the records are gone."""
        for number in list(self._children):
            self.kill(number)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def kill(self, number: int) -> None:
        """Kill one broker with -9; its folder stays, `start` brings it back."""
        self._children.pop(number).kill()

    def stop(self, number: int) -> None:
        """Stop one broker in order; its folder stays, `start` brings it back."""
        self._children.pop(number).stop(grace_s=30)

    def start(self, number: int) -> None:
        """Start one broker again on its old port and folder; wait until the cluster has it."""
        self._launch(number)
        self._wait_for(len(self._children))

    def log_tail(self, number: int) -> str:
        """Give the last lines of a broker's log."""
        return self._children[number].log_tail()

    def _format(self, libs: Path) -> None:
        # The zero keeps it from beginning with a dash, which would read as an option.
        cluster = base64.urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
        for number in self._numbers:
            config = self._path(number, "server.properties")
            config.parent.mkdir(parents=True)
            config.write_text(self._properties(number), encoding="utf-8")
            arguments = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(config)]
            if self._secured:
                for name, password in self._secured.users.items():
                    arguments += ["-S", f"{_MECHANISM}=[name={name},password={password}]"]
            self._run_to_end(_java(libs, *arguments, heap_mb=128), number)

    def _run_to_end(self, command: list[str], number: int) -> None:
        child = ChildProcess(command, log=self._path(number, "format.log"))
        deadline = time.monotonic() + self._start_timeout_s
        while child.running and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        child.kill()
        if not self._path(number, "data/meta.properties").exists():
            raise BrokerUnavailableError(f"cannot format broker {number}: {child.log_tail()}")

    def _launch(self, number: int) -> None:
        config = str(self._path(number, "server.properties"))
        self._children[number] = ChildProcess(
            _java(_required_libs(), "kafka.Kafka", config, heap_mb=self._heap_mb),
            log=self._path(number, "broker.log"),
        )

    def _wait_for(self, n_brokers: int) -> None:
        deadline = time.monotonic() + self._start_timeout_s
        while not self._registered(n_brokers):
            dead = [number for number, child in self._children.items() if not child.running]
            if dead or time.monotonic() > deadline:
                number = next(iter(dead or self._children))
                raise BrokerUnavailableError(
                    f"Apache Kafka broker {number} is not up: {self.log_tail(number)}"
                )
            time.sleep(_POLL_S)

    def _registered(self, n_brokers: int) -> bool:
        if not all(answers(self._ports[number]) for number in self._children):
            return False
        # A thread of its own, so that it also works where a loop is running already.
        with ThreadPoolExecutor(1) as pool:
            return (
                pool.submit(asyncio.run, _n_brokers(self.bootstrap_servers)).result() >= n_brokers
            )

    def _path(self, number: int, name: str) -> Path:
        if self._folder is None:
            raise BrokerUnavailableError("the cluster is not started")
        return self._folder / str(number) / name

    def _properties(self, number: int) -> str:
        voters = ",".join(f"{n}@127.0.0.1:{port}" for n, port in self._controller_ports.items())
        broker = f"PLAINTEXT://127.0.0.1:{self._ports[number]}"
        secured = self._secured_properties(number)
        listeners = f"{broker},{secured.pop('listener')}" if secured else broker
        copies = min(3, len(self._numbers))
        return "\n".join(
            [
                "process.roles=broker,controller",
                f"node.id={number}",
                f"controller.quorum.voters={voters}",
                "controller.listener.names=CONTROLLER",
                f"listeners={listeners},CONTROLLER://127.0.0.1:{self._controller_ports[number]}",
                f"advertised.listeners={listeners}",
                *(f"{name}={value}" for name, value in secured.items()),
                f"log.dirs={self._path(number, 'data')}",
                "auto.create.topics.enable=false",
                f"default.replication.factor={copies}",
                f"min.insync.replicas={max(1, copies - 1)}",
                f"offsets.topic.replication.factor={copies}",
                "offsets.topic.num.partitions=10",
                f"transaction.state.log.replication.factor={copies}",
                f"transaction.state.log.min.isr={max(1, copies - 1)}",
                "transaction.state.log.num.partitions=10",
                "broker.heartbeat.interval.ms=500",
                "broker.session.timeout.ms=6000",
                "group.initial.rebalance.delay.ms=0",
                "group.min.session.timeout.ms=1000",
                "",
            ]
        )

    def _secured_properties(self, number: int) -> dict[str, str]:
        if self._secured is None:
            return {}
        of_scram = f"listener.name.sasl_ssl.{_MECHANISM.lower()}.sasl.jaas.config"
        return {
            "listener": f"SASL_SSL://127.0.0.1:{self._secured_ports[number]}",
            "listener.security.protocol.map": (
                "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL"
            ),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self._secured.keystore),
            "sasl.enabled.mechanisms": _MECHANISM,
            of_scram: "org.apache.kafka.common.security.scram.ScramLoginModule required;",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            "allow.everyone.if.no.acl.found": "false",
        }

    def __enter__(self) -> Self:
        return self.start_all()

    def __exit__(self, *_: object) -> None:
        self.stop_all()


def _required_libs() -> Path:
    libs = kafka_libs()
    if libs is None:
        raise ConfigError("Apache Kafka's jars or Java are not there (run: make kafka)")
    return libs


def _java(libs: Path, *arguments: str, heap_mb: int) -> list[str]:
    return ["java", *_QUICK_JVM, _QUIET, f"-Xmx{heap_mb}m", "-cp", f"{libs}/*", *arguments]


async def _n_brokers(bootstrap_servers: str) -> int:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    try:
        await client.start()
        return len((await client.describe_cluster())["brokers"])
    except (KafkaError, OSError):
        return 0
    finally:
        await client.close()
