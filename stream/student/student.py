"""The student: texts in, taggings out.

A tagging is the same at every batch size and in every company: windows join a
micro-batch only when they have the same number of tokens, so nothing is ever padded, and
every other step works on rows that do not see each other. (Rows of a matrix product cost the
same in a small batch as in a large one, so this is also the cheapest way.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.bio import tag_names
from schemas.errors import BundleError, TaggingError
from schemas.files.bundle import Bundle, read_bundle
from schemas.files.manifest import Manifest
from schemas.types import Entity, Tagging
from stream.student.decoding import Decoded, decode, spans
from stream.student.encoding import Encoder, Window
from stream.student.memory import give_back_memory
from stream.student.onnx_check import check_model
from stream.student.session import Session
from stream.student.warm_up import warm_up
from stream.student.windows import deciders

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


class Student:
    """A loaded, warmed student; immutable, and safe to use from several threads.

    `digest` is the SHA-256 of its manifest. Raises `BundleError` for a bundle that must
    not serve: its model breaks the rules of `stream.student.onnx_check`, say.
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
        self._n_tags = len(tag_names(manifest.labels))
        warm_up(self._session, self._encoder, n_tags=self._n_tags)

    @classmethod
    def load(cls, folder: Path) -> Student:
        """Read, check, load and warm the bundle in `folder`; `BundleError` when it is bad."""
        student = cls._of(read_bundle(folder), folder)
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

    def tag(self, texts: Sequence[str], *, micro_batch_records: int = 32) -> list[Tagging]:
        """Tag each text, on the calling thread; a text without words has no entities, score 1.

        `micro_batch_records` bounds how many windows one run of the model takes.
        Raises `TaggingError` when the student fails on any of the texts: tag them one by
        one to learn which.
        """
        jobs, bounds = _jobs(self._encode(texts))
        words = _Words.of(jobs, bounds)
        logits = self._run(jobs, bounds[-1], micro_batch_records)
        if not np.isfinite(logits).all():
            raise TaggingError("the student gave a logit that is no finite number")
        decoded = decode(logits, words.bounds)
        return self._taggings(texts, words, decoded)

    def _encode(self, texts: Sequence[str]) -> list[list[Window]]:
        try:
            return self._encoder.encode(texts)
        except Exception as error:  # noqa: BLE001 - the tokenizer's binding raises many kinds
            # A lone surrogate's message would quote the text.
            raise TaggingError(f"the tokenizer failed: {type(error).__name__}") from None

    def _run(self, jobs: list[_Job], n_words: int, micro_batch_records: int) -> Floats:
        """Logits of all words, float32 [words, tags], each read at its first piece."""
        logits = np.empty((n_words, self._n_tags), dtype=np.float32)
        for batch in _micro_batches(jobs, micro_batch_records):
            ids = np.stack([job.window.ids for job in batch])
            types = np.stack([job.window.types for job in batch])
            output = self._session.run(ids, types)
            for row, job in zip(output, batch, strict=True):
                pieces = job.window.first_pieces[job.words]
                logits[job.position : job.position + len(pieces)] = row[pieces]
        return logits

    def _taggings(self, texts: Sequence[str], words: _Words, decoded: Decoded) -> list[Tagging]:
        entities = self._entities(texts, words, decoded)
        confidences = self.manifest.calibration.apply(decoded.scores)
        confidences[np.diff(words.bounds) == 0] = 1.0  # nothing to be wrong about
        return [
            Tagging(tuple(found), confidence, score)
            for found, confidence, score in zip(
                entities, confidences.tolist(), decoded.scores.tolist(), strict=True
            )
        ]

    def _entities(
        self, texts: Sequence[str], words: _Words, decoded: Decoded
    ) -> list[list[Entity]]:
        found: list[list[Entity]] = [[] for _ in texts]
        labels = self.manifest.labels
        entities = spans(decoded)
        for number, start, end, label, confidence in zip(
            (np.searchsorted(words.bounds, entities.first_words, side="right") - 1).tolist(),
            words.starts[entities.first_words].tolist(),
            words.ends[entities.end_words - 1].tolist(),
            entities.label_ids.tolist(),
            entities.confidences.tolist(),
            strict=True,
        ):
            surface = texts[number][start:end]
            found[number].append(Entity(start, end, labels[label], surface, confidence))
        return found


class _Job(NamedTuple):
    """A window, those of its words that it decides, and where these stand among all words."""

    window: Window
    words: slice
    position: int


@dataclass(frozen=True, slots=True, eq=False)
class _Words:
    """All words of a request side by side: text `i` has `bounds[i]` to `bounds[i + 1]`."""

    bounds: Int64
    starts: Int32
    ends: Int32

    @classmethod
    def of(cls, jobs: Sequence[_Job], bounds: list[int]) -> _Words:
        none = np.empty(0, dtype=np.int32)  # `concatenate` takes no empty list
        starts = np.concatenate([none, *(job.window.word_starts[job.words] for job in jobs)])
        ends = np.concatenate([none, *(job.window.word_ends[job.words] for job in jobs)])
        return cls(np.array(bounds), starts, ends)


def _jobs(texts: Sequence[Sequence[Window]]) -> tuple[list[_Job], list[int]]:
    """Jobs in the order of their words, and where each text's words begin and end."""
    jobs: list[_Job] = []
    bounds = [0]
    for windows in texts:
        ranges = [(x.first_word, x.first_word + len(x.word_starts)) for x in windows]
        for window, (first, last) in zip(windows, deciders(ranges), strict=True):
            words = slice(first - window.first_word, last - window.first_word)
            jobs.append(_Job(window, words, bounds[-1] + first))
        bounds.append(bounds[-1] + (ranges[-1][1] if ranges else 0))
    return jobs, bounds


def _micro_batches(jobs: Sequence[_Job], size: int) -> Iterator[Sequence[_Job]]:
    """Jobs of one number of tokens each, the longest first."""
    longest_first = sorted(jobs, key=_n_tokens, reverse=True)
    for _, group in groupby(longest_first, key=_n_tokens):
        same = list(group)
        for start in range(0, len(same), size):
            yield same[start : start + size]


def _n_tokens(job: _Job) -> int:
    return len(job.window.ids)
