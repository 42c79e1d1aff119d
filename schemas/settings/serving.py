"""The sections of what serves: the student, the routing, the web pages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator

from schemas.files.store_url import StoreRoot
from schemas.settings.section import PositiveFloat, PositiveInt, Section, Share


class StudentSettings(Section):
    """The hot path's share of the machine."""

    registry: StoreRoot = Path("models")
    """The folder that holds the bundles of every task, or a URL of one: `s3://bucket/models`."""
    registry_timeout_s: PositiveFloat = 30.0
    """Of a URL: for each question, and for each 8 MiB of a file."""
    cache: Path = Path("state/bundles")
    """Of a URL: where bundles are downloaded to."""
    cache_bundles: PositiveInt = 5
    """How many of them stay, those that were used last."""
    runs: Annotated[int, Field(ge=0)] = 0
    """Single-threaded ONNX runs side by side; 0 takes the cores this process may use."""
    micro_batch_records: PositiveInt = 32


MIN_KEY_CHARS = 32
"""Its digest travels: what can be guessed could be found by it."""


class RoutingSettings(Section):
    """The operator's dials; threshold and audit share come with the policy."""

    budget_share: Share = 0.10
    """Share of the records that may go to the teacher."""
    burst_records: PositiveInt = 50
    """The most unspent grants a lane may save up."""
    audit_key: SecretStr | None = None
    """Draws the audit sample; one for all workers and rounds of an installation."""
    audit_key_before: SecretStr | None = None
    """The one before, while it is exchanged: until every policy in force names the new one."""
    audit_key_file: Path = Path("state/audit.key")
    """Where `silverstream topics create` writes a key, and all read it who are given none."""

    @field_validator("audit_key", "audit_key_before")
    @classmethod
    def _is_no_word(cls, key: SecretStr | None) -> SecretStr | None:
        if not key:
            return None  # a variable that is set to nothing sets nothing
        if len(key) < MIN_KEY_CHARS:
            raise ValueError(f"a key has at least {MIN_KEY_CHARS} characters, drawn at random")
        return key


class WebSettings(Section):
    """`/live`, `/ready` and `/metrics`."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 6066
