"""What a catalogue hears of rounds, over real HTTP and from OpenLineage's own client."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from distill.testing.fakes import NAMES, Loop
from schemas.errors import ConfigError, GateError


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """Events that a catalogue got, in their order."""
    found: list[dict[str, Any]] = []

    class Catalogue(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/api/v1/lineage"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            zipped = self.headers.get("Content-Encoding") == "gzip"
            found.append(json.loads(gzip.decompress(body) if zipped else body))
            self.send_response(201)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 # its name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Catalogue) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("OPENLINEAGE_URL", f"http://127.0.0.1:{server.server_port}")
        yield found
        server.shutdown()
        thread.join()


def test_a_catalogue_hears_what_a_round_read_and_wrote(
    loop: Loop, heard: list[dict[str, Any]]
) -> None:
    loop.with_distill(openlineage=True, min_new_labels=10)
    loop.learn(NAMES[:100])
    promotion = loop.round().promotion
    start, end = heard
    assert promotion is not None
    assert [start["eventType"], end["eventType"]] == ["START", "COMPLETE"]
    assert start["run"]["runId"] == end["run"]["runId"]
    assert end["job"] | {"facets": {}} == {
        "namespace": "silverstream",
        "name": f"round.{loop.task.name}",
        "facets": {},
    }
    (labels,) = end["inputs"]
    assert labels["name"] == "silverstream.silver-labels"
    assert labels["inputFacets"]["inputStatistics"]["rowCount"] == 100
    bundle, history = end["outputs"]
    assert bundle["facets"]["version"]["datasetVersion"] == promotion.digest
    assert Path(bundle["name"]) == Path(loop.settings.student.registry) / promotion.location
    assert history["name"] == "silverstream.promotions"
    assert not any(name in json.dumps(heard) for name in NAMES[:100])


def test_a_round_that_waits_is_aborted_and_one_that_fails_says_why(
    loop: Loop, heard: list[dict[str, Any]]
) -> None:
    loop.with_distill(openlineage=True, min_new_labels=10)
    loop.round()
    loop.learn(NAMES[:100])
    loop.maker.error = GateError("no such thing")
    with pytest.raises(GateError):
        loop.round()
    assert [one["eventType"] for one in heard] == ["START", "ABORT", "START", "FAIL"]
    assert not heard[1]["outputs"]
    assert heard[3]["run"]["facets"]["errorMessage"]["message"] == "GateError: no such thing"


def test_an_error_that_may_quote_a_text_is_named_alone(
    loop: Loop, heard: list[dict[str, Any]]
) -> None:
    loop.with_distill(openlineage=True, min_new_labels=10)
    loop.learn(NAMES[:100])
    loop.maker.error = ValueError(f"bad: {NAMES[0]}")
    with pytest.raises(ValueError, match="bad"):
        loop.round()
    assert heard[1]["run"]["facets"]["errorMessage"]["message"] == "ValueError"


def test_a_catalogue_that_takes_nothing_stops_no_round(
    loop: Loop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "file")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH", str(tmp_path / "nowhere" / "x"))
    loop.with_distill(openlineage=True, min_new_labels=10)
    loop.learn(NAMES[:100])
    assert loop.round().status == "promoted"


def test_nonsense_in_its_own_settings_is_said_before_the_round(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "nonsense")
    loop.with_distill(openlineage=True)
    with pytest.raises(ConfigError, match="OpenLineage's own settings"):
        loop.round()
