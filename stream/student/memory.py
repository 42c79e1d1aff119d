"""Giving memory back: what a swapped-out student leaves is scattered over malloc's heaps.

glibc keeps freed memory of every thread for later; one trim after each load gives most of it
back (docs/measurements.md, Speed).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any


def _c_library() -> Any:
    return ctypes.CDLL(None)


def give_back_memory(*, c_library: Callable[[], Any] = _c_library) -> None:
    """Return freed memory to the system where the C library can (glibc); else do nothing."""
    try:
        trim = c_library().malloc_trim
    except (OSError, AttributeError, TypeError):  # musl, macOS; Windows has no CDLL(None)
        return
    trim(0)
