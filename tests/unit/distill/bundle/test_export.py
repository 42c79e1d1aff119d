from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from distill.bundle.agreement import Agreement, agreement_of_tags
from distill.bundle.export import Exported, export_bundle
from distill.bundle.graph import Fp32Layers
from distill.bundle.parity import Parity, logit_difference, speed_up
from distill.bundle.quantise import Int8Layers
from distill.bundle.writing import student_onnx
from distill.testing.tiny_base import write_tiny_base
from distill.training.batches import TrainExample
from distill.training.threads import torch_threads
from distill.training.train import Trained, train
from schemas.files.bundle import save_bundle
from schemas.files.task import LabelSpec, Task
from schemas.settings import Recipe
from schemas.types import Entity
from stream.student import Student
from stream.student.encoding import Encoder, Window
from stream.student.session import Session

# Torch's threads are one here, as where the code itself asks: two collapse on a busy machine.
pytestmark = pytest.mark.usefixtures("one_torch_thread")

NAMES = ["Ada", "Bob", "Eva", "Max"]
EXAMPLES = [
    TrainExample(f"{verb} {name} {rest}", (Entity(4, 7, "PER", name),))
    for name in NAMES
    for verb in ("met", "saw")
    for rest in ("in town .", "again !")
] + [TrainExample("again in town", ())]
TEXTS = [example.text for example in EXAMPLES]
TASK = Task(name="people", language="en", labels=(LabelSpec("PER"),))
Export = Callable[..., Exported]


@pytest.fixture
def one_torch_thread() -> Iterator[None]:
    with torch_threads(1):
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    words = ["met", "saw", "in", "town", "again", *NAMES]
    base = write_tiny_base(tmp_path_factory.mktemp("base"), words=words)
    recipe = Recipe(
        base=str(base),
        layers=2,
        min_steps=60,
        learning_rate=1e-2,
        batch_records=8,
        max_tokens=64,
        stride=8,
        int8="off",
    )
    return train(EXAMPLES, task=TASK, recipe=recipe, seed=0)


@pytest.fixture
def export(trained: Trained) -> Export:
    def run(parity: Parity | None = None, **changes: Any) -> Exported:
        recipe = trained.recipe.model_copy(update=changes)
        return export_bundle(
            replace(trained, recipe=recipe),
            task=TASK,
            version="v1",
            calibration=EXAMPLES,
            parity_texts=TEXTS,
            lineage={"snapshot": "abc"},
            parity=parity,
        )

    return run


def _windows(trained: Trained) -> list[Window]:
    encoder = Encoder.from_bytes(trained.tokenizer_json, max_tokens=64, stride=8, casing=True)
    return [window for windows in encoder.encode(TEXTS) for window in windows]


@pytest.mark.parametrize("int8", ["off", "on"])
def test_an_exported_student_loads_and_knows_what_it_learnt(
    export: Export, tmp_path: Path, int8: str
) -> None:
    exported = export(int8=int8)
    save_bundle(exported.bundle, tmp_path)

    student = Student.load(tmp_path)

    assert (student.manifest, student.digest) == (exported.bundle.manifest, exported.bundle.digest)
    assert student.manifest.precision == ("int8" if int8 == "on" else "fp32")
    taggings = student.tag(TEXTS)
    assert [[e.surface for e in tagging.entities] for tagging in taggings] == [
        [e.surface for e in example.entities] for example in EXAMPLES
    ]


def test_the_manifest_says_how_the_student_was_made(export: Export, trained: Trained) -> None:
    manifest = export().bundle.manifest

    assert manifest.lineage["snapshot"] == "abc"
    assert manifest.lineage["recipe"]["layers"] == 2
    assert manifest.lineage["seed"] == 0
    assert manifest.lineage["base_sha256"] == trained.base_digest
    assert manifest.metrics["training_steps"] == 60
    assert manifest.metrics["parity_logit_difference"] < 1e-4


def test_confidences_are_those_that_the_bundle_serves(export: Export) -> None:
    exported = export()

    taggings = Student(exported.bundle).tag(TEXTS)

    served = [tagging.confidence for tagging in taggings]
    np.testing.assert_allclose(served, exported.confidences, atol=1e-6)
    assert exported.right.all()
    assert exported.bundle.manifest.metrics["calibration_records"] == len(EXAMPLES)


def test_the_same_student_is_the_same_bundle(export: Export) -> None:
    assert export().bundle.manifest.files == export().bundle.manifest.files


def test_int8_left_to_choose_ships_only_where_it_is_faster(export: Export) -> None:
    fast, slow = (Parity(speed_up=lambda *_, times=times: times) for times in (1.5, 0.9))
    assert export(fast, int8="auto").bundle.manifest.precision == "int8"

    manifest = export(slow, int8="auto").bundle.manifest
    assert manifest.precision == "fp32"
    assert manifest.metrics["int8_speed_up"] == 0.9


def test_int8_that_loses_parity_is_not_chosen_and_fails_when_forced(export: Export) -> None:
    lossy = Parity(agreement=lambda *_: Agreement(0.9, 10), speed_up=lambda *_: 1.5)

    chosen = export(lossy, int8="auto")
    assert (chosen.bundle.manifest.precision, chosen.parity_failures) == ("fp32", ())

    (failure,) = export(lossy, int8="on").parity_failures
    assert failure.startswith("int8 agrees with fp32 on only")


def test_a_graph_that_is_not_the_network_fails_parity(export: Export) -> None:
    (failure,) = export(Parity(logit_difference=lambda *_: 0.25)).parity_failures

    assert failure.startswith("fp32 differs from torch by")


def test_parity_sees_a_changed_weight(trained: Trained) -> None:
    session = Session(student_onnx(trained.model, Fp32Layers()))
    windows = _windows(trained)
    assert logit_difference(trained.model, session, windows) < 1e-4

    with torch.no_grad():
        trained.model.head.bias[1] += 0.01
    try:
        assert logit_difference(trained.model, session, windows) == pytest.approx(0.01, abs=1e-3)
    finally:
        with torch.no_grad():
            trained.model.head.bias[1] -= 0.01


def test_agreement_counts_words_in_entities_only(trained: Trained) -> None:
    exact = Session(student_onnx(trained.model, Fp32Layers()))
    fast = Session(student_onnx(trained.model, Int8Layers()))
    texts = [[window] for window in _windows(trained)]

    assert agreement_of_tags(exact, exact, texts).n == len(EXAMPLES) - 1
    assert agreement_of_tags(fast, exact, texts).share == 1.0
    assert agreement_of_tags(fast, exact, []).share == 1.0


def test_speed_is_a_ratio_of_work_done(trained: Trained) -> None:
    session = Session(student_onnx(trained.model, Fp32Layers()))

    assert speed_up(session, session, _windows(trained)) > 0
    assert speed_up(session, session, []) == 1.0


def test_company_changes_no_int8_logit(trained: Trained) -> None:
    session = Session(student_onnx(trained.model, Int8Layers()))
    ids = np.array([[2, 50, 51, 3], [2, 60, 61, 3], [2, 70, 71, 3]])
    types = np.zeros_like(ids)

    together = session.run(ids, types)

    np.testing.assert_array_equal(session.run(ids[1:2], types[1:2])[0], together[1])
