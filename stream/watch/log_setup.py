"""Logs: structlog events, JSON unless a person looks at a terminal; never a text, never a secret.

What the libraries log (aiokafka, Faust, httpx) comes out in the same form,
from `WARNING` upwards, each message once in ten seconds: aiokafka repeats
itself several times a second while a broker is away. Tracebacks carry no
locals, which would hold texts.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO, cast

import structlog

from schemas.errors import ConfigError

_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


_QUIET_S = 10.0
_KEY_CHARS = 40
_MAX_KEYS = 1000
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def configure_logs(*, stream: TextIO | None = None, level: str = "INFO") -> None:
    """Send every log event of this process to `stream` (standard error); call it at start.

    `ConfigError` for a level that does not exist.
    """
    stream = stream or cast("TextIO", _StandardError())
    if level.upper() not in _LEVELS:
        raise ConfigError(f"no such log level: {level} (there is {', '.join(_LEVELS)})")
    pretty = stream.isatty()
    structlog.configure(
        processors=[*_SHARED, *_renderers(pretty=pretty)],
        wrapper_class=structlog.make_filtering_bound_logger(level.upper()),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    _adopt_the_libraries(stream, pretty=pretty)


class _StandardError:
    """Whatever is standard error when something is written: tests and shells replace it."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()

    def isatty(self) -> bool:
        return sys.stderr.isatty()


class OnceInAWhile(logging.Filter):
    """Passes a message, known by its logger and its template, once in `quiet_s` seconds."""

    def __init__(self, *, quiet_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._quiet_s = quiet_s
        self._clock = clock
        self._last: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the message is to be shown."""
        # Templates are constants of the libraries; a message made with an f-string is cut.
        key, now = (record.name, str(record.msg)[:_KEY_CHARS]), self._clock()
        if now - self._last.get(key, -self._quiet_s) < self._quiet_s:
            return False
        if len(self._last) >= _MAX_KEYS:
            self._last.clear()
        self._last[key] = now
        return True


def _adopt_the_libraries(stream: TextIO, *, pretty: bool) -> None:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_SHARED, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(pretty=pretty),
            ],
        )
    )
    handler.addFilter(OnceInAWhile(quiet_s=_QUIET_S))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def _renderers(*, pretty: bool) -> list[Any]:
    if pretty:
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(exception_formatter=plain)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
