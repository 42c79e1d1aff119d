"""Logits to tags: the likeliest sequence that BIO allows, and how sure each word is.

All words of all texts lie side by side in flat arrays. Where the best tag of each word
already makes a legal sequence, it is the Viterbi path too (a path's score is the sum of its
words' log-probabilities, and this one has every word's highest), so only the few
texts for which it is not are searched. A text's result never depends on its company.

Source: Viterbi (1967).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """The tags of all words side by side, and how sure they are.

    `tag_ids` int64 [words], `confidences` float32 [words] in [0, 1]: the probability of each
    word's tag; `scores` float64 [texts] in [0, 1]: that of each text's worst word, 1 without words.
    `label_scores` float64 [texts, labels]: that of the worst word about each label, infinite where
    none is. A word is about the label of its tag, an O about the likeliest of all labels.
    `log_probs` float32 [words, tags]: those of each word alone.
    """

    tag_ids: Ints
    confidences: Floats
    scores: npt.NDArray[np.float64]
    label_scores: npt.NDArray[np.float64]
    log_probs: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """Entities of all texts in order: half-open ranges of words, label numbers, [entities]."""

    first_words: Ints
    end_words: Ints
    label_ids: Ints
    confidences: Floats


def decode(logits: Floats, bounds: Ints) -> Decoded:
    """Decode texts whose words are `logits[bounds[i]:bounds[i + 1]]`.

    `logits` float32 [words, tags] in the order of `schemas.bio.tag_names`, all finite;
    `bounds` int64 [texts + 1], from 0 to words.
    """
    log_probs = log_softmax(logits)
    tag_ids = np.argmax(log_probs, axis=1)
    illegal = illegal_texts(tag_ids, bounds)
    if len(illegal):
        starts, ends = bounds[illegal], bounds[illegal + 1]
        for start, end, path in zip(starts, ends, search(log_probs, starts, ends), strict=True):
            tag_ids[start:end] = path
    chosen = np.take_along_axis(log_probs, tag_ids[:, None], axis=1)[:, 0]
    confidences = np.exp(chosen)
    lowest = _lowest(confidences, bounds[:-1], bounds[1:])
    named = np.where(tag_ids, tag_ids, 1 + np.argmax(log_probs[:, 1:], axis=1))
    by_label = np.full((len(bounds) - 1, log_probs.shape[1] // 2), np.inf)
    texts = np.repeat(np.arange(len(by_label)), np.diff(bounds))
    np.minimum.at(by_label, (texts, (named - 1) >> 1), confidences)
    return Decoded(tag_ids, confidences, lowest.astype(np.float64), by_label, log_probs)


def spans(decoded: Decoded) -> Spans:
    """Read the entities off legal tags; an entity is as sure as its least sure word."""
    tag_ids = decoded.tag_ids
    firsts = np.flatnonzero(tag_ids & 1)
    stops = np.flatnonzero(np.append(~_continues(tag_ids), True))
    ends = stops[np.searchsorted(stops, firsts, side="right")]
    lowest = _lowest(decoded.confidences, firsts, ends)
    return Spans(firsts, ends, tag_ids[firsts] >> 1, lowest)


def log_softmax(logits: Floats) -> Floats:
    """Log-probabilities of each row, float32 [words, tags]."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probs: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return log_probs


def illegal_texts(tag_ids: Ints, bounds: Ints) -> Ints:
    """Numbers of the texts in which some I- continues nothing, ascending."""
    before = np.empty_like(tag_ids)
    before[1:] = tag_ids[:-1]
    before[bounds[:-1][bounds[:-1] < len(tag_ids)]] = 0  # nothing comes before a first word
    # I-x may follow itself and B-x, whose number is one less.
    follows = (before == tag_ids) | (before == tag_ids - 1)
    wrong = np.flatnonzero(_continues(tag_ids) & ~follows)
    return np.unique(np.searchsorted(bounds, wrong, side="right") - 1)


def search(log_probs: Floats, starts: Ints, ends: Ints) -> list[list[int]]:
    """Viterbi over several texts: the best legal tags of words `starts[i]` to `ends[i]`, each."""
    order = np.argsort(starts - ends, kind="stable")
    lengths = (ends - starts)[order]
    rows = np.concatenate([np.arange(starts[text], ends[text]) for text in order])
    scores = _path_scores(log_probs[rows], lengths)
    best, begins = np.argmax(scores, axis=1).tolist(), _begins(scores)
    paths: list[list[int]] = [[]] * len(order)
    end = 0
    for text, length in zip(order.tolist(), lengths.tolist(), strict=True):
        start, end = end, end + length
        paths[text] = _way_back(best[start:end], begins[start:end])
    return paths


def _path_scores(log_probs: Floats, lengths: Ints) -> npt.NDArray[np.float64]:
    """Log-probability of the best legal path that ends in each tag of each word, [words, tags].

    Texts of `lengths`, the longest first, side by side; they advance word by word together,
    and those still going are always a prefix.
    """
    scores = log_probs.astype(np.float64)
    starts = np.cumsum(lengths) - lengths
    scores[starts, 2::2] = -np.inf
    going = np.searchsorted(-lengths, -np.arange(lengths[0]), side="left")
    for word in range(1, len(going)):
        rows = starts[: going[word]] + word
        before = scores[rows - 1]
        gain = np.repeat(before.max(axis=1)[:, None], before.shape[1], axis=1)
        np.maximum(before[:, 1::2], before[:, 2::2], out=gain[:, 2::2])
        scores[rows] += gain
    return scores


def _begins(scores: npt.NDArray[np.float64]) -> list[list[bool]]:
    """Whether an I- after each word had better come after B- than after I-, [words][labels]."""
    begins: list[list[bool]] = (scores[:, 1::2] >= scores[:, 2::2]).tolist()
    return begins


def _way_back(best: list[int], begins: list[list[bool]]) -> list[int]:
    tag = best[-1]
    path = [tag]
    for word in range(len(best) - 2, -1, -1):
        if tag & 1 or not tag:
            tag = best[word]
        elif begins[word][tag // 2 - 1]:
            tag -= 1
        path.append(tag)
    return path[::-1]


def _continues(tag_ids: Ints) -> Bools:
    continues: Bools = (tag_ids > 0) & (tag_ids & 1 == 0)
    return continues


def _lowest(values: Floats, starts: Ints, ends: Ints) -> Floats:
    """Lowest value of each range; 1 for an empty one. Ranges ascend and do not overlap."""
    lowest = np.ones(len(starts), dtype=np.float32)
    filled = np.flatnonzero(ends > starts)
    if len(filled):
        edges = np.stack((starts[filled], ends[filled]), axis=1).ravel()
        padded = np.append(values, np.float32(1))
        lowest[filled] = np.minimum.reduceat(padded, edges)[::2]
    return lowest
