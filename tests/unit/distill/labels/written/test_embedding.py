from __future__ import annotations

import numpy as np
import pytest

from distill.labels.written.embedding import LEXICAL, embedding_of, lexical
from schemas.settings import Settings


def test_lexical_vectors_are_of_length_one_and_nearer_for_texts_with_the_same_words() -> None:
    ferry, ferries, goat = lexical(["the ferry leaves", "ferry leaves the dock", "a goat ate hay"])
    assert np.linalg.norm(ferry) == pytest.approx(1)
    assert ferry @ ferries > ferry @ goat + 0.3


def test_a_text_without_words_has_a_vector_too() -> None:
    assert lexical(["..."]).shape == (1, 512)


def test_few_texts_are_not_worth_loading_a_base() -> None:
    assert embedding_of(Settings().recipe_of("entities"), n=100) is LEXICAL
