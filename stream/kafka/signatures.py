"""Signed records: what rules students and trust is believed only from whoever has a key.

Promotions, promises and silver labels carry an Ed25519 signature in a header, so that their values
and schemas stay; so do shared answers and the acceptance of a teacher that has changed. Whoever
reads needs public keys alone: a tag worker, or a consumer that relies on promises, can verify and
cannot forge. Where keys are trusted (`kafka.trusted_keys`, or by having a `kafka.signing_key`) a
record that none of them signed is passed over as if it were not there,
counted and logged; without, nothing is verified.

What is signed is the topic, the key and the value, each with its length before it; the task stands
in the key of all three topics, and in the values. A signature says who wrote a record, not that it
is the newest: whoever may write a topic can repeat what was signed once, or push a signed record
out of a compacted topic by an unsigned one of its key. ACLs keep them from that.

Source: RFC 8032 (Ed25519).
"""

from __future__ import annotations

import base64
import binascii
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog

from schemas.errors import ConfigError
from schemas.settings import SIGNED_TOPICS, KafkaSettings
from schemas.types import Headers

if TYPE_CHECKING:
    from aiokafka.structs import ConsumerRecord

_log = structlog.get_logger(__name__)

HEADER: Final = "silverstream_signature"
refused_records: Final[Counter[tuple[str, str]]] = Counter()
"""How many records this process has refused, by topic and reason: for the metrics."""

_SALT: Final = b"silverstream record 1\0"
_KEY_BYTES: Final = 32
_EACH_LOGGED: Final = 10
_SUM_LOGGED: Final = 1000
_MISSING: Final = (
    "signatures need the package `cryptography`: pip install 'silverstream[signatures]'"
)


def unverified(settings: KafkaSettings) -> KafkaSettings:
    """Give settings that read what no trusted key signed, too, and sign nothing."""
    return settings.model_copy(
        update={"signing_key": None, "signing_key_file": None, "trusted_keys": ()}
    )


@dataclass(frozen=True, slots=True)
class Signatures:
    """Signs and verifies the records of one installation.

    `trusted` has, by topic, the public keys whose signatures are believed; a topic that is not
    there is not verified. `key` signs; without it nothing is.
    """

    key: Any = None
    trusted: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    signed: frozenset[str] = frozenset()
    """The topics whose records are signed where there is a key."""
    refused: Counter[tuple[str, str]] = field(default_factory=lambda: refused_records)

    @classmethod
    def of(cls, settings: KafkaSettings) -> Signatures:
        """Take the keys of the settings; `ConfigError` when one is none, or cannot be read."""
        secret = signing_key(settings)
        if secret is None and not settings.trusted_keys:
            return cls()
        key = None if secret is None else _private(secret)
        own = () if key is None else (_text(key.public_key()),)
        topics = {name: settings.topic_prefix + name for name in SIGNED_TOPICS}
        trusted = {
            topic: [_public(one) for one in _keys_of(name, own, settings.trusted_keys)]
            for name, topic in topics.items()
        }
        return cls(key, trusted, frozenset(topics.values()))

    def also(self, topic: str, *, like: str) -> Signatures:
        """Sign another topic's records too, and believe the keys that are believed of `like`."""
        keys = self.trusted.get(like)
        if keys is None:
            return self
        return replace(self, trusted={**self.trusted, topic: keys}, signed=self.signed | {topic})

    def headers(self, topic: str, key: bytes | None, value: bytes | None) -> Headers:
        """Give the header that signs a record, or none where there is nothing to sign with."""
        if self.key is None or topic not in self.signed:
            return ()
        signature: bytes = self.key.sign(told(topic, key, value))
        return ((HEADER, base64.b64encode(signature)),)

    def believed(self, records: Iterable[ConsumerRecord]) -> Iterator[ConsumerRecord]:
        """Give the records that a trusted key signed; the others are counted and logged."""
        for record in records:
            if why := self.fault(record.topic, record.key, record.value, record.headers):
                self._refuse(record, why)
            else:
                yield record

    def fault(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> str:
        """Say why a record is not believed, in one word; "" when it is."""
        if topic not in self.trusted:
            return ""
        signatures = [data for name, data in headers if name == HEADER]
        if len(signatures) != 1:
            return "unsigned"
        try:
            signature = base64.b64decode(signatures[0] or b"", validate=True)
        except binascii.Error:
            return "unreadable"
        message = told(topic, key, value)
        return "" if any(_fits(one, signature, message) for one in self.trusted[topic]) else "wrong"

    def _refuse(self, record: ConsumerRecord, why: str) -> None:
        self.refused[record.topic, why] += 1
        n = self.refused[record.topic, why]
        if n <= _EACH_LOGGED or n % _SUM_LOGGED == 0:
            _log.error(
                "record_refused",
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                signature=why,
                refused=n,
            )


def told(topic: str, key: bytes | None, value: bytes | None) -> bytes:
    """Put together what is signed: no two records give the same bytes; nothing is not empty."""
    return _SALT + b"".join(_framed(part) for part in (topic.encode(), key, value))


def _framed(part: bytes | None) -> bytes:
    length = -1 if part is None else len(part)
    return length.to_bytes(8, "big", signed=True) + (part or b"")


def signing_key(settings: KafkaSettings) -> str | None:
    """Give the secret key that this process signs with, from the settings or their file."""
    if settings.signing_key is not None:
        return settings.signing_key.get_secret_value() or None
    if settings.signing_key_file is None:
        return None
    try:
        return settings.signing_key_file.read_text("ascii").strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ConfigError(
            f"kafka.signing_key_file: cannot read {settings.signing_key_file}: {reason}"
        ) from None


def new_key() -> str:
    """Draw a secret key, in the settings' form; `ConfigError` without `cryptography`."""
    raw: bytes = _ed25519().Ed25519PrivateKey.generate().private_bytes_raw()
    return base64.b64encode(raw).decode()


def public_key(secret: str) -> str:
    """Give the public key of a secret one, in the settings' form; `ConfigError` if it is none."""
    return _text(_private(secret).public_key())


def is_for_others(path: Path) -> bool:
    """Whether others than its owner may read or write a file."""
    return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def _keys_of(name: str, own: Iterable[str], trusted: Iterable[str]) -> Iterator[str]:
    """Give the keys that may sign a topic's records: `KEY` any, `NAME:KEY` those of one alone."""
    yield from own
    for entry in trusted:
        of, parted, key = entry.rpartition(":")
        if not parted or of == name:
            yield key


def _fits(key: Any, signature: bytes, message: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - an extra

    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _private(secret: str) -> Any:
    return _ed25519().Ed25519PrivateKey.from_private_bytes(_raw(secret, "kafka.signing_key"))


def _public(text: str) -> Any:
    raw = _raw(text, "kafka.trusted_keys")
    try:
        return _ed25519().Ed25519PublicKey.from_public_bytes(raw)
    except ValueError:
        raise ConfigError("kafka.trusted_keys: one is no Ed25519 key") from None


def _text(public: Any) -> str:
    return base64.b64encode(public.public_bytes_raw()).decode()


def _raw(text: str, setting: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != _KEY_BYTES:
        raise ConfigError(
            f"{setting} must be an Ed25519 key, {_KEY_BYTES} bytes in base64: "
            "`silverstream signing-key FILE` makes one"
        )
    return raw


def _ed25519() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConfigError(_MISSING) from None
    return ed25519
