from __future__ import annotations

import io
import json
import logging
from contextlib import redirect_stderr

import pytest
import structlog

from schemas.errors import ConfigError
from stream.watch.log_setup import OnceInAWhile, configure_logs


def _lines(out: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_an_event_is_one_line_of_json() -> None:
    out = io.StringIO()
    configure_logs(stream=out)
    structlog.get_logger().info("batch", records=3)
    (line,) = _lines(out)
    assert line["event"] == "batch"
    assert line["records"] == 3
    assert line["level"] == "info"
    assert str(line["timestamp"]).endswith("Z")


def test_what_libraries_log_comes_out_in_the_same_form() -> None:
    out = io.StringIO()
    configure_logs(stream=out)
    logging.getLogger("aiokafka").error("cannot reach %s", "node 1")
    logging.getLogger("aiokafka").info("chatter")
    (line,) = _lines(out)
    assert line["event"] == "cannot reach node 1"
    assert line["logger"] == "aiokafka"


def _fail(text: str) -> None:
    raise ValueError(len(text))


def test_a_traceback_shows_no_local_variables() -> None:
    out = io.StringIO()
    configure_logs(stream=out)
    text = "the text of a stranger"
    try:
        _fail(text)
    except ValueError:
        structlog.get_logger().exception("failed")
    (line,) = _lines(out)
    assert "ValueError: 22" in str(line["exception"])
    assert "stranger" not in out.getvalue()


def test_standard_error_is_the_one_of_the_moment(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs()
    with redirect_stderr(io.StringIO()) as replaced:
        structlog.get_logger().info("here")
    structlog.get_logger().info("there")
    assert "here" in replaced.getvalue()
    assert "there" in capsys.readouterr().err


def test_a_level_that_does_not_exist_is_a_users_error() -> None:
    with pytest.raises(ConfigError, match="no such log level: LOUD"):
        configure_logs(level="LOUD")


def test_a_message_that_repeats_itself_is_passed_once_in_a_while() -> None:
    now = [0.0]
    quiet = OnceInAWhile(quiet_s=10, clock=lambda: now[0])
    record = logging.makeLogRecord({"name": "aiokafka", "msg": "cannot reach %s", "args": ("a",)})
    other = logging.makeLogRecord({"name": "aiokafka", "msg": "something else"})
    assert quiet.filter(record)
    assert not quiet.filter(record)
    assert quiet.filter(other)
    now[0] = 10.0
    assert quiet.filter(record)
