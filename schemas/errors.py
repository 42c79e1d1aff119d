"""Every error that Silverstream raises, sorted by what happens next.

::

    SilverstreamError
    ├── RetryError                    the same call may succeed later
    │   ├── BrokerUnavailableError
    │   ├── SchemaRegistryUnavailableError
    │   ├── StoreUnavailableError      the store of bundles or records does not answer
    │   └── TeacherUnavailableError   timeout, 429, 5xx, open circuit
    │       ├── TurnedAwayError           not now: too many requests, or an open circuit
    │       ├── TeacherAwayError          nobody takes requests: it is not the text
    │       ├── TeacherStateError         the ledger's file is locked, or its disk full
    │       └── TeacherPermanentError     no retry helps before a person has looked
    ├── RecordError                   this record alone is at fault: dead-letter it
    │   ├── DecodeError               the bytes are not what their format says
    │   ├── TextError                 null or over-long text
    │   ├── TaggingError              the student failed on this text
    │   └── OutputTooLargeError       the broker takes no record as large as its result
    ├── AnswerError                   no label: revision 2 keeps the student's entities
    │   ├── RefusedError              the teacher declined
    │   ├── InvalidAnswerError        malformed, cut off, or not grounded in the text
    │   ├── BudgetExhaustedError      the ledger would not reserve the call
    │   ├── ExpiredError              the request is older than its `expires_at`
    │   ├── NoConsentError            nobody agreed that the teacher may see the record
    │   └── RedactionError            what is personal could not be taken out
    ├── HaltError                     a person must act: stop, say why, exit non-zero
    │   ├── ConfigError               settings, task file, command line, corpus file
    │   ├── BundleError               a student bundle that must not be loaded
    │   ├── StoreDeniedError          the store refuses us: credentials, access rules
    │   ├── DiskError                 a file cannot be written: full, read-only
    │   ├── AuditKeyError             the audit sample is drawn with a key that we lack
    │   ├── TopicError                missing topic, wrong partition count or policy
    │   ├── FencedError               another process took over this lane
    │   ├── FailureShareError         too many records fail: a bug or a bad deploy
    │   ├── GateError                 a candidate or a promotion that cannot be judged
    │   ├── ChildDiedError            a process of the laboratory ended before its time
    │   └── StalledError              records of the laboratory are missing for good
    └── SignalError                   between functions of ours: always caught, never shown
        ├── UnknownSchemaError        the schema registry has no schema of this id
        ├── BatchRefusedError         send these records one by one
        ├── RecordsRefusedError       these records have an output that is never taken
        ├── UnbilledCallError         the teacher's call cost nothing: release its price
        ├── GoneError                 the teacher's endpoint has no such file or batch
        ├── MalformedModelError       bytes that are no ONNX model
        └── BackError                 who is asked wants the question before this one again

Each class carries a `code`: the short, stable word that headers, metrics and
`reason` fields use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class SilverstreamError(Exception):
    """The root: catch it at the edge, never in the middle."""

    code: ClassVar[str] = "error"


class RetryError(SilverstreamError):
    """The same call may succeed later."""

    code = "retry"


class BrokerUnavailableError(RetryError):
    """No Kafka broker answered in time."""

    code = "broker_unavailable"


class SchemaRegistryUnavailableError(RetryError):
    """The schema registry did not answer, or answered with a server error."""

    code = "schema_registry_unavailable"


class StoreUnavailableError(RetryError):
    """The store of bundles or records did not answer, cut its answer off, or failed."""

    code = "store_unavailable"


class TeacherUnavailableError(RetryError):
    """The teacher timed out, was busy or failed; `retry_after_s` is its wish, if any."""

    code = "teacher_unavailable"

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TurnedAwayError(TeacherUnavailableError):
    """Not now: too many requests, or an open circuit. It is no attempt, and costs none."""


class TeacherAwayError(TeacherUnavailableError):
    """Nobody took the request, nor those before it: that says nothing of this text."""


class TeacherStateError(TeacherUnavailableError):
    """The file of cache and ledger is locked or its disk full: nothing was asked, wait."""


class TeacherPermanentError(TeacherUnavailableError):
    """The endpoint refuses us, not the text: key, account, model, address, request.

    No retry helps before a person has looked; whoever can wait tries again, one call at a time.
    `surely_us` says that it cannot be the text after all: the key, or money.
    """

    def __init__(
        self, message: str, *, retry_after_s: float | None = None, surely_us: bool = False
    ) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.surely_us = surely_us


class RecordError(SilverstreamError):
    """One record is at fault; it becomes a dead letter and the lane goes on."""

    code = "record_error"


class DecodeError(RecordError):
    """The bytes are not what their format says."""

    code = "undecodable"


class TextError(RecordError):
    """The text is null or longer than the set limit."""

    code = "bad_text"


class TaggingError(RecordError):
    """The student failed on this text."""

    code = "tagging_failed"


class OutputTooLargeError(RecordError):
    """The broker refuses the record's result, most likely because it is too large."""

    code = "output_too_large"


