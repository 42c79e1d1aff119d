"""A command at a pseudo-terminal, and a person who reads what it shows and types."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_STYLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
_READ_BYTES = 65536
_POLL_S = 0.2


class AtTerminal:
    """Runs `command` with a terminal of its own; a context manager that ends it.

    `shown` is all that it showed so far, colours and carriage returns left out.
    """

    def __init__(
        self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout_s: float = 120.0
    ) -> None:
        self._timeout_s = timeout_s
        self._ours, theirs = pty.openpty()
        self._process = subprocess.Popen(  # noqa: S603 - the test's own command
            command,
            cwd=cwd,
            env={**env, "TERM": "dumb", "COLUMNS": "200"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self._raw = b""
        self._seen = 0

    @property
    def shown(self) -> str:
        """What it showed, as a person reads it."""
        return _STYLE.sub("", self._raw.decode("utf-8", errors="replace"))

    def reads(self, words: str) -> str:
        """Wait until `words` appear behind what was read before; give what came up to them.

        Raises `AssertionError` when the command ends first, or in time shows no such thing.
        """
        deadline = time.monotonic() + self._timeout_s
        while (at := self.shown.find(words, self._seen)) < 0:
            if time.monotonic() > deadline or not self._more():
                raise AssertionError(f"{words!r} was not shown after: {self.shown[self._seen :]}")
        before = self.shown[self._seen : at]
        self._seen = at + len(words)
        return before

    def types(self, line: str = "") -> None:
        """Type a line, and Enter."""
        os.write(self._ours, line.encode() + b"\n")

    def leaves(self) -> None:
        """Press Ctrl-D, at the beginning of a line."""
        os.write(self._ours, b"\x04")

    def ends(self) -> int:
        """Wait for its end; give the exit status."""
        deadline = time.monotonic() + self._timeout_s
        while self._more() and time.monotonic() < deadline:
            pass
        return self._process.wait(self._timeout_s)

    def _more(self) -> bool:
        """Take in what it shows; False once it has ended and all is read."""
        if not select.select([self._ours], [], [], _POLL_S)[0]:
            return self._process.poll() is None
        try:
            data = os.read(self._ours, _READ_BYTES)
        except OSError:  # Linux says so when the other side is closed
            return False
        self._raw += data
        return bool(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._ours)
