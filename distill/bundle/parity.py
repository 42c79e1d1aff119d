"""Parity: the exported student says what the trained one says. And how fast it says it.

Run on real texts through the session that serves. The graph in fp32 must give the network's
logits but for rounding; int8 moves logits, so there the answers count
(`distill.bundle.agreement`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
import numpy.typing as npt
import torch

from distill.bundle.agreement import Agree, agreement_of_categories, agreement_of_tags
from distill.training.model import TagModel
from schemas.files.task import Task
from stream.student.encoding import Window
from stream.student.session import Session

MAX_LOGIT_DIFFERENCE = 1e-3
"""Of fp32, on logits of some units; 1e-5 is usual."""
MIN_AGREEMENT = 0.95
"""Of int8; 0.98 and more is usual."""

_SPEED_WINDOWS = 64
_SPEED_ROUNDS = 7


def logit_difference(model: TagModel, session: Session, windows: Sequence[Window]) -> float:
    """Largest difference of a logit between torch and the exported graph, over the windows."""
    return max((_difference(model, session, window) for window in windows), default=0.0)


def _difference(model: TagModel, session: Session, window: Window) -> float:
    ids, types = window.ids[None], window.types[None]
    inputs = (torch.from_numpy(ids), torch.ones(ids.shape, dtype=torch.int64))
    with torch.inference_mode():
        expected = model(*inputs, torch.from_numpy(types)).numpy()
    return float(np.abs(expected - session.run(ids, types)).max())


def speed_up(fast: Session, slow: Session, windows: Sequence[Window]) -> float:
    """How many times less CPU time `fast` takes than `slow`; median of interleaved rounds.

    On batches as serving makes them: windows of one length, up to 32 at once.
    """
    batches = _batches(windows[:_SPEED_WINDOWS])
    ratios = [
        _cpu_seconds(slow, batches) / _cpu_seconds(fast, batches)
        for _ in range(_SPEED_ROUNDS)
        if batches
    ]
    return median(ratios) if ratios else 1.0


@dataclass(frozen=True, slots=True)
class Parity:
    """How an exported model is held against another; tests measure otherwise."""

    logit_difference: Callable[[TagModel, Session, Sequence[Window]], float] = logit_difference
    agreement: Agree = agreement_of_tags
    speed_up: Callable[[Session, Session, Sequence[Window]], float] = speed_up


def parity_of(task: Task) -> Parity:
    """Measure as it fits the kind of the task."""
    if task.choose is None:
        return Parity()
    return Parity(agreement=agreement_of_categories(task.choose))


def _batches(windows: Sequence[Window]) -> list[tuple[npt.NDArray[np.int64], ...]]:
    """Each length's windows together; lengths are rounded down to multiples of 8 to fill them."""
    by_length: dict[int, list[Window]] = {}
    for window in windows:
        by_length.setdefault(max(4, len(window.ids) // 8 * 8), []).append(window)
    return [
        (
            np.stack([np.resize(window.ids, length) for window in some]),
            np.stack([np.resize(window.types, length) for window in some]),
        )
        for length, some in sorted(by_length.items())
    ]


def _cpu_seconds(session: Session, batches: Sequence[tuple[npt.NDArray[np.int64], ...]]) -> float:
    started = time.thread_time()  # a session runs on the thread that calls it
    for ids, types in batches:
        session.run(ids, types)
    return max(time.thread_time() - started, 1e-9)
