"""Which texts are in the audit sample: drawn by a keyed hash, so that all who hold the key agree.

Whoever knows the draw can choose what is measured: texts that the student masters, all of them in
the sample, prove a promise that the stream does not keep. So the draw is an HMAC-SHA256 (RFC 2104)
under `routing.audit_key`. Of the key only a digest travels, with the policy: by it who draws sees
whether everybody draws the same. Behind the draw nobody asks again: a request and a label say
whether they are audits.

A policy without a digest was made where there was no key. Its draw is public.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from schemas.errors import AuditKeyError, ConfigError
from schemas.files.whole_files import written
from schemas.settings.serving import MIN_KEY_CHARS, RoutingSettings
from schemas.types import RoutingPolicy

_NAME = b"silverstream audit key"
_SHOWN = 12


@dataclass(frozen=True, slots=True, repr=False)
class AuditKeys:
    """The keys that an installation holds, by their digests; `newest` is "" where there is none."""

    newest: str = ""
    by_digest: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))

    @staticmethod
    def of(*keys: str) -> AuditKeys:
        """Hold these, the newest first."""
        held = {key_digest(key): key.encode() for key in keys}
        return AuditKeys(next(iter(held), ""), MappingProxyType(held))

    def own(self, policy: RoutingPolicy) -> RoutingPolicy:
        """Give the policy with the newest key in place of its own, where there is one."""
        return replace(policy, audit_key_digest=self.newest) if self.newest else policy

    def require(self, policy: RoutingPolicy) -> None:
        """Raise `AuditKeyError` where the policy's sample cannot be drawn with these."""
        digest = policy.audit_key_digest
        if policy.audit_share and digest and digest not in self.by_digest:
            ours = self.newest[:_SHOWN] or "none"
            raise AuditKeyError(
                f"the audit sample is drawn with the key {digest[:_SHOWN]}, ours is {ours}: give "
                "all workers and rounds one routing.audit_key, while it is exchanged the old one "
                "as routing.audit_key_before"
            )

    def lot(self, text_digest: str, policy: RoutingPolicy) -> float:
        """Draw a uniform number in [0, 1), a function of text, policy and key alone.

        Raises `AuditKeyError` as `require`.
        """
        digest = policy.audit_key_digest
        if not digest:
            return _public_lot(text_digest, policy.audit_seed)
        if digest not in self.by_digest:
            self.require(policy)
        drawn = hmac.digest(
            self.by_digest[digest], f"{policy.audit_seed}:{text_digest}".encode(), "sha256"
        )
        return (int.from_bytes(drawn[:8], "big") >> 11) / 2**53


NO_KEYS = AuditKeys()


def in_audit(text_digest: str, policy: RoutingPolicy, keys: AuditKeys = NO_KEYS) -> bool:
    """Whether a text falls in the audit sample: the same on every delivery, in every process.

    Raises `AuditKeyError` where the policy's key is not held.
    """
    return policy.audit_share > 0 and keys.lot(text_digest, policy) < policy.audit_share


def key_digest(key: str) -> str:
    """Give what may be told of a key, 64 hexadecimal digits."""
    return hmac.digest(key.encode(), _NAME, "sha256").hex()


def audit_keys(settings: RoutingSettings) -> AuditKeys:
    """Give the keys of the settings, or of the file that `silverstream topics create` made.

    Raises `ConfigError` for a file that cannot be read or holds no key.
    """
    set_keys = (settings.audit_key, settings.audit_key_before)
    keys = [key.get_secret_value() for key in set_keys if key]
    if not settings.audit_key and settings.audit_key_file.exists():
        keys.insert(0, _read(settings.audit_key_file))
    return AuditKeys.of(*keys)


def make_audit_key(settings: RoutingSettings) -> bool:
    """Write a new key to the file, where none is set and none is there; tell whether it did.

    Its owner alone may read it. Raises `DiskError`.
    """
    path = settings.audit_key_file
    if settings.audit_key or path.exists():
        return False
    with written(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}.new")
        try:
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                file.write(secrets.token_hex(32) + "\n")
            os.link(beside, path)  # unlike a rename it fails where another was faster
        except FileExistsError:
            return False
        finally:
            beside.unlink(missing_ok=True)
    return True


def key_of_seed(seed: int) -> str:
    """Derive the key of an experiment from its seed, so that it repeats; it is no secret."""
    return hashlib.sha256(f"audit key of the seed {seed}".encode()).hexdigest()


def _read(path: Path) -> str:
    try:
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"routing.audit_key_file: cannot read {path}: {error}") from None
    if len(key) < MIN_KEY_CHARS:
        raise ConfigError(f"routing.audit_key_file: {path} holds no key")
    return key


def _public_lot(text_digest: str, seed: int) -> float:
    # The seed is the key: 64 bytes hold any integer of 64 bits in decimal.
    digest = hashlib.blake2b(
        text_digest.encode(), digest_size=8, key=str(seed).encode()[:64], person=b"audit"
    ).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53


def is_evidence(teacher: str, first_teacher: str) -> bool:
    """Whether what this teacher said of an audit tells of the first of several.

    The next one answers an audit while the first is away. Without a list, or a name in the label,
    there is one teacher.
    """
    return not first_teacher or teacher in ("", first_teacher)
