from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch

from distill.bundle.export import Exported, export_bundle
from distill.bundle.graph import Fp32Layers
from distill.bundle.quantise import Int8Layers
from distill.bundle.writing import body_writer, student_onnx
from distill.testing.tiny_families import write_tiny_family
from distill.training.batches import TrainExample
from distill.training.families import FAMILIES
from distill.training.threads import torch_threads
from distill.training.train import Trained, train
from schemas.files.bundle import save_bundle
from schemas.files.task import LabelSpec, Task
from schemas.settings import Recipe
from schemas.types import Entity
from stream.student import Student
from stream.student.onnx.check import check_model
from stream.student.session import INPUTS, Session

TASK = Task(name="people", language="en", labels=(LabelSpec("PER"),))
NAMES = ["Ada", "Bob", "Eva", "Max", "王小明", "สมชาย", "Зоя", "עדה"]
FRAMES = ["met {} in town.", "we saw {}", "昨天{}去了北京", "เมื่อวาน{}ไปตลาด"]
PLAIN = ["again in town", "昨天去了北京", "เมื่อวานไปตลาด", "we met them 🎉"]


def example(frame: str, name: str) -> TrainExample:
    start = frame.index("{")
    return TrainExample(frame.format(name), (Entity(start, start + len(name), "PER", name),))


EXAMPLES = [example(frame, name) for frame in FRAMES for name in NAMES]
EXAMPLES += [TrainExample(text, ()) for text in PLAIN]
TEXTS = [one.text for one in EXAMPLES]


@dataclass(frozen=True)
class Written:
    """A student of a family, trained for a few steps and written in both precisions."""

    trained: Trained
    fp32: bytes
    int8: bytes
    exported: Exported

    @property
    def n_ids(self) -> int:
        return self.trained.model.body.words.num_embeddings

    def run(self, model: bytes, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        return Session(model).run(ids, self.types(ids))

    def types(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Some casing, where the student has the channel."""
        body = self.trained.model.body
        n_types = 6 if body.casings is not None or body.config.model_type == "bert" else 1
        return np.asarray(ids % n_types)

    def torch_logits(self, ids: npt.NDArray[np.int64], n_padded: int = 0) -> torch.Tensor:
        mask = np.ones_like(ids)
        mask[:, ids.shape[1] - n_padded :] = 0
        with torch.inference_mode():
            inputs = (torch.from_numpy(x) for x in (ids, mask, self.types(ids)))
            logits: torch.Tensor = self.trained.model(*inputs)
            return logits


@pytest.fixture(scope="module", params=list(FAMILIES))
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Written:
    base = write_tiny_family(tmp_path_factory.mktemp("base"), request.param, texts=TEXTS)
    recipe = Recipe(
        base=str(base),
        layers=2,
        min_steps=60,
        epochs=1,
        learning_rate=1e-2,
        batch_records=8,
        max_tokens=48,
        stride=8,
        train_embeddings=True,
        word_dropout=0,
        int8="on",
    )
    with torch_threads(1):
        trained = train(EXAMPLES, task=TASK, recipe=recipe, seed=0)
        body = body_writer(trained.model.body)
        fp32, int8 = (
            student_onnx(trained.model, layers, body=body)
            for layers in (Fp32Layers(), Int8Layers())
        )
        exported = export_bundle(
            trained,
            task=TASK,
            version="v1",
            calibration=EXAMPLES,
            parity_texts=TEXTS,
            lineage={},
        )
    return Written(trained, fp32, int8, exported)


def drawn_ids(family: Written, *shape: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng(0).integers(5, family.n_ids, shape)


@pytest.mark.parametrize("shape", [(1, 3), (2, 11), (3, 48)])
def test_the_graph_computes_what_the_network_does(family: Written, shape: tuple[int, int]) -> None:
    ids = drawn_ids(family, *shape)

    np.testing.assert_allclose(
        family.run(family.fp32, ids), family.torch_logits(ids), atol=1e-4, rtol=1e-4
    )


def test_int8_is_near_and_a_quarter_of_the_size(family: Written) -> None:
    ids = drawn_ids(family, 3, 24)
    exact, fast = family.run(family.fp32, ids), family.run(family.int8, ids)

    assert 0 < np.abs(fast - exact).mean() < 0.1 * np.abs(exact).mean()
    assert not _weights_in_32_bits(family.int8, at_least=1024)


def _weights_in_32_bits(model: bytes, *, at_least: int) -> list[str]:
    """Tables that a product or a look-up of words reads in fp32."""
    graph = onnx.load_from_string(model).graph
    heavy = {
        one.name
        for one in graph.initializer
        if one.data_type == onnx.TensorProto.FLOAT and np.prod(one.dims) >= at_least
    }
    return [
        name
        for node in graph.node
        for name in node.input
        if name in heavy and (node.op_type == "MatMul" or INPUTS[0] in node.input)
    ]


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_text_has_the_same_logits_in_any_company(family: Written, precision: str) -> None:
    model: bytes = getattr(family, precision)
    ids = drawn_ids(family, 5, 17)

    together = family.run(model, ids)

    for row in range(len(ids)):
        np.testing.assert_array_equal(family.run(model, ids[row : row + 1])[0], together[row])
    np.testing.assert_array_equal(family.run(model, ids[1:4]), together[1:4])


def test_padding_changes_nothing(family: Written) -> None:
    ids = drawn_ids(family, 2, 12)

    padded = family.torch_logits(np.pad(ids, ((0, 0), (0, 5))), n_padded=5)

    torch.testing.assert_close(padded[:, :12], family.torch_logits(ids), atol=1e-5, rtol=1e-4)


def test_a_student_may_be_loaded_and_needs_no_torch(family: Written, tmp_path: Path) -> None:
    exported = family.exported
    check_model(family.int8)
    save_bundle(exported.bundle, tmp_path)
    manifest = exported.bundle.manifest
    code = (
        "import sys; from pathlib import Path; from stream.student import Student; "
        f"student = Student.load(Path({str(tmp_path)!r})); "
        f"print([e.surface for t in student.tag({TEXTS!r}) for e in t.entities]); "
        "assert 'torch' not in sys.modules and 'onnx' not in sys.modules"
    )

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert manifest.family == family.trained.model.body.model_type
    assert manifest.precision == "int8"
    assert exported.parity_failures == ()
    found = [entity.surface for one in EXAMPLES for entity in one.entities]
    assert ran.stdout.strip() == str(found)


def test_a_taggings_neighbours_do_not_matter(family: Written) -> None:
    student = Student(family.exported.bundle)
    texts = [*TEXTS, " ".join(TEXTS), "\n\n " + TEXTS[0] + "  "]

    alone = [student.tag([text])[0] for text in texts]

    for size in (1, 3, 32):
        assert student.tag(texts, micro_batch_records=size) == alone
