from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from schemas.errors import BundleError
from schemas.files.manifest import Manifest
from schemas.settings import StudentSettings
from stream.student import Student
from stream.student.encoding import Encoder
from stream.student.heads import head_of
from stream.student.session import Floats, Int64, Session
from stream.student.warm_up import warm_up
from stream.testing.onnx_table import table_model

MakeTokenizer = Callable[[], Tokenizer]
WriteFiles = Callable[..., Manifest]


def load(write_files: WriteFiles, folder: Path, tokenizer: Tokenizer, model: bytes) -> Student:
    write_files(folder, model=model, tokenizer=tokenizer.to_str().encode())
    return Student.load(folder)


def test_a_model_whose_vocabulary_is_smaller_than_the_tokenizers_is_refused(
    tmp_path: Path, write_files: WriteFiles, make_tokenizer: MakeTokenizer
) -> None:
    n_ids = make_tokenizer().get_vocab_size() - 1
    with pytest.raises(BundleError, match="fails at warm-up"):
        load(write_files, tmp_path, make_tokenizer(), table_model(np.ones((n_ids, 5), np.float32)))


def test_a_model_with_fewer_casing_classes_than_six_is_refused(
    tmp_path: Path,
    write_files: WriteFiles,
    make_tokenizer: MakeTokenizer,
    make_model: Callable[..., bytes],
) -> None:
    n_ids = make_tokenizer().get_vocab_size()
    model = make_model(n_ids=n_ids, n_classes=2)
    with pytest.raises(BundleError, match="fails at warm-up"):
        load(write_files, tmp_path, make_tokenizer(), model)


def test_a_model_of_other_labels_is_refused(
    tmp_path: Path, write_files: WriteFiles, make_tokenizer: MakeTokenizer
) -> None:
    n_ids = make_tokenizer().get_vocab_size()
    with pytest.raises(BundleError, match=r"shape \[1, 32, 7\], not \[1, 32, 5\]"):
        load(write_files, tmp_path, make_tokenizer(), table_model(np.ones((n_ids, 7), np.float32)))


def test_a_model_that_gives_no_finite_numbers_is_refused(
    tmp_path: Path, write_files: WriteFiles, make_tokenizer: MakeTokenizer
) -> None:
    table = np.full((make_tokenizer().get_vocab_size(), 5), np.inf, np.float32)
    with pytest.raises(BundleError, match="no finite numbers"):
        load(write_files, tmp_path, make_tokenizer(), table_model(table))


class RememberingSession(Session):
    """Remembers how many windows each run takes."""

    def __init__(self, model: bytes) -> None:
        super().__init__(model)
        self.n_windows: list[int] = []

    def run(self, ids: Int64, types: Int64) -> Floats:
        self.n_windows.append(len(ids))
        return super().run(ids, types)


def test_as_many_windows_are_tried_as_a_worker_runs_by_default(
    tmp_path: Path, write_files: WriteFiles, make_tokenizer: MakeTokenizer
) -> None:
    tokenizer = make_tokenizer()
    model = table_model(np.ones((tokenizer.get_vocab_size(), 5), np.float32))
    manifest = write_files(tmp_path, model=model, tokenizer=tokenizer.to_str().encode())
    session = RememberingSession(model)
    encoder = Encoder(
        tokenizer, max_tokens=manifest.max_tokens, stride=manifest.stride, casing=manifest.casing
    )
    warm_up(session, encoder, head_of(manifest))
    assert max(session.n_windows) == StudentSettings().micro_batch_records
