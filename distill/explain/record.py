"""How a record came to be what it is: what was read, put into facts. Pure.

What is not there any more, or was not looked at, is named under `missing`; it is no error.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from distill.explain.traces import Traces
from schemas.types import Annotated, EntityEvent, Opinion, Promotion, SilverLabel
from stream.teacher.spending import Asked

ASKED_AFTERWARDS = "asked for afterwards: how a model explains an answer need not be how it came"


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """A student, and what it made of the label of the record's text.

    `used_for` is the label's purpose (`distill.labels.splits`), or why it was left out. `weight` is
    what it weighed in the training, 0 where it was not trained on; `because` says why that.
    """

    student: str
    status: str
    reason: str
    started_at_ms: int
    used_for: str
    weight: float
    because: tuple[str, ...]
    label: SilverLabel | None
    doubt: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rationale:
    """Why the teacher says that it answered so, asked for when the answer was long given."""

    said: str
    model: str
    at_ms: int
    usd: float


def explanation(
    traces: Traces,
    *,
    learnt: Sequence[Learnt],
    todays: Collection[str],
    asked: Asked | None,
    prices: Mapping[str, tuple[float, float]],
    rationale: Rationale | None,
    missing: Sequence[str] = (),
) -> dict[str, Any]:
    """Put together all that is known of the record.

    `todays` are the task digests that count today, `asked` is what the ledger of this machine has
    of the question, and `prices` are today's of tokens in and out, in US dollars a million, by the
    teacher's name, "" for one alone.
    """
    labels = list(traces.labels) or _archived(learnt)
    text, text_from = _text(traces, labels)
    return {
        "record_id": traces.record_id,
        "text": {
            "value": text,
            "from": text_from,
            "digest": traces.digest,
            "whereabouts": traces.whereabouts,
            "fault": traces.fault or None,
            "timestamp_ms": traces.timestamp_ms,
        },
        "student": _student(traces),
        "policy": _policy(traces),
        "teacher": _teacher(traces),
        "events": [event_facts(event) for event in traces.events],
        "dead_letters": list(traces.letters),
        "labels": [_label(label, index == 0) for index, label in enumerate(ranked(labels, todays))],
        "rationale": _rationale(rationale),
        "students": [_learnt(one) for one in learnt],
        "cost": _cost(labels, asked, prices),
        "missing": [*_missing(traces, text, asked), *missing],
        "read": {
            topic: {"records": seen.read, "whole": not seen.cut}
            for topic, seen in traces.looks.items()
        },
    }


def ranked(labels: Sequence[SilverLabel], todays: Collection[str]) -> list[SilverLabel]:
    """Order the labels of one text so that the one that stands comes first.

    As `distill.labels.standing` has it: today's task, a person, the newest.
    """

    def rank(one: SilverLabel) -> tuple[bool, bool, int]:
        return one.task_digest in todays, one.source == "human", one.labelled_at_ms

    return sorted(labels, key=rank, reverse=True)


def said(annotated: Annotated) -> dict[str, Any]:
    """Give what is said of a text, for JSON."""
    return {
        "entities": [asdict(entity) for entity in annotated.entities],
        "categories": [asdict(category) for category in annotated.categories],
    }


def event_facts(event: EntityEvent) -> dict[str, Any]:
    """Give an event without what all events of the record share."""
    names = (
        "revision",
        "decided_by",
        "status",
        "reason",
        "confidence",
        "student_version",
        "policy_version",
        "teacher_model",
        "prompt_version",
        "produced_at_ms",
    )
    return {name: getattr(event, name) for name in names} | said(event)


def _archived(learnt: Sequence[Learnt]) -> list[SilverLabel]:
    """Give the newest label that a snapshot has; topics may have lost it."""
    return [one.label for one in learnt if one.label is not None][-1:]


def _text(traces: Traces, labels: Sequence[SilverLabel]) -> tuple[str | None, str | None]:
    if traces.whereabouts == "there" and traces.text is not None:
        return traces.text, "text topic"
    if traces.text is not None:
        return traces.text, "teacher request"
    return (labels[0].text, "label") if labels else (None, None)


def _student(traces: Traces) -> dict[str, Any] | None:
    """Give what the student said first: the first revision, or what its request repeats."""
    first = next((event for event in traces.events if event.revision == 1), None)
    found = first or next(iter(traces.requests), None)
    if found is None:
        return None
    return {
        "version": found.student_version,
        "confidence": found.confidence,
        "reason": found.reason,
        **said(found),
    }


def _policy(traces: Traces) -> dict[str, Any] | None:
    """Give the routing policy that decided: which promotion brought it, and what it says."""
    versions = [*(event.policy_version for event in traces.events)]
    versions += [request.policy_version for request in traces.requests]
    if not versions:
        return None
    brought = [one for one in traces.history if one.policy_digest == versions[0]]
    found: Promotion | None = brought[-1] if brought else None
    return {
        "version": versions[0],
        "promotion": found.sequence if found else None,
        **(asdict(found.policy) if found else {}),
    }


def _teacher(traces: Traces) -> dict[str, Any] | None:
    """Give how the teacher was asked and what came of it; None where it was not."""
    request = next(iter(traces.requests), None)
    answer = next((event for event in traces.events if event.revision == 2), None)  # noqa: PLR2004
    if request is None and answer is None:
        return None
    return {
        "deferred_because": request.reason if request else answer.reason if answer else None,
        "audit": request.audit if request else None,
        "requested_at_ms": request.requested_at_ms if request else None,
        "expires_at_ms": request.expires_at_ms if request else None,
        "answered": answer is not None and answer.decided_by in {"teacher", "both"},
        "outcome": answer.reason if answer else "not answered yet, or its answer is gone",
        "model": answer.teacher_model if answer else None,
        "prompt_version": answer.prompt_version if answer else None,
        "answered_at_ms": answer.produced_at_ms if answer else None,
        **({} if answer is None else said(answer)),
    }


def _label(label: SilverLabel, stands: bool) -> dict[str, Any]:  # noqa: FBT001 - of one list
    names = (
        "source",
        "audit",
        "teacher",
        "teacher_model",
        "prompt_version",
        "asked",
        "student_version",
        "record_id",
        "weight",
        "labelled_at_ms",
        "tokens_in",
        "tokens_out",
    )
    return {
        "stands": stands,
        **{name: getattr(label, name) for name in names},
        **said(label),
        "opinions": [_opinion(one, label.text) for one in label.opinions],
    }


def _opinion(one: Opinion, text: str) -> dict[str, Any]:
    """Give what another teacher, or the student ("" for a name), says of the label's text."""
    spans = [(start, end, label) for start, end, label in one.facts if start < end]
    return {
        "teacher": one.teacher,
        "model": one.model,
        "confidence": one.confidence,
        "refused": one.refused,
        "entities": [
            {"start": start, "end": end, "label": label, "surface": text[start:end]}
            for start, end, label in spans
        ],
        "categories": [{"label": label} for start, end, label in one.facts if start == end],
    }


