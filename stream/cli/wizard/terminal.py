"""A person at a terminal: a question, its default in brackets, a line as the answer."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape

from schemas.errors import BackError
from stream.cli.wizard.asking import Ask

BACK = frozenset({"back", "undo"})
_HELP = "back (or undo) takes the last answer back; Ctrl-C leaves, and the same command goes on"


@dataclass(slots=True)
class Terminal:
    """Asks on `console` and reads lines from standard input."""

    console: Console

    def __post_init__(self) -> None:
        # Importing it is what gives input() its line editing; not every Python has it.
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401

    def answer(self, ask: Ask) -> Any:
        """Read a line; Enter is the default, `?` shows help, `back` goes back."""
        while True:
            line = self._line(ask).strip()
            if line.casefold() in BACK:
                raise BackError
            if line == "?":
                self.tell("  " + "; ".join(filter(None, [ask.hint, _HELP])))
            elif line or ask.default is not None:
                return line or ask.default
            else:
                self.tell("  Something must be said here (? for help)")

    def tell(self, words: Any) -> None:
        """Show words as they are: what the teacher wrote is no markup."""
        self.console.print(words, markup=False, highlight=False, soft_wrap=True)

    def _line(self, ask: Ask) -> str:
        default = (
            f" [dim]\\[{escape(str(ask.default))}][/]" if ask.default not in {None, ""} else ""
        )
        self.console.print(
            f"[bold]{escape(ask.words)}[/]{default}", soft_wrap=True, highlight=False
        )
        with contextlib.redirect_stdout(self.console.file):
            return input("> ")
