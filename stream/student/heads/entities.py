"""Entities: logits of each word to tags, tags to spans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.bio import tag_names
from schemas.files.manifest import Calibration
from schemas.types import Entity, Tagging
from stream.student.decoding import Decoded, decode, spans
from stream.student.doubts import entity_doubts
from stream.student.encoding import Window
from stream.student.heads.head import Floats, Run, label_confidences, require_finite
from stream.student.windows import deciders

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


class EntityHead:
    """Logits [windows, tokens, tags], each word's at its first piece, to entities.

    A record's score is that of its least sure word. A text without words has no entities, and
    is certain: there is nothing to be wrong about.
    """

    def __init__(self, labels: Sequence[str], calibration: Calibration) -> None:
        self._labels, self._calibration = labels, calibration
        self._n_tags = len(tag_names(labels))

    def shape(self, n_windows: int, n_tokens: int) -> tuple[int, ...]:
        """See `Head`."""
        return n_windows, n_tokens, self._n_tags

    def tag(
        self,
        texts: Sequence[str],
        windows: Sequence[Sequence[Window]],
        run: Run,
        *,
        doubts: bool = False,
    ) -> list[Tagging]:
        """See `Head`."""
        jobs, bounds = _jobs(windows)
        logits = self._logits(jobs, bounds[-1], run)
        require_finite(logits)
        words = _Words.of(jobs, bounds)
        decoded = decode(logits, words.bounds)
        taggings = self._taggings(texts, words, decoded)
        if not doubts:
            return taggings
        found = entity_doubts(decoded, words.bounds, words.starts, words.ends, self._labels)
        return [replace(one, doubts=own) for one, own in zip(taggings, found, strict=True)]

    def _logits(self, jobs: Sequence[_Job], n_words: int, run: Run) -> Floats:
        """Logits of all words, float32 [words, tags]."""
        logits = np.empty((n_words, self._n_tags), dtype=np.float32)
        for numbers, output in run([job.window for job in jobs]):
            for number, row in zip(numbers, output, strict=True):
                job = jobs[number]
                pieces = job.window.first_pieces[job.words]
                logits[job.position : job.position + len(pieces)] = row[pieces]
        return logits

    def _taggings(self, texts: Sequence[str], words: _Words, decoded: Decoded) -> list[Tagging]:
        entities = self._entities(texts, words, decoded)
        confidences = self._calibration.apply(decoded.scores)
        confidences[np.diff(words.bounds) == 0] = 1.0  # nothing to be wrong about
        return [
            Tagging(tuple(found), confidence, score, label_confidences=by_label)
            for found, confidence, score, by_label in zip(
                entities,
                confidences.tolist(),
                decoded.scores.tolist(),
                label_confidences(decoded.label_scores, self._calibration),
                strict=True,
            )
        ]

    def _entities(
        self, texts: Sequence[str], words: _Words, decoded: Decoded
    ) -> list[list[Entity]]:
        found: list[list[Entity]] = [[] for _ in texts]
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
            found[number].append(Entity(start, end, self._labels[label], surface, confidence))
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
