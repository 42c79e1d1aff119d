"""Small real students and tokenizers of the student's tests."""

from __future__ import annotations

import hashlib
import string
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from schemas.categories import Choose
from schemas.files.manifest import (
    MANIFEST_NAME,
    MODEL_NAME,
    TOKENIZER_NAME,
    Calibration,
    Manifest,
    manifest_bytes,
    of_kind,
)
from stream.student import Student
from stream.student.encoding import Encoder
from stream.testing.bundles import write_bundle

LABELS = ("PER", "LOC")
N_TAGS = 5


def letter_tokenizer() -> Tokenizer:
    """Every letter, digit and mark of ASCII is a piece of its own, and a few words are whole."""
    words = ["the", "rio", "de", "janeiro", "un", "##believ", "##able"]
    letters = string.ascii_lowercase + string.digits
    pieces = [*words, *letters, *(f"##{letter}" for letter in letters), *string.punctuation]
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {piece: number for number, piece in enumerate([*special, *pieces])}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.add_special_tokens([*special, "</s>"])
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def attention_model(
    *, n_ids: int, n_classes: int = 6, hidden: int = 48, n_outputs: int = N_TAGS, mean: bool = False
) -> bytes:
    """One layer of self-attention: every logit depends on every token of its window.

    With `mean` there is one row of logits a window, as students of categories have it.
    """
    rng = np.random.default_rng(0)
    weights = {
        name: rng.standard_normal(shape).astype(np.float32) / np.float32(np.sqrt(hidden / 4))
        for name, shape in {
            "words": (n_ids, hidden),
            "classes": (n_classes, hidden),
            "q": (hidden, hidden),
            "k": (hidden, hidden),
            "v": (hidden, hidden),
            "out": (hidden, n_outputs),
        }.items()
    }
    node = helper.make_node
    nodes = [
        node("Gather", ["words", "input_ids"], ["w"]),
        node("Gather", ["classes", "token_type_ids"], ["c"]),
        node("Add", ["w", "c"], ["x"]),
        node("MatMul", ["x", "q"], ["xq"]),
        node("MatMul", ["x", "k"], ["xk"]),
        node("MatMul", ["x", "v"], ["xv"]),
        node("Transpose", ["xk"], ["xkt"], perm=[0, 2, 1]),
        node("MatMul", ["xq", "xkt"], ["scores"]),
        node("Softmax", ["scores"], ["weights"], axis=-1),
        node("MatMul", ["weights", "xv"], ["mixed"]),
        node("Add", ["mixed", "x"], ["y"]),
        node("MatMul", ["y", "out"], ["of_tokens" if mean else "logits"]),
    ]
    if mean:
        # As `distill.bundle` writes it: a mean by `ReduceMean` depends on the batch's size.
        nodes += [
            node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
            node("ReduceSum", ["mask", "one"], ["size"], keepdims=1),
            node("Div", ["mask", "size"], ["shares"]),
            node("Unsqueeze", ["shares", "one"], ["row"]),
            node("MatMul", ["row", "of_tokens"], ["means"]),
            node("Squeeze", ["means", "one"], ["logits"]),
        ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    axes: list[str | int] = ["batch", n_outputs] if mean else ["batch", "tokens", n_outputs]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, axes)
    tensors = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    if mean:
        tensors.append(numpy_helper.from_array(np.array([1]), "one"))
    graph = helper.make_graph(nodes, "attention", inputs, [output], tensors)
    model: onnx.ModelProto = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)],
        ir_version=10,
    )
    return bytes(model.SerializeToString(deterministic=True))


def write_files(
    folder: Path,
    *,
    model: bytes,
    tokenizer: bytes,
    max_tokens: int = 32,
    casing: bool = True,
    labels: tuple[str, ...] = LABELS,
    choose: Choose | None = None,
) -> Manifest:
    """A bundle of any model and tokenizer, with the right digests."""
    files = {MODEL_NAME: model, TOKENIZER_NAME: tokenizer}
    manifest = Manifest(
        version="v1",
        task="test",
        task_digest="0" * 64,
        labels=labels,
        files={name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
        max_tokens=max_tokens,
        stride=8,
        casing=casing,
        precision="fp32",
        calibration=Calibration(),
        kind="categories" if choose else "entities",
        choose=choose,
        format=of_kind("categories" if choose else "entities"),
    )
    folder.mkdir(exist_ok=True)
    for name, data in (files | {MANIFEST_NAME: manifest_bytes(manifest)}).items():
        (folder / name).write_bytes(data)
    return manifest


@pytest.fixture(name="make_tokenizer", scope="session")
def _make_tokenizer() -> Callable[[], Tokenizer]:
    return letter_tokenizer


@pytest.fixture(name="write_files", scope="session")
def _write_files() -> Callable[..., Manifest]:
    return write_files


@pytest.fixture(name="make_model", scope="session")
def _make_model() -> Callable[..., bytes]:
    return attention_model


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    """Windows of at most 12 tokens that share up to 4, with casing."""
    return Encoder(letter_tokenizer(), max_tokens=12, stride=4, casing=True)


@pytest.fixture(scope="session")
def attentive(tmp_path_factory: pytest.TempPathFactory) -> Student:
    """A student whose every answer depends on the whole window: company would show."""
    folder = tmp_path_factory.mktemp("attentive")
    tokenizer = letter_tokenizer()
    model = attention_model(n_ids=tokenizer.get_vocab_size())
    write_files(folder, model=model, tokenizer=tokenizer.to_str().encode())
    return Student.load(folder)


@pytest.fixture(scope="session")
def table_student(tmp_path_factory: pytest.TempPathFactory) -> Student:
    """Knows Ada Lovelace and Paris, is unsure of `maybe`, and fails on `boom`."""
    folder = tmp_path_factory.mktemp("table")
    write_bundle(
        folder,
        labels=LABELS,
        words={"ada": "B-PER", "lovelace": "I-PER", "paris": "B-LOC", "maybe": "O"},
        certainties={"maybe": 0.6, "paris": 0.9},
        broken_words=["boom"],
        max_tokens=16,
        stride=6,
    )
    return Student.load(folder)
