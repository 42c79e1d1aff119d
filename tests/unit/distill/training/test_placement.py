from __future__ import annotations

import pytest

from distill.training.placement import Device, Placement, here, place
from schemas.errors import ConfigError


@pytest.mark.parametrize(
    ("device", "has_gpu", "has_bf16", "expected"),
    [
        ("auto", False, False, Placement("cpu")),
        ("auto", True, True, Placement("cuda", bf16=True)),
        ("auto", True, False, Placement("cuda")),
        ("cpu", True, True, Placement("cpu")),
        ("cuda", True, True, Placement("cuda", bf16=True)),
    ],
)
def test_a_training_goes_where_it_is_told_and_can(
    device: Device,
    has_gpu: bool,  # noqa: FBT001 - a case
    has_bf16: bool,  # noqa: FBT001 - a case
    expected: Placement,
) -> None:
    assert place(device, has_gpu=has_gpu, has_bf16=has_bf16) == expected


def test_a_gpu_that_is_not_there_is_a_clear_error() -> None:
    with pytest.raises(ConfigError, match="no GPU"):
        place("cuda", has_gpu=False, has_bf16=False)


def test_the_cpu_is_always_here() -> None:
    assert here("cpu") == Placement("cpu")
    assert here("cpu").generators == []
