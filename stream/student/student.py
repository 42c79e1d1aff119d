"""The student: texts in, taggings out.

A tagging is the same at every batch size and in every company: windows join a
micro-batch only when they have the same number of tokens, so nothing is ever padded, and
every other step works on rows that do not see each other. (Rows of a matrix product cost the
same in a small batch as in a large one, so this is also the cheapest way.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt

from schemas.errors import BundleError, TaggingError
from schemas.files.bundle import Bundle, read_bundle
from schemas.files.manifest import Manifest
from schemas.types import Tagging
from stream.student.encoding import Encoder, Window
from stream.student.heads import Head, head_of
from stream.student.memory import give_back_memory
from stream.student.onnx.check import check_model
from stream.student.panics import is_libraries
from stream.student.session import Session
from stream.student.warm_up import warm_up

Floats = npt.NDArray[np.float32]

_AT_ONCE = 1024
"""Texts that are encoded together: what the tokenizer says of them takes some 10 kB each."""


class Student:
    """A loaded, warmed student; immutable, and safe to use from several threads.

    `digest` is the SHA-256 of its manifest. Raises `BundleError` for a bundle that must
    not serve: its model breaks the rules of `stream.student.onnx.check`, say.
    """

    def __init__(self, bundle: Bundle) -> None:
        check_model(bundle.model)
        manifest = bundle.manifest
        self.manifest: Manifest = manifest
        self.digest: str = bundle.digest
        self._encoder = Encoder.from_bytes(
            bundle.tokenizer,
            max_tokens=manifest.max_tokens,
            stride=manifest.stride,
            casing=manifest.casing,
            cut=manifest.family is not None,
        )
        self._session = Session(bundle.model)
        self._head: Head = head_of(manifest)
        warm_up(self._session, self._encoder, self._head)

    @classmethod
    def load(cls, folder: Path, *, digest: str | None = None) -> Student:
        """Read, check, load and warm the bundle in `folder`; `BundleError` when it is bad.

        With a `digest` no other bundle is loaded, whatever lies there by now.
        """
        bundle = read_bundle(folder)
        if digest not in (None, bundle.digest):
            raise BundleError(
                f"{folder}: it was replaced: its digest is {bundle.digest}, and not the one that "
                f"was promoted, {digest}"
            )
        student = cls._of(bundle, folder)
        give_back_memory()
        return student

    @classmethod
    def _of(cls, bundle: Bundle, folder: Path) -> Student:
        try:
            return cls(bundle)
        except BundleError as error:
            raise BundleError(f"{folder}: {error}") from None

    @property
    def version(self) -> str:
        """The student's version, as events name it."""
        return self.manifest.version

    def tag(
        self, texts: Sequence[str], *, micro_batch_records: int = 32, doubts: bool = False
    ) -> list[Tagging]:
        """Tag each text, on the calling thread.

        `micro_batch_records` bounds how many windows one run of the model takes. With `doubts` the
        taggings say what they are unsure of, see `stream.student.doubts`.
        Raises `TaggingError` when the student fails on any of the texts: tag them one by
        one to learn which.
        """
        taggings: list[Tagging] = []
        for start in range(0, len(texts), _AT_ONCE):
            some = [*texts[start : start + _AT_ONCE]]
            taggings += self._head.tag(
                some,
                self._encode(some),
                lambda windows: self._run(windows, micro_batch_records),
                doubts=doubts,
            )
        return taggings

    def _encode(self, texts: Sequence[str]) -> list[list[Window]]:
        try:
            return self._encoder.encode(texts)
        except BaseException as error:
            if not is_libraries(error):
                raise
            # A lone surrogate's message would quote the text.
            raise TaggingError(f"the tokenizer failed: {type(error).__name__}") from None

    def _run(
        self, windows: Sequence[Window], micro_batch_records: int
    ) -> Iterator[tuple[list[int], Floats]]:
        for numbers in _micro_batches(windows, micro_batch_records):
            ids = np.stack([windows[number].ids for number in numbers])
            types = np.stack([windows[number].types for number in numbers])
            yield numbers, self._session.run(ids, types)


def _micro_batches(windows: Sequence[Window], size: int) -> Iterator[list[int]]:
    """Numbers of windows of one number of tokens each, the longest first."""

    def n_tokens(number: int) -> int:
        return len(windows[number].ids)

    longest_first = sorted(range(len(windows)), key=n_tokens, reverse=True)
    for _, group in groupby(longest_first, key=n_tokens):
        same = list(group)
        for start in range(0, len(same), size):
            yield same[start : start + size]
