"""The student manifest: `manifest.json`, which names and vouches for a bundle's files.

A bundle's digest is the SHA-256 of the manifest's bytes, and the manifest holds the
SHA-256 of every other file, so one digest stands for the whole student.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from schemas._json import canonical_json, strict_json
from schemas.categories import Choose
from schemas.errors import BundleError
from schemas.faults import validation_faults
from schemas.files.kind import Kind
from schemas.files.task import NAME_PATTERN

MANIFEST_NAME = "manifest.json"
MODEL_NAME = "student.onnx"
TOKENIZER_NAME = "tokenizer.json"

FORMAT = 1
"""The format of a student of entities: what version 0.1.0 wrote and reads."""
CATEGORIES_FORMAT = 2
"""That of a student of categories: 0.1.0 refuses it, and serves on with what it has."""

_STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
MAX_MANIFEST_BYTES = 4 * 1024 * 1024
MAX_TOKENS = 8192
"""The longest window of any encoder that is known here; memory grows with its square."""
MAX_FILES, MAX_LABELS = 16, 10_000
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_EPSILON = 1e-6


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Calibration:
    """Maps a score to P(record exactly right); monotone, as `slope` is above 0.

    Source: Platt (1999), on the log-odds of the score.
    """

    slope: float = 1.0
    intercept: float = 0.0

    @overload
    def apply(self, score: float) -> float: ...
    @overload
    def apply(self, score: NDArray[np.floating[Any]]) -> NDArray[np.float64]: ...
    def apply(self, score: Any) -> Any:
        """Confidence in (0, 1) of a score in [0, 1], or of an array of them."""
        clipped = np.clip(np.asarray(score, dtype=np.float64), _EPSILON, 1 - _EPSILON)
        log_odds = np.log(clipped / (1 - clipped))
        confidence = _sigmoid(self.slope * log_odds + self.intercept)
        return confidence if isinstance(score, np.ndarray) else float(confidence)


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle is made of and where it comes from.

    `files` maps each file's name to its SHA-256. `max_tokens` is the window, special
    tokens included; `stride` how many tokens neighbouring windows share. `family` is the
    `model_type` of the encoder that it was cut from, since 0.2.0; without it, words are the
    tokenizer's own (`stream.student.words`).
    """

    version: str
    task: str
    task_digest: str
    labels: tuple[str, ...]
    files: dict[str, str]
    max_tokens: int
    stride: int
    casing: bool
    precision: Literal["fp32", "int8"]
    calibration: Calibration
    metrics: dict[str, float] = field(default_factory=dict)
    lineage: dict[str, Any] = field(default_factory=dict)
    format: int = FORMAT
    kind: Kind = "entities"
    choose: Choose | None = None
    family: str | None = None


_ADAPTER = TypeAdapter(Manifest)


def manifest_bytes(manifest: Manifest) -> bytes:
    """Canonical JSON of the manifest; `BundleError` when it contradicts itself."""
    _check(manifest)
    try:
        return canonical_json(_values(manifest))
    except ValueError as error:
        raise BundleError(f"the manifest has no JSON: {error}") from None


def _values(manifest: Manifest) -> dict[str, Any]:
    """All fields, but those that 0.1.0 had not where they say nothing: digests count."""
    values = asdict(manifest)
    if manifest.kind == "entities":
        del values["kind"], values["choose"]
    if manifest.family is None:
        del values["family"]
    return values


def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest; `BundleError` unless every field is there, typed and sensible."""
    if len(data) > MAX_MANIFEST_BYTES:
        raise BundleError(f"the manifest is larger than {MAX_MANIFEST_BYTES} bytes")
    try:
        strict_json(data)  # the adapter's own parser lets NaN and deep nesting pass in `lineage`
        manifest = _ADAPTER.validate_json(data)
    except ValidationError as error:
        faults = validation_faults(error, whole="JSON")
        raise BundleError("; ".join(f"the manifest's {fault}" for fault in faults)) from None
    except ValueError as error:
        raise BundleError(f"the manifest is not JSON: {error}") from None
    _check(manifest)
    return manifest


def manifest_digest(data: bytes) -> str:
    """SHA-256 of the manifest's bytes: the digest of the bundle."""
    return hashlib.sha256(data).hexdigest()


def of_kind(kind: Kind) -> int:
    """Give the format of a student of this kind."""
    return FORMAT if kind == "entities" else CATEGORIES_FORMAT


def _check(manifest: Manifest) -> None:
    for wrong, what in _faults(manifest):
        if wrong:
            raise BundleError(f"the manifest's {what}")


def _faults(manifest: Manifest) -> list[tuple[bool, str]]:
    labels, files = manifest.labels, manifest.files
    slope, intercept = manifest.calibration.slope, manifest.calibration.intercept
    return [
        (manifest.format != of_kind(manifest.kind), "format is not one that is known here"),
        ((manifest.choose is None) != (manifest.kind == "entities"), "choose is not its kind's"),
        (not NAME_PATTERN.fullmatch(manifest.version), "version is not a plain name"),
        (not NAME_PATTERN.fullmatch(manifest.task), "task is not a plain name"),
        (not _SHA256.fullmatch(manifest.task_digest), "task_digest is not a SHA-256"),
        (not labels or not all(labels), "labels are empty"),
        (len(set(labels)) < len(labels), "labels repeat"),
        (len(labels) > MAX_LABELS, f"labels are more than {MAX_LABELS}"),
        (not {MODEL_NAME, TOKENIZER_NAME} <= set(files), "files lack the model or the tokenizer"),
        (len(files) > MAX_FILES, f"files are more than {MAX_FILES}"),
        (MANIFEST_NAME in files, "files name the manifest itself"),
        (not all(map(_FILE_NAME.fullmatch, files)), "files are not all plain names"),
        (not all(map(_SHA256.fullmatch, files.values())), "files have digests that are no SHA-256"),
        (manifest.max_tokens > MAX_TOKENS, f"max_tokens are more than {MAX_TOKENS}"),
        (not 0 <= manifest.stride < manifest.max_tokens - 2, "stride does not fit in max_tokens"),
        (not (0 < slope < np.inf and np.isfinite(intercept)), "calibration is not increasing"),
        (not np.isfinite(list(manifest.metrics.values())).all(), "metrics are not finite"),
    ]


def _sigmoid(value: Any) -> Any:
    return 1 / (1 + np.exp(-np.clip(value, -700, 700)))  # e^710 overflows a double
