"""The values that travel: frozen mirrors of the Avro schemas in `schemas/wire/avro`.

Offsets are half-open and count Unicode code points of the text, as Python's
`str` does; the JVM and JavaScript count UTF-16 units. Timestamps are
milliseconds since the Unix epoch, UTC. Digests are lower-case hexadecimal SHA-256.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Final, Literal, Protocol

DecidedBy = Literal["student", "teacher", "both", "person"]
"""`both`: from student and teacher what each is known to know better."""
Status = Literal["provisional", "final"]
LabelSource = Literal["teacher", "bootstrap", "human", "judging"]
Action = Literal["promote", "rollback", "policy"]
AskedAs = Literal["", "several", "unsure", "unsure several"]
"""How the teacher was asked about a text: whole and alone, or in one call with others, or about
what the student was unsure of, shown what it was sure of."""
WHOLE: Final[tuple[AskedAs, AskedAs]] = ("", "several")
UNSURE: Final[tuple[AskedAs, AskedAs]] = ("unsure", "unsure several")

Headers = tuple[tuple[str, bytes], ...]
"""Kafka headers in order; names may repeat."""


def text_digest(text: str) -> str:
    """SHA-256 of the text's exact UTF-8, 64 hexadecimal digits.

    A lone surrogate has no UTF-8: it raises `UnicodeEncodeError`; decoding
    refuses such texts before they get here.
    """
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


@dataclass(frozen=True, slots=True, order=True)
class Entity:
    """A labelled span: `surface == text[start:end]`, `0 <= start < end <= len(text)`."""

    start: int
    end: int
    label: str
    surface: str
    confidence: float = 1.0


@dataclass(frozen=True, slots=True, order=True)
class Category:
    """A label of the text as a whole."""

    label: str
    confidence: float = 1.0


class Annotated(Protocol):
    """What says something of a text: a tagging, an answer, a label, an example.

    Of the two, the one that is not of the task's kind is empty.
    """

    @property
    def entities(self) -> tuple[Entity, ...]:
        """Sorted, without overlaps."""
        ...

    @property
    def categories(self) -> tuple[Category, ...]:
        """Sorted by label, each label once."""
        ...


Fact = tuple[int, int, str]
"""One thing said of a text: start, end and label of an entity; 0, 0 and label of a category."""


def facts(said: Annotated) -> frozenset[Fact]:
    """Reduce to what counts as right or wrong: no confidences, no repeats."""
    return frozenset(
        [
            *((entity.start, entity.end, entity.label) for entity in said.entities),
            *((0, 0, category.label) for category in said.categories),
        ]
    )


@dataclass(frozen=True, slots=True, order=True)
class Choice:
    """A label that a student thinks likely, and how likely it says that is, in [0, 1].

    The label "" stands for none of all labels.
    """

    label: str
    probability: float


@dataclass(frozen=True, slots=True, order=True)
class Doubt:
    """A part of a text that a student is unsure of, and its choices, the likeliest first.

    Offsets as those of `Entity`; both are 0 where it is unsure of categories.
    """

    start: int
    end: int
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Tagging:
    """What the student says of one record.

    `score` is the raw probability of its least sure part (a word, a category), in [0, 1];
    `confidence` is the calibrated probability that the whole tagging is right, in [0, 1],
    monotone in `score`. `label_confidences` are the same as to each of the student's labels, in the
    manifest's order: of the parts that have the label, or would have it if they had any; 1 where
    there is no such part. The lowest is `confidence`; empty where nothing is told apart. `doubts`
    are the parts that it is unsure of, in order, without overlaps; empty where these are many, or
    nobody asked for them.
    """

    entities: tuple[Entity, ...]
    confidence: float
    score: float
    categories: tuple[Category, ...] = ()
    label_confidences: tuple[float, ...] = ()
    doubts: tuple[Doubt, ...] = ()


@dataclass(frozen=True, slots=True)
class TextRecord:
    """One input text, decoded (the Avro form of the `text` topic)."""

    text: str


@dataclass(frozen=True, slots=True)
class EntityEvent:
    """What consumers read. Upsert by (task, record_id): the higher revision wins.

    `revision` is 1 for the first event, 2 for the one that follows a deferral, 3 and on where a
    later student or a person overturned what was published.
    """

    task: str
    task_digest: str
    record_id: str
    text_digest: str
    entities: tuple[Entity, ...]
    confidence: float
    decided_by: DecidedBy
    revision: int
    status: Status
    reason: str
    student_version: str
    policy_version: str
    teacher_model: str
    prompt_version: str
    source_timestamp_ms: int
    produced_at_ms: int
    categories: tuple[Category, ...] = ()


@dataclass(frozen=True, slots=True)
class TeacherRequest:
    """A deferred record with all that revision 2 needs; `doubts` are those of the tagging."""

    task: str
    task_digest: str
    record_id: str
    source_topic: str
    source_partition: int
    key: bytes | None
    headers: Headers
    source_timestamp_ms: int
    text: str
    entities: tuple[Entity, ...]
    confidence: float
    reason: str
    audit: bool
    student_version: str
    policy_version: str
    requested_at_ms: int
    expires_at_ms: int
    categories: tuple[Category, ...] = ()
    doubts: tuple[Doubt, ...] = ()


@dataclass(frozen=True, slots=True)
class Opinion:
    """What somebody else says of the text of a silver label: another teacher, or the student.

    `teacher` is its name in the settings, "" for the student; `model` what it calls itself, the
    student's version there. `facts` are sorted, without the text; `confidence` is the student's.
    One that is `refused`, or could not be read, says nothing.
    """

    teacher: str
    model: str
    facts: tuple[Fact, ...]
    confidence: float = 1.0
    refused: bool = False


@dataclass(frozen=True, slots=True)
class SilverLabel:
    """A grounded answer, and who made it. `weight` is its training weight in (0, 1].

    `producer` names by a digest who sent the text, "" where that is not known. `asked` is "" too
    where nobody was asked, or an older version wrote the label. `teacher` is which of several
    teachers answered, by its name in the settings, "" where there was one. `opinions` are what the
    others, and the student, said of an audit about which all were asked.
    """

    task: str
    task_digest: str
    text: str
    entities: tuple[Entity, ...]
    source: LabelSource
    audit: bool
    teacher_model: str
    prompt_version: str
    student_version: str
    record_id: str
    weight: float
    labelled_at_ms: int
    tokens_in: int
    tokens_out: int
    categories: tuple[Category, ...] = ()
    producer: str = ""
    asked: AskedAs = ""
    teacher: str = ""
    opinions: tuple[Opinion, ...] = ()


@dataclass(frozen=True, slots=True)
class RoutingPolicy:
    """When a record is wanted by the teacher; carried by a `Promotion`.

    A record is wanted when its confidence is under `threshold` (in [0, 1]) or
    when it falls in the audit sample, a share `audit_share` of all texts drawn
    by a hash of the text's digest seeded with `audit_seed`, under the key of `audit_key_digest`
    ("": under none, so that everybody can draw it). What the student is unsure of only in
    `trusted` labels, in which it is proved as good as the teacher, is not wanted.
    """

    threshold: float
    audit_share: float
    audit_seed: int
    trusted: tuple[str, ...] = ()
    audit_key_digest: str = ""


def policy_digest(policy: RoutingPolicy) -> str:
    """SHA-256 of the policy's canonical JSON, 64 hexadecimal digits.

    Without `trusted` labels, and without a key, it is what it was before there were any.
    """
    later = {"trusted", "audit_key_digest"}
    found = {name: x for name, x in asdict(policy).items() if name not in later or x}
    canonical = json.dumps(found, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Promotion:
    """One entry of the promotion history; entries are numbered from 1 per task.

    `location` is the bundle's in the bundle store (`<task>/<version>`); `digest` the
    SHA-256 of its manifest.json. `parent` is the student version it replaces ("" for the first).
    `policy` as the action: the same student (its own `parent`) goes on under another policy.
    """

    task: str
    task_digest: str
    sequence: int
    parent: str
    action: Action
    student_version: str
    digest: str
    location: str
    policy: RoutingPolicy
    policy_digest: str
    gold_digest: str
    reason: str
    promoted_at_ms: int
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Promise:
    """What consumers may rely on: of a student's records under one policy, or of one label.

    Of the records that the student settles alone, those at or above `threshold`, at least the share
    `agreement` agrees with the teacher (or with people), with this `confidence`; where it is
    `unproven` or `broken`, `bound` is what is known. `label` is "" for whole records; those of a
    label are the records that say it, each time as sure as its `threshold`. `offsets` are
    those of the topic `entities`, by partition, from which on it is said; an event that names
    this student and policy is one that it is about.
    """

    task: str
    task_digest: str
    student_version: str
    policy_version: str
    label: str
    state: Literal["kept", "broken", "unproven"]
    agreement: float
    confidence: float
    against: Literal["teacher", "people"]
    threshold: float
    accepted_share: float
    audited: int
    errors: int
    bound: float
    promised_at_ms: int
    offsets: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TeacherSpend:
    """What one holder, a process that asks the teacher, spent or holds reserved in one hour.

    `hour` is of UTC, as `2026-11-26T17`, and the holder's clock's. The newest record of an hour,
    task, purpose and holder, by `sequence`, replaces those before; `nano_usd`, in 1e-9 US dollars,
    and `tokens`, in and out, are what counts against the budget. `ledger` is the state file that
    the same calls are booked in too. `questions`, `cached` and `saved_nano_usd` are a ledger's own,
    as its file tells.
    """

    hour: str
    task: str
    purpose: str
    holder: str
    sequence: int
    ledger: str = ""
    nano_usd: int = 0
    tokens: int = 0
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_reasoning: int = 0
    questions: int = 0
    cached: int = 0
    saved_nano_usd: int = 0
    written_at_ms: int = 0


@dataclass(frozen=True, slots=True)
class TeacherAnswer:
    """What the teacher answered to a question: it may be taken in place of a call.

    `question` is a digest of the text's digest and of the four that follow, and names the record;
    `model` is the one that answered, in the endpoint's words. `facts` is the answer, sorted,
    without its text.
    """

    question: str
    prompt_version: str
    asked_model: str
    endpoint: str
    apart: str = ""
    model: str = ""
    facts: tuple[Fact, ...] = ()
    answered_at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Canary:
    """What the teacher said of a canary, a text asked time and again; or that it is accepted.

    `teacher` is who was asked: the model and where it is, as the settings have them; `model` and
    `fingerprint` are what the endpoint says of itself, "" where it says nothing. `texts` names the
    set of canaries that the text was drawn from. `facts` is the answer, sorted, without its text;
    `right` is its F1 with what is known of the text, in [0, 1], or -1 where nothing is known.
    An entry of the kind `accept` says with its `reason` that a person takes the teacher as it is.
    """

    task: str
    task_digest: str
    kind: Literal["answer", "accept"]
    at_ms: int
    teacher: str = ""
    prompt_version: str = ""
    texts: str = ""
    text_digest: str = ""
    outcome: Literal["answered", "refused", "invalid"] = "answered"
    facts: tuple[Fact, ...] = ()
    right: float = -1.0
    model: str = ""
    fingerprint: str = ""
    latency_ms: int = 0
    reason: str = ""
