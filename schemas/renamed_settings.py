"""Settings that have another name now: the old one goes on for one version, with a warning.

To rename a setting, add a line to `RENAMED`; to end an old name's time, take its line out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from schemas.errors import ConfigError

_log = structlog.get_logger(__name__)

_NOW_EXPERIMENTS = (
    "epochs",
    "min_steps",
    "learning_rate",
    "head_learning_rate_factor",
    "batch_records",
    "word_dropout",
    "mention_swap",
    "label_half_life",
    "self_training_texts",
    "self_training_weight",
    "train_embeddings",
    "averaged_share",
)
RENAMED: Mapping[str, str] = {
    # Of version 0.1.0.
    **{f"distill.recipe.{name}": f"experiment.{name}" for name in _NOW_EXPERIMENTS},
    "routing.seed": "experiment.routing_seed",
    "routing.strategy": "experiment.routing_strategy",
    "distill.target_accuracy": "promise.agreement",
}
"""Old dotted path to new dotted path."""


def with_new_names(
    values: Mapping[str, Any], renamed: Mapping[str, str] = RENAMED
) -> dict[str, Any]:
    """Copy nested plain values with each old name replaced by its new one; warn of each.

    Raises `ConfigError` when both names are given: silently preferring one would hide the other.
    """
    found = _copied(values)
    for old, new in renamed.items():
        _rename(found, old, new)
    return found


def _copied(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _copied(value) if isinstance(value, dict) else value for name, value in values.items()
    }


def _rename(values: dict[str, Any], old: str, new: str) -> None:
    *old_sections, old_name = old.split(".")
    *new_sections, new_name = new.split(".")
    source = _section(values, old_sections)
    if source is None or old_name not in source:
        return
    target = _section(values, new_sections, make=True)
    if target is None:  # no mapping: validation says so
        return
    if new_name in target:
        raise ConfigError(f"settings: {old} is {new} now, and both are given: take {old} out")
    target[new_name] = source.pop(old_name)
    _log.warning(
        "setting_renamed",
        old=old,
        new=new,
        advice=f"write {new} for {old}: the next version does not know the old name",
    )


def _section(
    values: dict[str, Any], path: list[str], *, make: bool = False
) -> dict[str, Any] | None:
    section: Any = values
    for name in path:
        section = section.setdefault(name, {}) if make else section.get(name)
        if not isinstance(section, dict):
            return None
    found: dict[str, Any] = section
    return found
