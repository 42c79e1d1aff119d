"""Questions and who answers them: a person, a file, or nobody; and going back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from schemas.errors import BackError, ConfigError
from stream.cli.wizard.session import Said, Session

T = TypeVar("T")
Read = Callable[[Any], Any]
"""Makes a value of an answer (a line, or what a file gives); `ValueError` says what is wrong."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One question. `default` is what Enter means, None where something must be said.

    `unattended` is the answer where nobody is asked; the default, if it is None.
    """

    key: str
    words: str
    read: Read
    default: Any = None
    unattended: Any = None
    hint: str = ""


class Person(Protocol):
    """Who is talked to."""

    def answer(self, ask: Ask) -> Any:
        """Answer; raises `BackError`, `EOFError` and `KeyboardInterrupt` as the person wishes."""
        ...

    def tell(self, words: Any) -> None:
        """Show something: words, or what rich can show."""
        ...


@dataclass(slots=True)
class Nobody:
    """Takes defaults, and agrees to everything; what it was asked is shown, prices among it."""

    show: Callable[[Any], None]

    def answer(self, ask: Ask) -> Any:
        """Give what is meant where nobody is asked; `ConfigError` where that is nothing."""
        value = ask.default if ask.unattended is None else ask.unattended
        if value is None:
            raise ConfigError(f"the answers lack {ask.key}: {ask.words}")
        self.show(f"{ask.words} {value}")
        return value

    def tell(self, words: Any) -> None:
        """Show it all the same: for whoever reads the log."""
        self.show(words)


@dataclass(slots=True)
class Interview:
    """Asks what is not known yet: from the session, then the file (`given`), then the person.

    Use `told`, which tells the story again after each step back.
    """

    session: Session
    person: Person
    given: Mapping[str, Any]
    given_by: str = "the answers"
    _at: int = 0
    _live: bool = False

    def told(self, story: Callable[[Interview], T]) -> T:
        """Tell the story; each step back forgets an answer and tells it from the beginning."""
        while True:
            self._at, self._live = 0, False
            try:
                return story(self)
            except BackError:
                self._forget()

    def ask(self, ask: Ask) -> Any:
        """Give the answer, as a value; raises `BackError`, and `ConfigError` for a file's."""
        known = self._known(ask.key)
        if ask.key in self.given:
            value = self._read_given(ask)
            return self._noted(Said(ask.key, self.given[ask.key], by_person=False), value, known)
        if known is not None:
            try:
                value = ask.read(self.session.said[known].value)
            except ValueError:
                del self.session.said[known]  # something before it has changed: it fits no more
            else:
                self._at = known + 1
                return value
        value, raw = self._answered(ask)
        self._live = True
        if not self.has_person:
            return value  # a default: a person who comes later is asked
        return self._noted(Said(ask.key, raw, by_person=True), value, None)

    def tell(self, words: Any) -> None:
        """Show something, unless it was shown before."""
        if self._live or self._at >= len(self.session.said):
            self.person.tell(words)

    @property
    def has_person(self) -> bool:
        """Whether somebody can be asked what to do."""
        return not isinstance(self.person, Nobody)

    def take_back(self) -> None:
        """Forget the answer that was given last, so that the next process asks again."""
        if not self.has_person:
            return
        self._at -= 1
        del self.session.said[self._at]
        self.session.keep()

    def _known(self, key: str) -> int | None:
        """Find the answer among those to come; a question that is not asked any more is passed."""
        said = self.session.said
        return next((at for at in range(self._at, len(said)) if said[at].key == key), None)

    def _answered(self, ask: Ask) -> tuple[Any, Any]:
        while True:
            raw = self.person.answer(ask)
            try:
                return ask.read(raw), raw
            except ValueError as error:
                if not self.has_person:
                    raise ConfigError(f"{ask.key}: {error}") from None
                self.person.tell(f"  {error}")

    def _read_given(self, ask: Ask) -> Any:
        try:
            return ask.read(self.given[ask.key])
        except ValueError as error:
            raise ConfigError(f"{self.given_by}: {ask.key}: {error}") from None

    def _noted(self, one: Said, value: T, known: int | None) -> T:
        """Keep an answer at its place, and go on behind it."""
        said = self.session.said
        if known is None:
            said.insert(self._at, one)
            self._at += 1
        else:
            self._at = known + 1
        if said[self._at - 1] != one or known is None:
            said[self._at - 1] = one
            self.session.keep()
        return value

    def _forget(self) -> None:
        """Forget the last answer of the person, and what a file said after it."""
        said = self.session.said
        mine = [at for at, one in enumerate(said[: self._at]) if one.by_person]
        if not mine:
            self.person.tell("  This is the first question.")
            return
        del said[mine[-1] :]
        self.session.keep()


def yes_or_no(value: Any) -> bool:
    """Read y or n, in full too."""
    told = str(value).strip().casefold()
    if told in {"y", "yes", "true"}:
        return True
    if told in {"n", "no", "false"}:
        return False
    raise ValueError("y or n, please (back returns to the question before)")
