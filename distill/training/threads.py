"""How many threads torch uses, for a while.

Threads that wait for each other collapse when a worker keeps one of the cores busy: two
torch threads on two such cores take three times as long as one (`docs/measurements.md`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def torch_threads(n: int) -> Iterator[None]:
    """Let torch use `n` threads; the number is the whole process's, and is put back."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
