"""The work folder: everything that the processes of a run read and write.

::

    settings.yaml  task.yaml  cold.jsonl
    models/  snapshots/  state/  logs/
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, SecretStr

from schemas.audit import key_of_seed
from schemas.files.task import Task
from schemas.files.task_file import task_yaml
from schemas.settings import Settings

PARTITIONS = 2
"""Enough for two lanes side by side, few enough that each lane's batches stay full."""

_UNBOUNDED_USD = 1e9
_PLAIN = {"security_protocol": "PLAINTEXT", "sasl_mechanism": None}
"""How the embedded broker speaks, whatever the user's own does."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """The names of a work folder's files."""

    root: Path

    @property
    def settings(self) -> Path:
        """What every process is started with."""
        return self.root / "settings.yaml"

    @property
    def task(self) -> Path:
        """The task file."""
        return self.root / "task.yaml"

    @property
    def cold(self) -> Path:
        """The texts of the cold start, without their gold."""
        return self.root / "cold.jsonl"

    def rounds(self, task: str) -> Path:
        """Where distill keeps the decision on each candidate of the task."""
        return self.root / "snapshots" / task / "rounds"

    @property
    def round_result(self) -> Path:
        """What the last `silverstream distill` came to."""
        return self.root / "round.json"

    @property
    def revision_result(self) -> Path:
        """What `silverstream revise` came to."""
        return self.root / "revision.json"

    @property
    def logs(self) -> Path:
        """One log for each process."""
        return self.root / "logs"

    def write(self, settings: Settings, task: Task) -> None:
        """Write the settings, readable by their owner only, and the task."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.task.write_text(task_yaml(task), encoding="utf-8")
        self.settings.touch(mode=0o600)
        self.settings.write_text(yaml.safe_dump(plain(settings)), encoding="utf-8")


def derived(
    base: Settings,
    space: Workspace,
    *,
    bootstrap_servers: str,
    delivery: str,
    teacher_url: str,
    changes: Mapping[str, Mapping[str, Any]],
) -> Settings:
    """Make a run's settings: the user's, with what must be the run's own replaced.

    Names of topics, group and transactional ids get a random part, so that runs on one
    Kafka do not meet; values describe themselves, without a schema registry. The teacher's
    budget in money is lifted: a run's budget is a share. Its audits are drawn with a key derived
    from its seed, so that it repeats.
    """
    name = f"{base.app}-{secrets.token_hex(4)}"
    own: dict[str, dict[str, Any]] = {
        "kafka": {
            "bootstrap_servers": bootstrap_servers,
            "delivery": delivery,
            **(_PLAIN if delivery == "at_least_once" else {}),
            "topic_prefix": f"{name}.",
            "text_topic": f"{name}.text",
        },
        "topics": {"partitions": PARTITIONS},
        "input": {"format": "text"},
        "schema_registry": {"url": None},
        "student": {
            "registry": space.root / "models",
            "cache": space.root / "state" / "bundles",
        },
        "routing": {
            "audit_key": SecretStr(key_of_seed(_seed(base, changes))),
            "audit_key_before": None,
            "audit_key_file": space.root / "state" / "audit.key",
        },
        "teacher": {
            "base_url": teacher_url,
            "api_key": SecretStr("teacher-sim"),
            "state": space.root / "state" / "teacher.sqlite",
            "budget_usd_per_day": _UNBOUNDED_USD,
        },
        "distill": {
            "snapshots": space.root / "snapshots",
            "work": space.root / "state" / "rounds",
        },
    }
    sections = {key: {**own.get(key, {}), **changes.get(key, {})} for key in {*own, *changes}}
    return base.model_copy(
        update={
            "app": name,
            "task": space.task,
            "teachers": (),
            **{key: getattr(base, key).model_copy(update=new) for key, new in sections.items()},
        }
    )


def _seed(base: Settings, changes: Mapping[str, Mapping[str, Any]]) -> int:
    seed: int = changes.get("distill", {}).get("seed", base.distill.seed)
    return seed


def plain(value: Any) -> Any:
    """Reduce settings to what YAML knows; secrets are written out, for the children to read."""
    match value:
        case BaseModel():
            return {name: plain(getattr(value, name)) for name in type(value).model_fields}
        case SecretStr():
            return value.get_secret_value()
        case Path():
            return str(value.resolve())
        case tuple():
            return [plain(one) for one in value]
        case _:
            return value
