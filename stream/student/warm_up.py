"""The first runs of a student, before it serves: they find what its digests cannot."""

from __future__ import annotations

import numpy as np

from schemas.errors import BundleError, TaggingError
from stream.student.casing import N_CLASSES
from stream.student.encoding import Encoder
from stream.student.heads import Head
from stream.student.session import Session

_SHORT, _BATCH = 16, 32
"""Tokens and windows of a run of the common kind: as many windows as a worker's runs by default, so
that a model which grows with their number alone is found out too."""


def warm_up(session: Session, encoder: Encoder, head: Head) -> None:
    """Run short and full windows; `BundleError` when model, tokenizer and labels do not fit.

    The windows hold the tokenizer's highest id and, with casing, every class, so an embedding
    that is too small for them is found here and not by some later text.
    """
    for n_texts, n_tokens in ((1, encoder.max_tokens), (_BATCH, _SHORT)):
        ids = np.full((n_texts, n_tokens), encoder.highest_id, dtype=np.int64)
        types = np.tile(np.arange(n_tokens) % (N_CLASSES if encoder.casing else 1), (n_texts, 1))
        try:
            logits = session.run(ids, types)
        except TaggingError as error:
            raise BundleError(f"student.onnx fails at warm-up: {error}") from None
        expected = head.shape(n_texts, n_tokens)
        if logits.shape != expected:
            raise BundleError(
                f"student.onnx gives logits of shape {list(logits.shape)}, not {list(expected)}"
            )
        if not np.isfinite(logits).all():
            raise BundleError("student.onnx gives logits that are no finite numbers")
