"""What every test may ask for: Apache Kafka, the embedded broker, the corpora."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import structlog

from stream.kafka.local.embedded import EmbeddedBroker
from stream.testing.apache_kafka import ApacheKafka, kafka_libs
from stream.testing.fault_proxy import FaultProxy
from stream.testing.s3_server import ENVIRONMENT, s3_server

# Machines differ in speed, so no example has a deadline; CI draws the same examples every time.
hypothesis.settings.register_profile(
    "silverstream", deadline=None, derandomize=bool(os.environ.get("CI"))
)
hypothesis.settings.load_profile("silverstream")

REQUIRED = frozenset(filter(None, os.environ.get("SILVERSTREAM_REQUIRE", "").split(",")))
"""What may not be missing: `kafka`, `data`. CI requires both."""


def _missing(what: str, why: str) -> None:
    if what in REQUIRED:
        pytest.fail(f"SILVERSTREAM_REQUIRE names {what}, but {why}")
    pytest.skip(why)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of gold corpora and recorded answers."""
    repository = Path(__file__).parents[1]
    folder = Path(os.environ.get("SILVERSTREAM_DATA", repository / "../shared/data")).resolve()
    if not (folder / "uner_ewt" / "train.jsonl").exists():
        _missing("data", f"no corpora in {folder} (set SILVERSTREAM_DATA)")
    return folder


@pytest.fixture(scope="session")
def apache_kafka() -> Iterator[ApacheKafka]:
    """One Apache Kafka broker for the whole session."""
    if kafka_libs() is None:
        _missing("kafka", "Apache Kafka's jars or a Java >= 17 are not there (run: make kafka)")
    with ApacheKafka(brokers=1) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def embedded_broker() -> Iterator[EmbeddedBroker]:
    """One embedded broker for the whole session."""
    with EmbeddedBroker() as broker:
        yield broker


@pytest.fixture(scope="session")
def s3_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """One S3 server for the whole session."""
    with s3_server(tmp_path_factory.mktemp("s3")) as port:
        yield port


@pytest.fixture
def s3_proxy(s3_port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    """The way of this test's drivers to the S3 server."""
    with FaultProxy(s3_port) as proxy:
        for name, value in (ENVIRONMENT | {"AWS_ENDPOINT_URL": proxy.url}).items():
            monkeypatch.setenv(name, value)
        yield proxy


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Undo what a test that runs a command does to the process's logging."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
