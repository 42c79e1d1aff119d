"""What was said and paid for, in a file of its own: a session that is cut off goes on.

::

    {"version": 1,
     "said": [["name", "defects", true], ...],   # key, answer, whether a person gave it
     "paid": {"suggestions-1f2e...": ...},       # what the teacher answered, by what was asked
     "files": {"task.yaml": "<SHA-256>"}}        # as they were written

It holds texts, and never a secret.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from schemas.errors import ConfigError
from schemas.files.whole_files import write_whole

SESSION = ".silverstream-new.json"
_VERSION = 1


class Said(NamedTuple):
    """One answer; those from a file are given again and not gone back to."""

    key: str
    value: Any
    by_person: bool


@dataclass(slots=True)
class Session:
    """A session; every change is on disk before it is used."""

    path: Path
    said: list[Said] = field(default_factory=list)
    paid: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    def keep(self) -> None:
        """Write the file, whole; `DiskError`."""
        facts = {"version": _VERSION, "said": self.said, "paid": self.paid, "files": self.files}
        write_whole(self.path, json.dumps(facts, ensure_ascii=False, indent=1) + "\n")

    def pay(self, key: str, value: Any) -> None:
        """Keep what was paid for."""
        self.paid[key] = value
        self.keep()

    def write_file(self, path: Path, text: str) -> bool:
        """Write a file of ours, unless a person has edited it since; say whether it was."""
        name, there = path.name, _digest_of(path)
        if there is not None and there != self.files.get(name):
            return False
        write_whole(path, text)
        self.files[name] = hashlib.sha256(text.encode()).hexdigest()
        self.keep()
        return True


def open_session(folder: Path) -> Session:
    """Go on with the session of a folder, or begin one.

    Raises `ConfigError` for a file that is none, and where a task of another making is there.
    """
    path = folder / SESSION
    if not path.exists():
        if (folder / "task.yaml").exists():
            raise ConfigError(f"there is a task.yaml in {folder} already: take another --out")
        return Session(path)
    try:
        return _session(path, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ConfigError(f"cannot go on with {path}: {error}; remove it to begin anew") from None


def _session(path: Path, facts: Any) -> Session:
    if facts["version"] != _VERSION:
        raise ValueError(f"it is of version {facts['version']}")
    said = [Said(str(key), value, bool(person)) for key, value, person in facts["said"]]
    return Session(path, said, dict(facts["paid"]), dict(facts["files"]))


def _digest_of(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None
