"""Which texts are in the audit sample: drawn by hash, so that all who ask agree."""

from __future__ import annotations

import hashlib

from schemas.types import RoutingPolicy


def in_audit(text_digest: str, policy: RoutingPolicy) -> bool:
    """Whether a text falls in the audit sample: the same on every delivery, in every process."""
    return _lot(text_digest, policy.audit_seed) < policy.audit_share


def _lot(text_digest: str, seed: int) -> float:
    """Draw a uniform number in [0, 1), a function of the arguments alone."""
    # The seed is the key: 64 bytes hold any integer of 64 bits in decimal.
    digest = hashlib.blake2b(
        text_digest.encode(), digest_size=8, key=str(seed).encode()[:64], person=b"audit"
    ).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53
