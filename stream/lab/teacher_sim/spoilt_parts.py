"""Answers about several texts as models spoil them: with parts missing, doubled, misnumbered."""

from __future__ import annotations

import json
from typing import Any

from stream.lab.teacher_sim.faults import Fault


def spoilt_parts(content: str, fault: Fault | None) -> str:
    """Spoil an answer about several texts, if that is the fault."""
    if fault not in {"missing-part", "doubled-part", "misnumbered-part"}:
        return content
    parts: list[dict[str, Any]] = json.loads(content)["answers"]
    if fault == "missing-part":
        parts = parts[:-1]
    elif fault == "doubled-part":
        parts = [*parts, {**parts[0], "note": "or rather"}]
    elif len(parts) > 1:
        numbers = [part["number"] for part in parts]
        numbers[:2] = numbers[1::-1]
        parts = [{**part, "number": number} for part, number in zip(parts, numbers, strict=True)]
    return json.dumps({"answers": parts}, ensure_ascii=False)
