"""`silverstream doctor --security`: which controls an installation has, and which are off.

A check is a small function of the settings; a new control adds one to `CHECKS`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr

from schemas.audit import NO_KEYS, audit_keys
from schemas.errors import SilverstreamError
from schemas.masking import masked_place
from schemas.settings import SIGNED_TOPICS, Settings, settings_file
from schemas.settings.redaction import REDACTION_KINDS
from stream.kafka.acls import EVERYONE, Allowed, Untold, writers
from stream.kafka.signatures import Signatures, is_for_others

Outcome = Literal["ok", "off", "unknown"]
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_NOBODY: Final = "superusers alone, unless the broker has allow.everyone.if.no.acl.found"
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class Found:
    """One control: whether it is in force, and what follows where it is not."""

    check: str
    outcome: Outcome
    detail: str


@dataclass(frozen=True, slots=True)
class Installation:
    """What is looked at; `config` is the settings file, where there is one."""

    settings: Settings
    config: Path | None = None


Answer: TypeAlias = tuple[Outcome, str]
Check: TypeAlias = Callable[[Installation], Awaitable[Answer]]


async def examine_security(installation: Installation) -> list[Found]:
    """Run all checks; one that fails is unknown, and says why."""
    return [Found(name, *await _answer(check, installation)) for name, check in CHECKS.items()]


async def _answer(check: Check, installation: Installation) -> Answer:
    try:
        return await check(installation)
    except (SilverstreamError, OSError) as error:
        return "unknown", str(error)


async def _signatures(of: Installation) -> Answer:
    signatures = Signatures.of(of.settings.kafka)
    if not signatures.trusted:
        return "off", (
            "promotions, promises and silver labels are believed unsigned: whoever writes the "
            "topics rules what is served and learnt (kafka.trusted_keys)"
        )
    may = "signs and verifies" if signatures.key else "verifies"
    return "ok", f"this process {may} {', '.join(SIGNED_TOPICS)}"


async def _kafka_connection(of: Installation) -> Answer:
    protocol = of.settings.kafka.security_protocol
    if protocol in ("SSL", "SASL_SSL"):
        return "ok", f"{protocol}: encrypted"
    return "off", f"{protocol}: texts and passwords travel in plain text (kafka.security_protocol)"


async def _kafka_login(of: Installation) -> Answer:
    kafka = of.settings.kafka
    if kafka.security_protocol.startswith("SASL"):
        return "ok", f"{kafka.sasl_mechanism} as {kafka.sasl_username}"
    return "off", "nobody logs in: the broker cannot tell who we are (kafka.security_protocol)"


def ruling_topics(settings: Settings) -> tuple[str, ...]:
    """Name the topics whose writers rule what is served, learnt, told and paid."""
    teacher = settings.teacher
    answers = ["teacher-answers"] if teacher.answers_held_for == "cluster" else []
    spend = ["teacher-spend"] if teacher.budget_holds_for == "cluster" else []
    return (*SIGNED_TOPICS, "canaries", "entities", "teacher-requests", *answers, *spend)


async def _acls(of: Installation) -> Answer:
    return rights(await writers(of.settings.kafka), of.settings)


def rights(found: list[Allowed] | Untold, settings: Settings) -> Answer:
    """Judge who may write our topics, by what the broker says of it."""
    if found == "no authorizer":
        return "off", "the broker has no authorizer: everyone may write every topic"
    if isinstance(found, str):
        return "unknown", f"{found}: see kafka-acls.sh --list (docs/operating.md, Access rules)"
    prefix = settings.kafka.topic_prefix
    by = {
        name: sorted({one.principal for one in found if one.covers(prefix + name)})
        for name in ruling_topics(settings)
    }
    wide = [name for name, principals in by.items() if EVERYONE in principals]
    if wide:
        return "off", f"everyone may write {', '.join(wide)}"
    told = (f"{name}: {', '.join(who) or _NOBODY}" for name, who in by.items())
    return "ok", f"may write {'; '.join(told)}"


async def _teacher_connection(of: Installation) -> Answer:
    others = (one.base_url for one in of.settings.teachers[1:])
    places = [of.settings.teacher.base_url, *others, of.settings.distill.doubt.base_url]
    return _encrypted([place for place in places if place], "texts and keys go")


async def _registry_connection(of: Installation) -> Answer:
    url = of.settings.schema_registry.url
    return _encrypted([url], "schemas come") if url else ("ok", "none is used")


def _encrypted(urls: list[str], what: str) -> Answer:
    plain = [host for url in urls if (host := _plain_host(url))]
    if plain:
        return "off", f"{what} over plain HTTP: {', '.join(plain)}"
    return "ok", "encrypted, or on this machine"


def _plain_host(url: str) -> str:
    """Name the host of a URL that is neither encrypted nor on this machine; else ""."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return host if parts.scheme == "http" and host not in _LOOPBACK else ""


async def _store_connections(of: Installation) -> Answer:
    roots = (of.settings.student.registry, of.settings.distill.snapshots)
    return _encrypted([one for one in roots if isinstance(one, str)], "bundles and labels come")


async def _secret_files(of: Installation) -> Answer:
    wide = [str(path) for path in _files_with_secrets(of) if is_for_others(path)]
    if wide:
        return "off", f"others of this machine may read {', '.join(wide)}: chmod 600"
    return "ok", "no file with secrets is open to others"


