"""A child process that never outlives us, not even when we are killed with -9."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_WATCH = 'read -r _; kill -9 "$1" 2>/dev/null'
"""Ends when its standard input closes, as it does when we are gone, and takes the child along.

Linux could do it with PR_SET_PDEATHSIG, but that fires when the *thread* that
started the child ends, and macOS has nothing like it.
"""


class Watcher:
    """A tiny shell that kills the process `pid` when we are gone.

    `dismiss` it as soon as that process has ended: its id may be given to another.
    """

    def __init__(self, pid: int) -> None:
        self._shell = subprocess.Popen(  # noqa: S603  # a constant line, and a number
            ["/bin/sh", "-c", _WATCH, "sh", str(pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """End the watch; the process is left alone."""
        # Killed first: were its input closed, it would kill.
        self._shell.kill()
        self._shell.wait()
        if self._shell.stdin is not None:
            self._shell.stdin.close()


class ChildProcess:
    """A started process, its output in a file, watched by a tiny shell.

    `command` is an argument list, never a shell line; `log` takes both its output streams.
    """

    def __init__(
        self, command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603  # the caller's own argument list
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=env,
                # Ctrl-C at the terminal reaches us alone, and we end our children in order.
                start_new_session=True,
            )
        self._watcher = Watcher(self._process.pid)

    @property
    def pid(self) -> int:
        """The process id of the child."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the child has not ended yet."""
        return self._process.poll() is None

    @property
    def returncode(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._process.poll()

    def log_tail(self, *, lines: int = 20) -> str:
        """Give the last lines of what it wrote."""
        text = self._log.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def stop(self, *, grace_s: float = 10.0) -> None:
        """Ask the child to end; kill it when it has not after `grace_s`."""
        if self.running:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(grace_s)
        self.kill()

    def kill(self) -> None:
        """End the child at once (SIGKILL)."""
        self._watcher.dismiss()
        self._process.kill()
        self._process.wait()
