"""Whether an entry of the promotions topic fits the history before it: pure, for every reader.

Whoever may write the topic can write anything. What does not follow from what stands there already
is passed over, and takes no number: so a forged entry neither rules what is served nor stands in
the way of the next honest one. What a bundle says of itself is looked at when it is loaded
(`stream.student.promoted`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from schemas.types import Promotion, policy_digest


def misfit(history: Sequence[Promotion], entry: Promotion) -> str:
    """Say why the task's next entry cannot be believed; "" when it can."""
    in_force = history[-1] if history else None
    parent = in_force.student_version if in_force else ""
    if entry.parent != parent:
        return f"it replaces {entry.parent or 'nothing'}, and {parent or 'nothing'} is in force"
    if entry.policy_digest != policy_digest(entry.policy):
        return "its policy_digest is that of another policy"
    if not math.isfinite(entry.policy.threshold) or not 0 <= entry.policy.audit_share <= 1:
        return "its policy is none"
    if entry.location != f"{entry.task}/{entry.student_version}":
        return "its location is that of another student"
    return _of_another_student(history, entry)


def _of_another_student(history: Sequence[Promotion], entry: Promotion) -> str:
    same = [one for one in history if one.student_version == entry.student_version]
    if any(_student(one) != _student(entry) for one in same):
        return f"{entry.student_version} was promoted as another bundle"
    if entry.action == "rollback" and not any(one.action == "promote" for one in same):
        return f"{entry.student_version}, to which it goes back, was never promoted"
    if entry.action == "policy" and entry.student_version != entry.parent:
        return f"it changes the policy of {entry.student_version}, which is not in force"
    return ""


def _student(entry: Promotion) -> tuple[str, str]:
    return entry.task_digest, entry.digest
