"""The settings of a replay's processes, made of the user's and the options."""

from __future__ import annotations

from typing import Any

from schemas.settings import DoubtSettings, Settings
from stream.lab.replay.material import Material
from stream.lab.replay.options import ReplayOptions
from stream.lab.workspace import Workspace, derived

_FOLDS = 4
"""Where a second teacher is given and the settings doubt nothing."""


def settings_of(
    material: Material,
    space: Workspace,
    *,
    servers: str,
    delivery: str,
    url: str,
    second: str | None = None,
) -> Settings:
    """Make the settings of the run from the user's and the options."""
    options, base = material.options, material.base
    changes: dict[str, dict[str, Any]] = {
        "routing": {
            "budget_share": options.budget,
        },
        "experiment": {"routing_strategy": options.routing, "routing_seed": options.seed},
        "distill": {
            "gold": options.gold,
            "held_out": (options.held_out,),
            "audit_share": audit_share(material),
            "seed": options.seed,
            "doubt": doubt_of(base.distill.doubt, second),
        },
    }
    return derived(
        base, space, bootstrap_servers=servers, delivery=delivery, teacher_url=url, changes=changes
    )


def doubt_of(doubt: DoubtSettings, second: str | None) -> dict[str, Any]:
    """Give the settings' own, but ask nobody outside: the simulated teacher again, or a second.

    Who gives a second teacher means it to be asked, so labels are doubted then.
    """
    folds = doubt.folds if second is None else doubt.folds or _FOLDS
    inside = {"base_url": second, "model": None, "api_key": None, "folds": folds}
    return doubt.model_copy(update=inside).model_dump()


def audit_share(material: Material) -> float:
    """Give the settings' own, at most half of what the lanes may ask: audits are never trained on.

    Where neither gold nor questions judge, it is enough for audits to judge after two thirds of
    the stream.
    """
    budget, gold = material.options.budget, material.options.gold
    distill = material.base.distill.model_copy(update={"gold": gold})
    routing = material.base.routing.model_copy(update={"budget_share": budget})
    settings = material.base.model_copy(update={"distill": distill, "routing": routing})
    if gold or settings.questions_per_record:
        return min(distill.audit_share, settings.lanes_routing.budget_share / 2)
    streamed = sum(map(len, material.plan.rounds))
    wanted = 1.5 * distill.gate.min_records / max(streamed, 1)
    return min(max(distill.audit_share, wanted), budget / 2)


def answers_of(options: ReplayOptions) -> list[str]:
    """Say what `teacher-sim` answers from: the stream's gold, or recorded answers."""
    recorded = options.recorded_answers
    if recorded:
        return [str(recorded), "--answers", "llm"]
    return [*map(str, options.stream), "--answers", "gold"]
