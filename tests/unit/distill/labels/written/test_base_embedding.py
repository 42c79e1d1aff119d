from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from distill.labels.written.base_embedding import base_embedder
from distill.testing.tiny_base import write_tiny_base


def test_sentence_vectors_are_of_length_one_whatever_company_a_text_has(tmp_path: Path) -> None:
    embed = base_embedder(str(write_tiny_base(tmp_path, words=["hello", "there", "a"])))
    alone, together = embed(["hello there"]), embed(["hello there", "a much longer text than that"])
    assert np.linalg.norm(alone[0]) == pytest.approx(1, abs=1e-5)
    assert together[0] == pytest.approx(alone[0], abs=1e-5)
    assert embed([]).shape == (0, alone.shape[1])
