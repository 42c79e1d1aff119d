"""An explanation and a lineage as people read them at a terminal: pure, of the facts alone.

What stands in a text is made harmless by who prints it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any


def record_lines(facts: Mapping[str, Any]) -> list[str]:
    """Say how a record came to be what it is, step by step."""
    return [f"{name:<10}{line}" for name, line in record_steps(facts)]


def record_steps(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each step's name and words, in the order of the record's way."""
    text = facts["text"]
    yield "record", facts["record_id"]
    if text["value"] is not None:
        yield "text", f"{text['value']}  (from the {text['from']})"
    if (student := facts["student"]) is not None:
        sure = f"with a confidence of {student['confidence']:.3f}"
        yield "student", f"{student['version']} said {shown(student)}, {sure}"
        yield "policy", _policy(facts["policy"], student)
    if (teacher := facts["teacher"]) is not None:
        yield "teacher", _teacher(teacher)
    for event in facts["events"]:
        yield "event", _event(event)
    for letter in facts["dead_letters"]:
        yield "letter", f"a dead letter: {letter['code']}, {letter['message']}"
    for label in facts["labels"]:
        yield from _label_steps(label)
    if (why := facts["rationale"]) is not None:
        yield "rationale", f"{why['said']}  ({why['model']}; {why['note']})"
    for one in facts["students"]:
        yield "learnt by", _learnt(one)
    yield "cost", _cost(facts["cost"])
    for missing in facts["missing"]:
        yield "missing", missing


def lineage_lines(facts: Mapping[str, Any]) -> list[str]:
    """Say how a student came to be."""
    return [f"{name:<10}{line}" for name, line in _lineage(facts)]


def shown(said: Mapping[str, Any]) -> str:
    """Name what is said of a text."""
    entities = [f"{one['surface']} [{one['label']}]" for one in said["entities"]]
    categories = [one["label"] for one in said["categories"]]
    return ", ".join([*entities, *categories]) or "nothing"


def moment(at_ms: int | None) -> str:
    """Write a time, in UTC, to the second."""
    if not at_ms:
        return "some time"
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _policy(policy: Mapping[str, Any], student: Mapping[str, Any]) -> str:
    name = policy["version"][:12]
    if policy["promotion"] is None:
        return f"{student['reason']}: by {name}, which no promotion here names"
    return (
        f"{student['reason']}: by {name} of promotion {policy['promotion']}, which wants what is "
        f"under {policy['threshold']:.3f} and {policy['audit_share']:.1%} as audits"
    )


def _teacher(teacher: Mapping[str, Any]) -> str:
    asked = f"asked because of {teacher['deferred_because']}"
    if not teacher["answered"]:
        return f"{asked}; no answer: {teacher['outcome']}"
    return (
        f"{asked}; {teacher['model']} answered at {moment(teacher['answered_at_ms'])}, by prompt "
        f"{teacher['prompt_version']}"
    )


def _event(event: Mapping[str, Any]) -> str:
    return (
        f"revision {event['revision']}, {event['status']}, by {event['decided_by']} "
        f"({event['reason']}) at {moment(event['produced_at_ms'])}: {shown(event)}"
    )


def _label_steps(label: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "label", _label(label)
    for opinion in label["opinions"]:
        yield "opinion", _opinion(opinion)


def _label(label: Mapping[str, Any]) -> str:
    name = f" {label['teacher']}," if label["teacher"] else ""
    how = f" asked as {label['asked']}," if label["asked"] else ""
    model = (
        f"{name} {label['teacher_model']}, prompt {label['prompt_version']},{how}"
        if label["teacher_model"]
        else ""
    )
    stands = "stands" if label["stands"] else "stands no more"
    audit = ", an audit" if label["audit"] else ""
    return (
        f"{label['source']}{audit},{model} at {moment(label['labelled_at_ms'])}, weight "
        f"{label['weight']:g}, {stands}: {shown(label)}"
    )


def _opinion(one: Mapping[str, Any]) -> str:
    who = f"{one['teacher']}, {one['model']}" if one["teacher"] else f"the student {one['model']}"
    return f"{who}: {'no answer' if one['refused'] else shown(one)}"


def _learnt(one: Mapping[str, Any]) -> str:
    because = f" ({'; '.join(one['because'])})" if one["because"] else ""
    weight = f", weight {one['weight']:g}{because}" if one["weight"] else ""
    return f"{one['student']} ({one['status']}: {one['reason']}): {one['used_for']}{weight}"


def _cost(cost: Mapping[str, Any]) -> str:
    if (ledger := cost["ledger"]) is not None:
        batched = f", {ledger['in_batches']} of them in batches" if ledger["in_batches"] else ""
        return (
            f"${ledger['usd']:.6f} in {ledger['calls']} calls ({ledger['tokens_in']:,} tokens in, "
            f"{ledger['tokens_out']:,} out), first asked on {ledger['day']} for "
            f"{ledger['purpose']}{batched}, by this machine's ledger"
        )
    if cost["label_usd_today"]:
        return (
            f"{cost['label_tokens_in']:,} tokens in and {cost['label_tokens_out']:,} out for the "
            f"answer, by its label: ${cost['label_usd_today']:.6f} at today's prices"
        )
    return "nothing that is known here"


def _lineage(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    serves = " (in force)" if facts["in_force"] else ""
    yield "student", f"{facts['student']}{serves}"
    yield "parents", " <- ".join(facts["parents"]) or "none: it is the first"
    for one in facts["promotions"]:
        when = f"{one['sequence']}, {one['action']} at {moment(one['at_ms'])}: {one['reason']}"
        wants = f"wants what is under {one['policy']['threshold']:.3f}"
        yield "promotion", f"{when}; {wants}, promise {one['promise'] or 'none'}"
    if (made := facts["round"]) is not None:
        yield from _round(made)
    if (snapshot := facts["snapshot"]) is not None:
        yield "labels", _snapshot(snapshot)
    if facts["doubts"]:
        yield "doubts", _counts(facts["doubts"])
    gold = facts["gold"]
    if gold is not None:
        todays = "today's distill.gold" if gold["is_todays"] else "another file than today's"
        yield "gold", f"{gold['digest'][:12]}, {todays}"
    for one in facts["defended"]:
        yield "rival", f"{one['challenger']}: {one['status']}, {one['reason']}"
    for missing in facts["missing"]:
        yield "missing", missing


def _round(made: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    against = f" against {made['champion']}" if made["champion"] else ""
    judged = f"{against}, judged by {made['judged_on'] or 'nobody'}"
    outcome = f"{made['status']}, {made['reason']}"
    yield "round", f"at {moment(made['started_at_ms'])}{judged}: {outcome}"
    verdict: Mapping[str, Any] = made["verdict"] or {}
    for check in verdict.get("checks", ()):
        passed = "passed" if check["passed"] else "failed"
        yield "gate", f"{check['name']} {check['value']:.4g}, bound {check['bound']:.4g}: {passed}"
    if made["splits"]:
        yield "splits", _counts(made["splits"])


def _snapshot(snapshot: Mapping[str, Any]) -> str:
    if "labels" not in snapshot:
        return f"snapshot {(snapshot['digest'] or '')[:12]}"
    parts: Sequence[str] = [
        _counts(snapshot[name]) for name in ("by_source", "by_teacher", "by_prompt")
    ]
    return f"{snapshot['labels']:,} in {snapshot['file']}: {'; '.join(filter(None, parts))}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {n:,}" for name, n in counts.items())
