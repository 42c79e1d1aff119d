"""`silverstream status`: what the student in service promises, and whether it holds."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import typer

from schemas.audit import NO_KEYS, AuditKeys, audit_keys, is_evidence
from schemas.canaries.facts import canary_facts, change_words
from schemas.errors import AuditKeyError, ConfigError, HaltError, RetryError, TopicError
from schemas.files.bundle_store import open_bundle_store
from schemas.files.task import Task
from schemas.files.task_file import load_task
from schemas.promises.missing import evidence_facts
from schemas.promises.record import Promised, promised_by, promised_under
from schemas.promises.serving import ANOTHER_TASK_VERSION, proving_since_ms
from schemas.promises.trust import trust_facts
from schemas.settings import Settings
from schemas.types import Promotion
from schemas.wire.codec import Codec, open_codec
from stream.cli.json_output import JsonOption, check_writable, is_printed, write_json
from stream.cli.options import ConfigOption
from stream.cli.settings_source import command_settings
from stream.kafka.canaries import CanaryLog
from stream.kafka.promotions import current, history_lost
from stream.kafka.spend_log import read_spend
from stream.retrain.last_decision import LastDecision, last_decision
from stream.retrain.promise_log import KafkaPromiseLog
from stream.teacher.batch_rows import Batch
from stream.teacher.batches.facts import batch_facts, batch_lines
from stream.teacher.comparison import NOTHING_COMPARED, comparison_in
from stream.teacher.comparison_facts import teacher_facts, teacher_lines
from stream.teacher.retries import Outage
from stream.teacher.shared_spend import dollars, view_of
from stream.teacher.store_looks import batches_of, outages_of, paid_to_teachers, spent_on

_TRIED_LATELY_S = 900.0
"""An endpoint that does not answer is tried every five minutes at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was read: the promotion in force, the times of audits, today's spend."""

    promotion: Promotion | None
    audits_ms: Sequence[int]
    spent_usd: float | None
    limit_usd: float
    now_ms: int
    proving_ms: int = 0
    """Since when audits may prove what is promised."""
    task: str = ""
    task_digest: str = ""
    stored: Sequence[str] = ()
    """The versions of the store's bundles; looked up where nothing is promoted."""
    canary: dict[str, Any] | None = None
    """What the canaries say of the teacher, see `canary_facts`."""
    keys: AuditKeys = NO_KEYS
    outages: Mapping[str, Outage] = field(default_factory=dict)
    """Endpoints that this machine's workers ask nothing for now."""
    batches: Sequence[Batch] = ()
    """Batches of this machine's that wait at a provider."""
    teachers: Sequence[str] = ()
    """The names of several teachers, the first first; what each was paid; what is tolerated."""
    paid_usd: Mapping[str, float] = field(default_factory=dict)
    tolerated_loss: float = 0.0
    last_round: LastDecision | None = None
    """What the last round decided, where this machine can read it."""


def status(config: ConfigOption = None, json_file: JsonOption = None) -> None:
    """Say which student serves, what it promises, what is known of it, and what is wrong.

    Exit code 1 says that the promise is broken.
    """
    check_writable(json_file)
    found = report(asyncio.run(_facts(command_settings(config))))
    if not is_printed(json_file):
        print("\n".join(words(found)))
    write_json(found, json_file)
    if found["promise"] and found["promise"]["state"] == "broken":
        raise typer.Exit(1)


def report(facts: Facts) -> dict[str, Any]:
    """Put the facts into the form that machines get; pure."""
    promotion = facts.promotion
    promised = promised_by(promotion) if promotion else None
    stands = promised_under(promotion, facts.task_digest) if promotion else None
    return {
        "student": promotion.student_version if promotion else None,
        "policy_version": promotion.policy_digest if promotion else None,
        "promise": promise_facts(stands) if stands else None,
        "evidence": _evidence(facts, promotion, promised) if promotion and promised else None,
        "trust": trust_facts(promotion) if promotion else None,
        "teachers": teacher_facts(
            comparison_in(promotion.metrics) if promotion else NOTHING_COMPARED,
            facts.teachers,
            tolerated=facts.tolerated_loss,
            spent_usd=facts.paid_usd,
        ),
        "audits": _audits(facts),
        "budget": _budget(facts),
        "canary": facts.canary,
        "outages": {name: asdict(one) for name, one in _lasting(facts).items()},
        "batches": batch_facts(facts.batches),
        "alarms": _alarms(facts, promised),
    }


