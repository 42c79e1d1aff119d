"""Whether the teacher is still who it was: a fold over the history of canaries, pure.

Each reader folds the whole history, and all come to the same: the history is one partition, ties
are broken by lots that all draw alike. A doubt ends when a person accepts the teacher, or when
another one is asked; another prompt, task or set of texts begins the comparison anew, but does not
end a doubt. Each beginning gets a share of the chance of a false alarm, so that `FALSE_ALARM`
bounds it over the whole history.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from schemas.canaries.epoch import Epoch, Signal
from schemas.canaries.holds import Hold, open_hold
from schemas.types import Canary

FALSE_ALARM = 0.01
"""The chance that a teacher that never changes is ever doubted, at most."""

_Key = tuple[str, str, str, str]


@dataclass(slots=True)
class TeacherTrust:
    """The state of the history's fold; `take` entries in order.

    `noticed` is what gave the last change away, "" before any; `accepted` the last acceptance.
    """

    epoch: Epoch = field(default_factory=lambda: Epoch(_risk(1)))
    n_epochs: int = 1
    holds: tuple[Hold, ...] = ()
    noticed: Signal | None = None
    accepted: Canary | None = None
    doubted: Epoch | None = None
    """The epoch in which the change was noticed that is doubted now."""
    _key: _Key | None = None

    @property
    def hold(self) -> Hold | None:
        """What is held back now, if the teacher is doubted."""
        return open_hold(self.holds)

    @property
    def teacher(self) -> str:
        """Who was asked last; "" for nobody."""
        return self._key[0] if self._key else ""

    def is_about(self, key: _Key) -> bool:
        """Whether the epoch is of this teacher, task digest, prompt version and set of texts."""
        return self._key == key

    def take(self, entry: Canary) -> None:
        """Take note of the next entry of the task."""
        if entry.kind == "accept":
            self._accept(entry)
        else:
            self._answer(entry)

    def take_all(self, entries: Iterable[Canary]) -> TeacherTrust:
        """Take note of several entries; returns itself."""
        for entry in entries:
            self.take(entry)
        return self

    def _accept(self, entry: Canary) -> None:
        if self.hold is None:
            return  # somebody was quicker
        self._close(entry.at_ms, released=True)
        self.accepted = entry
        self._begin(None)

    def _answer(self, entry: Canary) -> None:
        key = (entry.teacher, entry.task_digest, entry.prompt_version, entry.texts)
        if self._key is not None and self._key[0] != entry.teacher and self.hold is not None:
            self._close(entry.at_ms, released=False)
        if self._key is None:
            self._key = key
        elif self._key != key:
            self._begin(key)
        self.epoch.take(entry)
        if self.epoch.noticed and self.hold is None:
            self.noticed, self.doubted = self.epoch.noticed, self.epoch
            self.holds = (*self.holds, Hold(self.epoch.since_ms))

    def _begin(self, key: _Key | None) -> None:
        self._key = key
        self.n_epochs += 1
        self.epoch = Epoch(_risk(self.n_epochs))

    def _close(self, at_ms: int, *, released: bool) -> None:
        closed = replace(self.holds[-1], until_ms=at_ms, released=released)
        self.holds = (*self.holds[:-1], closed)
        self.doubted = None


def _risk(n: int) -> float:
    """Share the chance of a false alarm among beginnings without end: 1/2, 1/6, 1/12 ..."""
    return FALSE_ALARM / (n * (n + 1))
