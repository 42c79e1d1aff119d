"""A promise as it is written down: among a promotion's figures, and on the topic `promises`.

A promotion carries all that is promised with it, as numbers by name; so who reads the history knows
what was promised when, and what stands on the topic can be written anew from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

from schemas.promises.proving import Asked, Proof, State
from schemas.types import Promise, Promotion

Against = Literal["teacher", "people"]

_STATES: Mapping[State, float] = {"kept": 1.0, "unproven": 0.0, "broken": -1.0}
_PREFIX = "promise_"
_LABEL = "promise_label_"


@dataclass(frozen=True, slots=True)
class LabelBound:
    """A label's own threshold: of records in which the student says it, all times as sure as that.

    `audited` of these were seen, `errors` are those where what it says of this label was not
    answered. `bound`, a share in [0, 1], holds of the label alone, not of all labels together;
    `accepted_share` is that of the records in which the student says it.
    """

    threshold: float
    accepted_share: float
    audited: int
    errors: int
    bound: float
    state: State = "unproven"


@dataclass(frozen=True, slots=True, kw_only=True)
class Promised:
    """What a promotion promises. `watched` is the agreement with the teacher that is watched for.

    That is the promise's own where it is about the teacher, else what the audits showed; 0 where
    nothing is known to watch for. `stream` counts the records of the evidence that came from the
    stream itself; the rest came before it. `since_ms` is when the stream became what it is now, as
    far as a promise that broke told: older audits speak of another one. `overall` is the agreement
    on all audits, accepted or not, that held at least when the promise was proved: less than
    that is another stream. 0 where nothing is known. `changed`: unproven, for what proved it is of
    the stream as it was. `short`: further audits may prove what these did not
    (`schemas.promises.shortage`). `per_label` was proved when the student was made; a label is not
    watched on its own, so it is promised no longer than the whole.
    """

    asked: Asked
    against: Against
    proof: Proof
    watched: float
    stream: int
    since_ms: int = 0
    overall: float = 0.0
    changed: bool = False
    short: bool = False
    per_label: Mapping[str, LabelBound] = field(default_factory=dict)

    def labels_in(self, state: State) -> dict[str, LabelBound]:
        """Give what was proved of each label as one that is `state`."""
        return {label: replace(bound, state=state) for label, bound in self.per_label.items()}

    def metrics(self) -> dict[str, float]:
        """Give the figures that a promotion carries."""
        proof = self.proof
        figures = {
            "agreement": self.asked.agreement,
            "confidence": self.asked.confidence,
            "people": float(self.against == "people"),
            "state": _STATES[proof.state],
            "accepted_share": proof.accepted_share,
            "audited": float(proof.audited),
            "errors": float(proof.errors),
            "bound": proof.bound,
            "watched": self.watched,
            "stream": float(self.stream),
            "since_ms": float(self.since_ms),
            "overall": self.overall,
            "changed": float(self.changed),
            "short": float(self.short),
        }
        if proof.need is not None:
            figures["need"] = float(proof.need)
        found = {f"{_PREFIX}{name}": value for name, value in figures.items()}
        for label, bound in self.per_label.items():
            values = {**asdict(bound), "state": _STATES[bound.state]}
            for name, value in values.items():
                found[f"{_LABEL}{name}:{label}"] = float(value)
        return found


def promised_by(promotion: Promotion) -> Promised | None:
    """Read what a promotion promises; None where it is older than promises."""
    metrics = promotion.metrics
    if f"{_PREFIX}state" not in metrics:
        return None

    def figure(name: str) -> float:
        return metrics.get(f"{_PREFIX}{name}", 0.0)

    return Promised(
        asked=Asked(agreement=figure("agreement"), confidence=figure("confidence")),
        against="people" if figure("people") else "teacher",
        proof=Proof(
            state=_state(figure("state")),
            threshold=promotion.policy.threshold,
            accepted_share=figure("accepted_share"),
            audited=int(figure("audited")),
            errors=int(figure("errors")),
            bound=figure("bound"),
            need=int(figure("need")) if f"{_PREFIX}need" in metrics else None,
        ),
        watched=figure("watched"),
        stream=int(figure("stream")),
        since_ms=int(figure("since_ms")),
        overall=figure("overall"),
        changed=bool(figure("changed")),
        short=bool(figure("short")),
        per_label={label: _label_bound(metrics, label) for label in _labels(metrics)},
    )


def promised_under(promotion: Promotion, task_digest: str) -> Promised | None:
    """Read what it promises where audits are by the task of this digest.

    They tell nothing of a student of another version of the task: nothing is known to hold of it,
    so none of what it promises stands; what broke stays broken.
    """
    promised = promised_by(promotion)
    if promised is None or promotion.task_digest == task_digest:
        return promised
    return replace(
        promised,
        proof=replace(promised.proof, state=_unwatched(promised.proof.state), bound=0.0),
        per_label={
            label: replace(one, state=_unwatched(one.state), bound=0.0)
            for label, one in promised.per_label.items()
        },
    )


def _unwatched(state: State) -> State:
    return "broken" if state == "broken" else "unproven"


def without_promise(metrics: Mapping[str, float]) -> dict[str, float]:
    """Give a promotion's other figures."""
    return {name: value for name, value in metrics.items() if not name.startswith(_PREFIX)}


def promises_of(promotion: Promotion, *, task_digest: str) -> list[Promise]:
    """Give what the topic is to say: of whole records first (label ""), then of each label.

    `task_digest` is that of the task which audits are by, as in `promised_under`.
    """
    promised = promised_under(promotion, task_digest)
    if promised is None:
        return []
    proof = promised.proof
    whole = Promise(
        task=promotion.task,
        task_digest=promotion.task_digest,
        student_version=promotion.student_version,
        policy_version=promotion.policy_digest,
        label="",
        state=proof.state,
        agreement=promised.asked.agreement,
        confidence=promised.asked.confidence,
        against=promised.against,
        threshold=proof.threshold,
        accepted_share=proof.accepted_share,
        audited=proof.audited,
        errors=proof.errors,
        bound=proof.bound,
        promised_at_ms=promotion.promoted_at_ms,
    )
    return [whole, *_of_labels(whole, promised)]


def _of_labels(whole: Promise, promised: Promised) -> Iterator[Promise]:
    for label, bound in promised.per_label.items():
        yield replace(whole, label=label, **asdict(bound))


def _state(figure: float) -> State:
    return next((state for state, number in _STATES.items() if number == figure), "unproven")


def _labels(metrics: Mapping[str, float]) -> list[str]:
    prefix = f"{_LABEL}bound:"
    return [name.removeprefix(prefix) for name in metrics if name.startswith(prefix)]


def _label_bound(metrics: Mapping[str, float], label: str) -> LabelBound:
    def figure(name: str) -> float:
        return metrics.get(f"{_LABEL}{name}:{label}", 0.0)

    return LabelBound(
        threshold=metrics.get(f"{_LABEL}threshold:{label}", 1.0),
        accepted_share=figure("accepted_share"),
        audited=int(figure("audited")),
        errors=int(figure("errors")),
        bound=figure("bound"),
        state=_state(figure("state")),
    )