def words(found: dict[str, Any]) -> list[str]:
    """Say the same to people, a line each."""
    if found["student"] is None:
        waiting = batch_lines(found["batches"])
        return ["no student serves yet", *waiting, *_warnings(found)]
    lines = [f"student   {found['student']}, policy {found['policy_version'][:12]}"]
    if (promise := found["promise"]) is None:
        lines.append("promise   none: it was promoted before there were promises")
    else:
        lines += [f"promise   {_promise_words(promise)}", f"evidence  {_evidence_words(found)}"]
    if trusted := [label for label, one in found["trust"].items() if one["trusted"]]:
        lines.append(f"trusted   {', '.join(trusted)}: unsure in these alone, nobody is asked")
    if (budget := found["budget"]) is not None:
        spent, limit = budget["spent_usd"], budget["limit_usd"]
        lines.append(f"budget    {spent:.2f} of {limit:.2f} USD spent on {budget['day']}")
    lines += batch_lines(found["batches"])
    lines += teacher_lines(found["teachers"] or {})
    if (canary := found["canary"]) is not None:
        lines.append(f"canary    {_canary_words(canary)}")
    return lines + _warnings(found)


async def _facts(settings: Settings) -> Facts:
    task = load_task(settings.task)
    now_ms = time.time_ns() // 1_000_000
    history, audits_ms, canary = await _logs(settings, task)
    promotion = current(history)
    return Facts(
        promotion=promotion,
        audits_ms=audits_ms,
        proving_ms=proving_since_ms(history) if history else 0,
        spent_usd=await _spent(settings, now_ms),
        limit_usd=settings.teacher.budget_usd_per_day,
        now_ms=now_ms,
        task=task.name,
        task_digest=task.digest,
        canary=canary,
        stored=() if promotion else await asyncio.to_thread(_stored, settings, task),
        keys=audit_keys(settings.routing),
        outages=_outages(settings),
        batches=_batches(settings),
        teachers=[one.name for one in settings.teachers],
        paid_usd=await asyncio.to_thread(_paid, settings, task),
        tolerated_loss=settings.teacher.tolerated_loss,
        last_round=await asyncio.to_thread(last_decision, settings, task.name),
    )


def _paid(settings: Settings, task: Task) -> dict[str, float]:
    """Add up what this machine's ledger says that each of several teachers was paid."""
    found: defaultdict[str, float] = defaultdict(float)
    for row in paid_to_teachers(settings.teacher.state) if settings.teachers else ():
        if row.task == task.name:
            found[row.teacher] += row.usd
    return dict(found)


def _stored(settings: Settings, task: Task) -> Sequence[str]:
    """List what the store has; a store that is away must not keep the rest from being told."""
    try:
        return open_bundle_store(settings.student).versions(task.name)
    except (HaltError, RetryError):
        return ()


async def _logs(
    settings: Settings, task: Task
) -> tuple[Sequence[Promotion], list[int], dict[str, Any] | None]:
    """Read the history, the times of the audits that are evidence, each text once, and canaries."""
    async with open_codec(settings.schema_registry) as codec:
        log = KafkaPromiseLog(settings, task, codec)
        history = await log.history()
        audits = {
            label.text: label.labelled_at_ms
            for label in await log.all_audits()
            if is_evidence(label.teacher, settings.first_teacher)
        }
        canary = await _canary(settings, task, codec)
    return history, sorted(audits.values()), canary


async def _canary(settings: Settings, task: Task, codec: Codec) -> dict[str, Any] | None:
    """Read the history of canaries; None where nobody ever made its topic."""
    try:
        trust = await CanaryLog(settings.kafka, task.name, codec).trust()
    except TopicError:
        return None
    return canary_facts(trust, per_hour=settings.teacher.canaries_per_hour)


async def _spent(settings: Settings, now_ms: int) -> float | None:
    """Read what all spent, or the ledger, where the teach role runs on this machine."""
    if settings.teacher.budget_holds_for == "cluster":
        async with open_codec(settings.schema_registry) as codec:
            view = view_of(await read_spend(settings, codec))
        return dollars(view.spent("day", _day(now_ms)).nano_usd)
    try:
        return spent_on(settings.teacher.state, _day(now_ms))
    except ConfigError:
        return None


def _outages(settings: Settings) -> Mapping[str, Outage]:
    try:
        return outages_of(settings.teacher.state)
    except (ConfigError, RetryError):
        return {}


def _batches(settings: Settings) -> Sequence[Batch]:
    try:
        return batches_of(settings.teacher.state)
    except (ConfigError, RetryError):
        return ()


def _day(now_ms: int) -> str:
    return datetime.fromtimestamp(now_ms / 1000, tz=UTC).date().isoformat()


def promise_facts(promised: Promised) -> dict[str, Any]:
    """Give a promise the form that machines get."""
    proof = promised.proof
    return {
        "agreement": promised.asked.agreement,
        "confidence": promised.asked.confidence,
        "against": promised.against,
        "state": proof.state,
        "accepted_share": proof.accepted_share,
        "audited": proof.audited,
        "errors": proof.errors,
        "bound": proof.bound,
        "per_label": {label: asdict(bound) for label, bound in promised.per_label.items()},
    }


def _evidence(facts: Facts, promotion: Promotion, promised: Promised) -> dict[str, Any]:
    return evidence_facts(
        promised,
        facts.audits_ms,
        proving_ms=facts.proving_ms,
        in_force_ms=promotion.promoted_at_ms,
        now_ms=facts.now_ms,
    )