class AnswerError(SilverstreamError):
    """The teacher gave no usable answer; `code` becomes the reason of revision 2."""

    code = "no_answer"


class RefusedError(AnswerError):
    """The teacher declined to answer."""

    code = "refused"


class InvalidAnswerError(AnswerError):
    """The answer is malformed, cut off, or not grounded in the text."""

    code = "invalid_answer"


class BudgetExhaustedError(AnswerError):
    """The spend ledger would not reserve the price of this call."""

    code = "budget_exhausted"


class ExpiredError(AnswerError):
    """The request waited longer than its `expires_at`."""

    code = "expired"


class NoConsentError(AnswerError):
    """Neither the topic nor a header says that the teacher may see the record."""

    code = "no_consent"


class RedactionError(AnswerError):
    """What is personal could not be taken out of a text: it is not sent."""

    code = "redaction_failed"


class HaltError(SilverstreamError):
    """A person must act: the process stops, says why in one line, and exits non-zero."""

    code = "halt"


class ConfigError(HaltError):
    """Settings, a task file, a corpus file or the command line are wrong."""

    code = "config"


class BundleError(HaltError):
    """A student bundle that must not be loaded."""

    code = "bundle"


class StoreDeniedError(HaltError):
    """The store refuses us: its credentials or access rules are wrong."""

    code = "store_denied"


class DiskError(HaltError):
    """A file cannot be written: the disk is full or read-only, or a rule forbids it."""

    code = "disk"


class AuditKeyError(HaltError):
    """The audit sample is drawn with a key that is not held here."""

    code = "audit_key"


class TopicError(HaltError):
    """A topic is missing, or has the wrong partition count or cleanup policy."""

    code = "topic"


class FencedError(HaltError):
    """Another process has taken over this lane's transactional id."""

    code = "fenced"


class FailureShareError(HaltError):
    """More records fail than bad data explains: a bug or a bad deploy."""

    code = "failure_share"


class GateError(HaltError):
    """A candidate or a promotion that cannot be judged or recorded."""

    code = "gate"


class ChildDiedError(HaltError):
    """A process of the replay or the demo ended before its time, or failed."""

    code = "child_died"

    def __init__(self, message: str, *, last_words: str) -> None:
        super().__init__(message)
        self.last_words = last_words
        """The end of its log."""


class StalledError(HaltError):
    """Records are missing and nothing comes back any more."""

    code = "stalled"


class SignalError(SilverstreamError):
    """What one function of ours tells another, which always catches it."""

    code = "signal"


class UnknownSchemaError(SignalError):
    """The registry has no schema of this id: records that name it cannot be decoded."""


class BatchRefusedError(SignalError):
    """A batch of several records was refused: send them one by one to find the culprit."""


@dataclass
class RecordsRefusedError(SignalError):
    """These input records (by offset) have an output that the broker will never take."""

    offsets: frozenset[int]


class UnbilledCallError(SignalError):
    """The call to the teacher was turned away before any token was made; `cause` says why."""

    def __init__(self, cause: SilverstreamError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class GoneError(SignalError):
    """The teacher's endpoint has no such file or batch, or no such address at all."""


class MalformedModelError(SignalError):
    """The bytes are no ONNX model: the bundle that holds them must not be loaded."""


class BackError(SignalError):
    """The person wants to answer the question before this one again."""
