"""Errors of libraries in Rust: `tokenizers` raises bare `Exception`, or panics.

A panic arrives as pyo3's `PanicException`, which is a `BaseException`, so that nobody catches it
unawares; its class is not to be had by name. What panics over one text must not end a lane.
Source: https://docs.rs/pyo3/latest/pyo3/panic/struct.PanicException.html
"""

from __future__ import annotations


def is_libraries(error: BaseException) -> bool:
    """Whether the error is a library's failure or panic, and no wish to end the process."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"
