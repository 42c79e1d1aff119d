from __future__ import annotations

import hashlib
import math
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import BundleError
from schemas.files.manifest import (
    CATEGORIES_FORMAT,
    FORMAT,
    MAX_FILES,
    MAX_LABELS,
    MAX_TOKENS,
    MODEL_NAME,
    TOKENIZER_NAME,
    Calibration,
    Manifest,
    manifest_bytes,
    manifest_digest,
    parse_manifest,
)

MANIFEST = Manifest(
    version="2026-01-01.3",
    task="places",
    task_digest="a" * 64,
    labels=("PER", "LOC"),
    files={MODEL_NAME: "b" * 64, TOKENIZER_NAME: "c" * 64},
    max_tokens=128,
    stride=32,
    casing=True,
    precision="fp32",
    calibration=Calibration(1.5, -0.25),
    metrics={"f1": 0.5},
    lineage={"parent": None, "recipe": {"epochs": 3, "wörd": ["é"]}},
)


def test_a_manifest_reads_back_equal() -> None:
    assert parse_manifest(manifest_bytes(MANIFEST)) == MANIFEST


def test_equal_manifests_have_equal_bytes_and_digests() -> None:
    again = replace(MANIFEST, files=dict(reversed(MANIFEST.files.items())))
    assert manifest_bytes(again) == manifest_bytes(MANIFEST)
    data = manifest_bytes(MANIFEST)
    assert manifest_digest(data) == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"max_tokens": MAX_TOKENS + 1}, "max_tokens are more than 8192"),
        ({"labels": tuple(map(str, range(MAX_LABELS + 1)))}, "labels are more than 10000"),
        (
            {"files": MANIFEST.files | {f"f{n}": "0" * 64 for n in range(MAX_FILES - 1)}},
            "files are more than 16",
        ),
    ],
)
def test_what_would_take_gigabytes_is_refused(change: dict[str, Any], what: str) -> None:
    with pytest.raises(BundleError, match=what):
        manifest_bytes(replace(MANIFEST, **change))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"fp32"', b'"fp16"'),
        (b"128", b"true"),
        (b"128", b'"128"'),
        (b"128", b"1.5"),
        (b'"stride":32', b'"stride":126'),
        (b'"stride":32', b'"stride":-1'),
        (b'"format":1', b'"format":2'),
        (b'"slope":1.5', b'"slope":0'),
        (b'"slope":1.5', b'"slope":1e999'),
        (b'"slope":1.5', b'"slope":NaN'),
        (b'"f1":0.5', b'"f1":NaN'),
        (b'"f1":0.5', b'"f1":1e999'),
        (b'"parent":null', b'"parent":Infinity'),
        (b'"LOC"', b'"PER"'),
        (b'["PER","LOC"]', b"[]"),
        (b'"student.onnx"', b'"../student.onnx"'),
        (b'"student.onnx"', b'"/student.onnx"'),
        (b'"student.onnx":', b'"x":"%s","a/b":' % (b"0" * 64)),
        (b'"student.onnx":', b'"manifest.json":'),
        (b"bbbb", b"BBBB"),
        (b'"version":"2026', b'"version":"/2026'),
        (b'"task":"places"', b'"task":".."'),
        (b'"casing":true,', b""),
        (b'"casing":true', b'"casing":true,"extra":1'),
        (b"{", b"["),
    ],
)
def test_a_wrong_manifest_is_refused(old: bytes, new: bytes) -> None:
    data = manifest_bytes(MANIFEST)
    assert old in data
    with pytest.raises(BundleError):
        parse_manifest(data.replace(old, new, 1))


@pytest.mark.parametrize(
    "data", [b"", b"null", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000, b" " * 5_000_000]
)
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(BundleError):
        parse_manifest(data)


@given(st.binary(max_size=64), st.integers(0, 400))
def test_a_damaged_manifest_is_read_or_refused_but_never_crashes(damage: bytes, at: int) -> None:
    data = manifest_bytes(MANIFEST)
    with suppress(BundleError):
        parse_manifest(data[:at] + damage + data[at + len(damage) :])


@pytest.mark.parametrize("change", [{"metrics": {"f1": math.nan}}, {"lineage": {"x": math.inf}}])
def test_a_manifest_without_json_is_not_written(change: dict[str, Any]) -> None:
    with pytest.raises(BundleError):
        manifest_bytes(replace(MANIFEST, **change))


@given(
    st.floats(0.01, 50),
    st.floats(-50, 50),
    st.lists(st.floats(0, 1), min_size=2, max_size=8),
)
def test_calibration_is_monotone_and_the_same_for_arrays(
    slope: float, intercept: float, scores: list[float]
) -> None:
    calibration = Calibration(slope, intercept)
    confidences = [calibration.apply(score) for score in sorted(scores)]
    assert confidences == sorted(confidences)
    assert all(0 <= confidence <= 1 for confidence in confidences)
    assert calibration.apply(np.array(sorted(scores))).tolist() == pytest.approx(confidences)


def test_the_plain_calibration_changes_nothing() -> None:
    assert Calibration().apply(0.3) == pytest.approx(0.3)
    assert Calibration().apply(1.0) == pytest.approx(1 - 1e-6)
    assert type(Calibration().apply(0.3)) is float


MOOD = replace(MANIFEST, kind="categories", choose="one", format=CATEGORIES_FORMAT)


def test_a_manifest_of_categories_reads_back_equal() -> None:
    assert parse_manifest(manifest_bytes(MOOD)) == MOOD


def test_a_manifest_of_entities_is_written_as_0_1_0_reads_it() -> None:
    assert b"kind" not in manifest_bytes(MANIFEST)
    assert b"choose" not in manifest_bytes(MANIFEST)


@pytest.mark.parametrize(
    "wrong",
    [
        replace(MOOD, choose=None),
        replace(MOOD, format=FORMAT),
        replace(MANIFEST, choose="any"),
        replace(MANIFEST, format=CATEGORIES_FORMAT),
    ],
)
def test_a_kind_has_its_format_and_its_choice(wrong: Manifest) -> None:
    with pytest.raises(BundleError):
        manifest_bytes(wrong)