def _rationale(found: Rationale | None) -> dict[str, Any] | None:
    return None if found is None else {**asdict(found), "note": ASKED_AFTERWARDS}


def _learnt(one: Learnt) -> dict[str, Any]:
    label = one.label
    return {
        "student": one.student,
        "status": one.status,
        "reason": one.reason,
        "started_at_ms": one.started_at_ms,
        "used_for": one.used_for,
        "weight": one.weight,
        "because": list(one.because),
        "label": None if label is None else {"source": label.source, **said(label)},
        "doubt": dict(one.doubt) if one.doubt else None,
    }


def _cost(
    labels: Sequence[SilverLabel], asked: Asked | None, prices: Mapping[str, tuple[float, float]]
) -> dict[str, Any]:
    """Tell what the answer took: by the label its own tokens, by the ledger all tries."""
    paid = next((label for label in labels if label.source != "human"), None)
    return {
        "label_tokens_in": paid.tokens_in if paid else None,
        "label_tokens_out": paid.tokens_out if paid else None,
        "label_usd_today": _usd(paid, prices) if paid else None,
        "ledger": asdict(asked) if asked else None,
    }


def _usd(label: SilverLabel, prices: Mapping[str, tuple[float, float]]) -> float | None:
    """Price an answer; None where the settings have its teacher no more."""
    if label.teacher not in prices:
        return None
    price_in, price_out = prices[label.teacher]
    return (label.tokens_in * price_in + label.tokens_out * price_out) / 1e6


def _missing(traces: Traces, text: str | None, asked: Asked | None) -> Iterator[str]:
    place = traces.place
    match traces.whereabouts:
        case "expired":
            yield f"the text has expired from partition {place.partition} of {place.topic}"
        case "gone":
            yield (
                f"offset {place.offset} of partition {place.partition} of {place.topic} is no "
                "record: it was compacted away, or is a transaction's mark"
            )
        case "to come":
            yield (
                f"partition {place.partition} of {place.topic} has not come to offset "
                f"{place.offset} yet"
            )
    if traces.fault:
        yield f"the record has no text that could be read ({traces.fault})"
    elif text is None:
        yield "no topic and no snapshot has the text any more"
    yield from _missing_events(traces)
    for topic, seen in traces.looks.items():
        if seen.cut:
            yield f"{topic} was not read whole: {seen.read:,} records (--max-records)"
    if asked is None and any(event.teacher_model for event in traces.events):
        yield (
            "this machine's ledger (teacher.state) has nothing of the question: it was asked on "
            "another machine, by a version before 0.2.0, or under another teacher.model"
        )


def _missing_events(traces: Traces) -> Iterator[str]:
    if traces.whereabouts == "to come":
        return
    revisions = {event.revision for event in traces.events}
    if not revisions and not traces.letters:
        yield (
            "no event and no dead letter of it is there: they have expired, or the lanes have not "
            "come to it"
        )
    if revisions and 1 not in revisions:
        yield "its first revision has expired"
    if revisions == {1} and traces.events[0].status == "provisional":
        yield "the teacher's revision 2 is not there yet"
    if traces.events and traces.events[0].status == "provisional" and not traces.requests:
        yield "its request to the teacher has expired"
