"""Where a training runs, and in what precision: a GPU in bf16 where there is one, else the CPU.

Weights stay in 32 bits everywhere; only what a step computes is in bf16.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import torch

from schemas.errors import ConfigError

Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True, slots=True)
class Placement:
    """`device` as torch names it; with `bf16` a step computes in 16 bits."""

    device: Literal["cpu", "cuda"]
    bf16: bool = False

    def precision(self) -> AbstractContextManager[Any]:
        """Give the context of a step's forward pass."""
        if not self.bf16:
            return nullcontext()
        return torch.autocast(self.device, dtype=torch.bfloat16)

    @property
    def generators(self) -> list[int]:
        """The GPUs whose random generator a training seeds."""
        return [] if self.device == "cpu" else [torch.cuda.current_device()]


def place(device: Device, *, has_gpu: bool, has_bf16: bool) -> Placement:
    """Choose by the recipe's `device` and what the machine has.

    Raises `ConfigError` when a GPU is asked for and there is none.
    """
    if device == "cuda" and not has_gpu:
        raise ConfigError("recipe.device is cuda, but torch sees no GPU here: take auto or cpu")
    if device == "cpu" or not has_gpu:
        return Placement("cpu")
    return Placement("cuda", bf16=has_bf16)


def here(device: Device) -> Placement:
    """`place` on this machine."""
    has_gpu = torch.cuda.is_available()
    return place(device, has_gpu=has_gpu, has_bf16=has_gpu and torch.cuda.is_bf16_supported())