def _files_with_secrets(of: Installation) -> Iterator[Path]:
    """Name the settings file, where a secret stands in it, and the files of keys."""
    if of.config is not None and of.config.exists():
        text = of.config.read_text(encoding="utf-8", errors="replace")
        if any(secret in text for secret in _secrets(of.settings)):
            yield of.config
    if (key := of.settings.kafka.signing_key_file) is not None:
        yield key
    if (drawn := of.settings.routing.audit_key_file).exists():
        yield drawn


def _secrets(section: BaseModel) -> Iterator[str]:
    """Give the secrets of a section, and of the sections and lists of sections in it."""
    values: list[Any] = [getattr(section, name) for name in type(section).model_fields]
    for value in values:
        if isinstance(value, BaseModel):
            yield from _secrets(value)
        elif isinstance(value, tuple):
            yield from (found for x in value if isinstance(x, BaseModel) for found in _secrets(x))
        elif isinstance(value, str) and masked_place(value) != value:
            yield value
        elif isinstance(value, SecretStr) and value.get_secret_value():
            yield value.get_secret_value()


async def _bundle_folders(of: Installation) -> Answer:
    student = of.settings.student
    return _ours_alone([student.registry, student.cache], "bundles")


async def _state_folders(of: Installation) -> Answer:
    """Whoever writes these rules what is learnt, how the teacher is asked, and what was spent."""
    distill, teacher = of.settings.distill, of.settings.teacher
    prompts = teacher.prompts or of.settings.task.parent / "prompts"
    places = [distill.snapshots, distill.work, prompts, teacher.state, teacher.state.parent]
    return _ours_alone(places, "labels, rounds, prompts and what was spent")


def _ours_alone(places: list[Path | str], what: str) -> Answer:
    folders = [one for one in places if isinstance(one, Path) and one.exists()]
    if wide := [str(one) for one in folders if one.stat().st_mode & _OTHERS_WRITE]:
        return "off", f"others of this machine may write {', '.join(wide)}: chmod go-w"
    return "ok", f"nobody else of this machine may write {what}"


async def _audit_key(of: Installation) -> Answer:
    if audit_keys(of.settings.routing) == NO_KEYS:
        return "off", (
            "strangers can tell which texts are audits, or there is no key here: "
            "silverstream topics create makes one (routing.audit_key)"
        )
    return "ok", "the audit sample is secret"


async def _quotas(of: Installation) -> Answer:
    quotas = of.settings.routing.quotas
    if not quotas.known:
        return "off", (
            "one producer may have all questions, labels and judging texts "
            "(routing.quotas.source_header)"
        )
    return "ok", f"no producer has more than {quotas.share:.0%}"


async def _redaction(of: Installation) -> Answer:
    redaction = of.settings.teacher.redaction
    if not redaction.enabled:
        return "off", "personal data goes to the teacher as it stands (teacher.redaction.enabled)"
    left = [kind for kind in REDACTION_KINDS if kind not in redaction.kinds]
    if left:
        return "off", f"not taken out: {', '.join(left)} (teacher.redaction.kinds)"
    return "ok", f"taken out before a text leaves: {', '.join(redaction.kinds)}"


async def _consent(of: Installation) -> Answer:
    teacher = of.settings.teacher
    if teacher.consent_header or teacher.consent_topics:
        return "ok", "only records whose producers agreed are asked about"
    return "off", "every record may be asked about (teacher.consent_header)"


async def _canaries(of: Installation) -> Answer:
    if not of.settings.teacher.canaries_per_hour:
        return "off", "a teacher that changes under its name is not noticed (canaries_per_hour)"
    return "ok", "a teacher that changes is noticed, and its labels are held back"


async def _triggers(of: Installation) -> Answer:
    if of.settings.distill.gate.max_trigger_rise >= 1:
        return "off", (
            "no round looks its winner through for planted triggers (distill.gate.max_trigger_rise)"
        )
    return "ok", "a round looks its winner through for planted triggers"


async def _user(_: Installation) -> Answer:
    if os.geteuid() == 0:
        return "off", "this process runs as root"
    return "ok", "this process does not run as root"


async def _pages(of: Installation) -> Answer:
    host = of.settings.web.host
    if host in _LOOPBACK:
        return "ok", f"on {host} alone"
    return "off", f"the pages answer on {host} without a login: keep strangers off by the network"


CHECKS: Final[dict[str, Check]] = {
    "signatures": _signatures,
    "audit key": _audit_key,
    "quotas by producer": _quotas,
    "personal data": _redaction,
    "consent": _consent,
    "canaries": _canaries,
    "planted labels": _triggers,
    "connection to Kafka": _kafka_connection,
    "login at Kafka": _kafka_login,
    "rights on Kafka": _acls,
    "connection to the teacher": _teacher_connection,
    "connection to the schema registry": _registry_connection,
    "connection to stores": _store_connections,
    "files with secrets": _secret_files,
    "folders of bundles": _bundle_folders,
    "folders of rounds and of the teacher": _state_folders,
    "user": _user,
    "web pages": _pages,
}
"""In the order in which they are told."""


def the_installation(settings: Settings, config: Path | None) -> Installation:
    """Take the settings with the file that they were read from."""
    return Installation(settings, settings_file(config))
