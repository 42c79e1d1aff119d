"""From a trained network to a bundle that serves: ONNX, parity, int8, calibration, manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from distill.bundle.agreement import Agreement
from distill.bundle.graph import Fp32Layers, WritesBody
from distill.bundle.parity import MAX_LOGIT_DIFFERENCE, MIN_AGREEMENT, Parity, parity_of
from distill.bundle.quantise import Int8Layers
from distill.bundle.writing import body_writer, student_onnx
from distill.judging.calibration import expected_calibration_error, fit_calibration
from distill.judging.judgeable import is_judgeable
from distill.training.batches import TrainExample
from distill.training.threads import torch_threads
from distill.training.tokenizer import uses_casing
from distill.training.train import Trained
from schemas.files.bundle import Bundle, make_bundle
from schemas.files.manifest import MODEL_NAME, TOKENIZER_NAME, Calibration, Manifest, of_kind
from schemas.files.task import Task
from schemas.files.task_identity import asked_facts
from schemas.settings import Recipe
from schemas.types import facts
from stream.student import Student
from stream.student.encoding import Encoder, Window
from stream.student.session import Session

_PARITY_TEXTS = 300
_LOGIT_TEXTS = 32
_MIN_SPEED_UP = 1.05
_ASKED = {"words": "words in entities", "texts": "texts"}


@dataclass(frozen=True, slots=True, eq=False)
class Exported:
    """The bundle, and what the gate and the policy need to know.

    `parity_failures` says in words which check failed; `confidences` float [n] and `right`
    bool [n] are those of the calibration examples, by the calibrated student.
    """

    bundle: Bundle
    parity_failures: tuple[str, ...]
    confidences: npt.NDArray[np.float64]
    right: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Model:
    """An exported model with what was measured on it."""

    data: bytes
    precision: Literal["fp32", "int8"]
    metrics: dict[str, float]
    failures: tuple[str, ...]


def export_bundle(
    trained: Trained,
    *,
    task: Task,
    version: str,
    calibration: Sequence[TrainExample],
    parity_texts: Sequence[str],
    lineage: Mapping[str, Any],
    parity: Parity | None = None,
) -> Exported:
    """Make a bundle in memory and calibrate it by the code that will serve it.

    `calibration` examples must not have been trained on, nor chosen by uncertainty. Parity
    and speed are measured on `parity_texts` (any texts of the stream, those trained on
    included), by `parity` or else as fits the task. A failed parity still gives a bundle: the
    gate is to refuse it, with the reason.
    Raises `BundleError` when the bundle does not load.
    """
    texts = _windows(trained, [*parity_texts[:_PARITY_TEXTS]])
    model = _export(trained, texts, parity or parity_of(task))
    manifest = _manifest(trained, model, task=task, version=version, lineage=lineage)
    draft = make_bundle(manifest, model=model.data, tokenizer=trained.tokenizer_json)
    scores, right = sighted(Student(draft), calibration)
    fitted = fit_calibration(scores, right)
    confidences = np.asarray(fitted.apply(scores))
    manifest = _calibrated(manifest, fitted, confidences, right)
    bundle = make_bundle(manifest, model=model.data, tokenizer=trained.tokenizer_json)
    return Exported(bundle, model.failures, confidences, right)


def _windows(trained: Trained, texts: Sequence[str]) -> list[list[Window]]:
    recipe = trained.recipe
    encoder = Encoder.from_bytes(
        trained.tokenizer_json,
        max_tokens=recipe.max_tokens,
        stride=recipe.stride,
        casing=uses_casing(trained.tokenizer_json, wanted=recipe.casing),
        cut=True,
    )
    return encoder.encode(texts)


def _export(trained: Trained, texts: Sequence[Sequence[Window]], parity: Parity) -> _Model:
    body, windows = body_writer(trained.model.body), list(chain.from_iterable(texts))
    fp32 = _export_fp32(trained, body, windows, parity)
    if trained.recipe.int8 == "off":
        return fp32
    exact, data = Session(fp32.data), student_onnx(trained.model, Int8Layers(), body=body)
    fast = Session(data)
    int8 = _int8(
        fp32, data, parity.agreement(fast, exact, texts), parity.speed_up(fast, exact, windows)
    )
    return int8 if _is_better(int8, trained.recipe) else _told(fp32, int8)


def _export_fp32(
    trained: Trained, body: WritesBody, windows: Sequence[Window], parity: Parity
) -> _Model:
    data = student_onnx(trained.model, Fp32Layers(), body=body)
    with torch_threads(trained.recipe.threads):
        difference = parity.logit_difference(trained.model, Session(data), windows[:_LOGIT_TEXTS])
    failures = (
        ()
        if difference <= MAX_LOGIT_DIFFERENCE
        else (f"fp32 differs from torch by {difference:.2g} in a logit",)
    )
    return _Model(data, "fp32", {"parity_logit_difference": difference}, failures)


def _int8(fp32: _Model, data: bytes, agreed: Agreement, speed_up: float) -> _Model:
    metrics = fp32.metrics | agreed.metrics() | {"int8_speed_up": speed_up}
    failures = (
        ()
        if agreed.share >= MIN_AGREEMENT
        else (f"int8 agrees with fp32 on only {agreed.share:.1%} of the {_ASKED[agreed.unit]}",)
    )
    return _Model(data, "int8", metrics, fp32.failures + failures)


def _is_better(int8: _Model, recipe: Recipe) -> bool:
    if recipe.int8 == "on":
        return True
    return not int8.failures and int8.metrics["int8_speed_up"] >= _MIN_SPEED_UP


def _told(fp32: _Model, int8: _Model) -> _Model:
    """Ship fp32, with the figures that int8 lost by."""
    return replace(fp32, metrics=int8.metrics)


def _manifest(
    trained: Trained, model: _Model, *, task: Task, version: str, lineage: Mapping[str, Any]
) -> Manifest:
    recipe = trained.recipe
    files = {MODEL_NAME: model.data, TOKENIZER_NAME: trained.tokenizer_json}
    return Manifest(
        version=version,
        task=task.name,
        task_digest=task.digest,
        labels=trained.labels,
        files={name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
        max_tokens=recipe.max_tokens,
        stride=recipe.stride,
        casing=uses_casing(trained.tokenizer_json, wanted=recipe.casing),
        family=trained.model.body.model_type,
        precision=model.precision,
        calibration=Calibration(),
        metrics=model.metrics | _cost(trained),
        format=of_kind(task.kind),
        kind=task.kind,
        choose=task.choose,
        lineage={
            **lineage,
            "recipe": recipe.model_dump(mode="json"),
            "seed": trained.seed,
            "base_sha256": trained.base_digest,
        },
    )


def _cost(trained: Trained) -> dict[str, float]:
    return {
        "training_examples": float(trained.n_examples),
        "training_steps": float(trained.steps),
        "training_seconds": trained.seconds,
        "training_cpu_s": trained.cpu_s,
        "training_loss": trained.loss,
    }


def sighted(
    student: Student, examples: Sequence[TrainExample]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Scores, and which taggings are exactly right, of the examples that can judge them."""
    judged = [
        (tagging, example)
        for tagging, example in zip(
            student.tag([example.text for example in examples]), examples, strict=True
        )
        if is_judgeable(tagging, example.unasked, choose=student.manifest.choose)
    ]
    scores = np.array([tagging.score for tagging, _ in judged], dtype=np.float64)
    right = [asked_facts(tagging, one.unasked) == facts(one) for tagging, one in judged]
    return scores, np.array(right, dtype=np.bool_)


def _calibrated(
    manifest: Manifest,
    fitted: Calibration,
    confidences: npt.NDArray[np.float64],
    right: npt.NDArray[np.bool_],
) -> Manifest:
    measured = {
        "calibration_records": float(len(right)),
        "calibration_ece": expected_calibration_error(confidences, right),
    }
    return replace(manifest, calibration=fitted, metrics=manifest.metrics | measured)
