from __future__ import annotations

import numpy as np
import pytest

from distill.bundle.agreement import Agreement, agreement_of_categories
from stream.student.encoding import Window
from stream.student.session import Session
from stream.testing.onnx_table import highest_model

TABLE = np.array([[0, 1], [3, 0], [0, 2], [9, 9]], dtype=np.float32)


def window(*ids: int) -> Window:
    none = np.zeros(len(ids), np.int32)
    return Window(np.array(ids), np.zeros(len(ids), np.int64), none, none, none, 0)


def test_texts_agree_when_all_their_windows_together_do() -> None:
    moved = TABLE.copy()
    moved[1] = [0, 3]
    one, other = Session(highest_model(TABLE)), Session(highest_model(moved))
    texts = [[window(0, 0)], [window(1, 1)], [window(2, 2), window(0, 1)], []]
    agreement = agreement_of_categories("one")
    assert agreement(one, one, texts) == Agreement(1.0, 3, "texts")
    assert agreement(one, other, texts).share == pytest.approx(1 / 3)
    assert agreement(one, other, []) == Agreement(1.0, 0, "texts")


def test_the_manifests_figures_name_what_was_asked() -> None:
    assert Agreement(0.9, 7, "texts").metrics() == {
        "int8_agreement": 0.9,
        "int8_agreement_texts": 7.0,
    }
    assert "int8_agreement_words" in Agreement(0.9, 7).metrics()