def _audits(facts: Facts) -> dict[str, Any] | None:
    """Tell by which key the audits are drawn, and which one is held here; digests only."""
    if facts.promotion is None:
        return None
    policy = facts.promotion.policy
    return {
        "share": policy.audit_share,
        "key": policy.audit_key_digest or None,
        "held": facts.keys.newest or None,
    }


def _key_alarm(facts: Facts) -> list[str]:
    """Say that the sample in force is drawn with a key that is not ours, or that all can draw it.

    Where no key is held nothing can be told: the command may run where there is none.
    """
    if facts.promotion is None or not facts.keys.newest or not facts.promotion.policy.audit_share:
        return []
    policy = facts.promotion.policy
    if not policy.audit_key_digest:
        return ["the audit sample is public: the next promotion, or a rollback, names our key"]
    try:
        facts.keys.require(policy)
    except AuditKeyError as error:
        return [str(error)]
    return []


def _budget(facts: Facts) -> dict[str, Any] | None:
    if facts.spent_usd is None:
        return None
    return {
        "day": _day(facts.now_ms),
        "spent_usd": facts.spent_usd,
        "limit_usd": facts.limit_usd,
    }


def _alarms(facts: Facts, promised: Promised | None) -> list[str]:
    alarms = []
    if facts.promotion is None and facts.stored:
        alarms.append(history_lost(facts.task, facts.stored[-1]))
    if promised and promised.proof.state == "broken":
        proof = promised.proof
        alarms.append(
            f"the promise is broken: of {proof.audited} audited records that the student would "
            f"have settled alone {proof.errors} did not agree"
        )
    if promised and promised.changed:
        alarms.append(
            "the stream has changed: what proved the promise tells of it as it was before"
        )
    if promised and facts.promotion and facts.promotion.task_digest != facts.task_digest:
        alarms.append(ANOTHER_TASK_VERSION)
    if facts.canary and facts.canary["state"] == "changed":
        alarms.append(change_words(facts.canary))
    for name, outage in _lasting(facts).items():
        what = "refuses us" if outage.refuses else "does not answer"
        since = datetime.fromtimestamp(outage.since_s, tz=UTC).isoformat(timespec="minutes")
        alarms.append(f"the teacher at {name} {what}, since {since}: {outage.why}")
    if facts.spent_usd is not None and facts.spent_usd >= facts.limit_usd:
        alarms.append("the teacher's budget of today is spent")
    return alarms + _key_alarm(facts) + _round_alarm(facts)


def _round_alarm(facts: Facts) -> list[str]:
    """Say why no round promotes any more; nothing where a person promoted what was refused."""
    decided, promotion = facts.last_round, facts.promotion
    if decided is None or (promotion and promotion.student_version == decided.student):
        return []
    return [decided.alarm] if decided.alarm else []


def _lasting(facts: Facts) -> dict[str, Outage]:
    """Leave out what nobody has tried lately: who noted it may be gone."""
    since_s = facts.now_ms / 1000 - _TRIED_LATELY_S
    return {name: one for name, one in facts.outages.items() if one.tried_s >= since_s}


def _promise_words(promise: dict[str, Any]) -> str:
    whom = "the teacher" if promise["against"] == "teacher" else "people"
    asked = f"{promise['agreement']:.1%} agree with {whom}, at {promise['confidence']:.0%}"
    if promise["state"] == "unproven":
        held = f"{promise['bound']:.1%} can be promised"
        return f"unproven: {asked}; {held} of the surest {promise['accepted_share']:.0%}"
    return f"{promise['state']}: {asked}; {promise['accepted_share']:.0%} settled alone"


def _evidence_words(found: dict[str, Any]) -> str:
    promise, evidence = found["promise"], found["evidence"]
    seen = f"{promise['audited']} audited, {promise['errors']} of them did not agree"
    if evidence["need"] is None:
        return f"{seen}; no number of audits proves this"
    if not evidence["need"]:
        return f"{seen}; the bound is {promise['bound']:.2%}"
    return f"{seen}; {evidence['need']} more without an error are needed{_when(evidence['eta_s'])}"


def _canary_words(canary: dict[str, Any]) -> str:
    if canary["state"] == "gathering":
        return f"{canary['texts']} texts asked once, none again: nothing is compared yet"
    figures = canary["since"] or canary["before"]
    seen = f"{figures['agreed']} of {figures['compared']} answers as at first"
    return f"{seen}, in {figures['latency_s']:.1f} s" if figures["latency_s"] is not None else seen


def _when(eta_s: float | None) -> str:
    return "" if eta_s is None else f", in some {eta_s / 3600:.1f} h at today's pace"


def _warnings(found: dict[str, Any]) -> list[str]:
    return [f"ALARM     {alarm}" for alarm in found["alarms"]]
