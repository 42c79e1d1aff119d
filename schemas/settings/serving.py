"""The sections of what serves: the student, the routing, the web pages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator, model_validator

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


class QuotaSettings(Section):
    """What one producer may have of the questions, the labels and the judges.

    Without a name for the producers there are no quotas.
    """

    source_header: str | None = None
    """The header that names a record's producer."""
    source_key_field: str | None = None
    """Or the field of its key, where that is JSON: `tenant.id`; `*` is the whole key."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.2
    """No producer has more: of what the lanes may ask, of the weight that is learnt from, of the
    texts that judge."""
    sources: PositiveInt = 3
    """So many must say a new pair of surface and label before it weighs in full."""

    @model_validator(mode="after")
    def _one_name(self) -> QuotaSettings:
        if self.source_header and self.source_key_field:
            raise ValueError("source_header and source_key_field are both set: which one is it?")
        return self

    @property
    def known(self) -> bool:
        """Whether it is known who sent a record."""
        return bool(self.source_header or self.source_key_field)


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

    quotas: QuotaSettings = QuotaSettings()

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
