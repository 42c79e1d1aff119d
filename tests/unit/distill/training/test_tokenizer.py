from __future__ import annotations

from typing import get_args

import pytest

from distill.testing.tiny_families import Kind, trained_tokenizer
from distill.training.tokenizer import lower_cases, mask_id, uses_casing


@pytest.mark.parametrize("kind", get_args(Kind))
def test_only_a_tokenizer_that_lower_cases_needs_the_casing_channel(kind: Kind) -> None:
    data = trained_tokenizer(kind, ["Ada met Bob"]).to_str().encode()

    assert lower_cases(data) is (kind == "uncased wordpiece")
    assert uses_casing(data, wanted=True) is (kind == "uncased wordpiece")
    assert not uses_casing(data, wanted=False)


def test_the_mask_is_found_by_either_name() -> None:
    tokenizer = trained_tokenizer("bpe", ["Ada"])

    assert mask_id(tokenizer.to_str().encode()) == tokenizer.token_to_id("<mask>")
