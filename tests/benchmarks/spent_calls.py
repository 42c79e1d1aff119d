"""On which texts calls are best spent: the loop on ISEAR with a frozen embedding as its student.

`python -m tests.benchmarks.spent_calls FOLDER [--half rest|stream] [--base BASE] [--calls N...]`
embeds the half's texts once, into FOLDER, and plays the stream in random orders: some texts are
answered first, then part after part the least sure of a logistic regression on the embedding, which
is fitted anew before each part to the recorded answers of GPT-3.5. Prints the accuracy overall
against people, in %, mean over the orders, a table for each question. Minutes of CPU for the
embedding, then seconds a line. Settings are chosen on the half `rest`.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from sklearn.linear_model import LogisticRegression

from distill.training.base import WHEEL, load_base
from distill.training.batches import Row, collate
from distill.training.body import build_body
from distill.training.pooling import mean_of_tokens
from distill.training.train import training_encoder
from schemas.files.corpus import read_corpus
from schemas.settings import Recipe

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.int64]

_DATA = Path(os.environ.get("SILVERSTREAM_DATA", "../shared/data"))
_TEACHER = "llm_isear/gpt-3.5-turbo-1106.jsonl"
_COLD, _PARTS, _ORDERS = 200, 10, 3
_INVERSE_PENALTY = 0.15
_BATCH = 64
_SURE = 0.5


@dataclass(frozen=True, slots=True)
class Half:
    """Texts, embedded; `taught` and `right` are labels by number, the teacher's and people's."""

    labels: tuple[str, ...]
    features: Floats
    taught: Ints
    right: Ints

    def fitted(self, learnt: Ints, *, pseudo: tuple[Ints, Ints, float] | None = None) -> Student:
        """Fit a student to the teacher's answers, and to a share of its own beside them."""
        texts, labels, weights = learnt, self.taught[learnt], np.ones(len(learnt))
        if pseudo is not None:
            more, said, weight = pseudo
            texts, labels = np.r_[texts, more], np.r_[labels, said]
            weights = np.r_[weights, np.full(len(more), weight)]
        model = LogisticRegression(C=_INVERSE_PENALTY, max_iter=60, tol=1e-2)
        model.fit(self.features[texts], labels, sample_weight=weights)
        return partial(_probabilities, model, self)


Student = Callable[[Ints], Floats]
"""Texts by number to probabilities [texts, labels]."""
Choose = Callable[[Half, Ints, Floats], Floats]
"""Texts and the student's probabilities to how dearly each wants to be asked about."""


def _probabilities(model: LogisticRegression, half: Half, texts: Ints) -> Floats:
    found = np.zeros((len(texts), len(half.labels)))
    found[:, model.classes_] = model.predict_proba(half.features[texts])
    return found


def confidence(_: Half, __: Ints, found: Floats) -> Floats:
    """Ask where the likeliest label is unlikely: what the router does."""
    doubt: Floats = -found.max(axis=1)
    return doubt


def margin(_: Half, __: Ints, found: Floats) -> Floats:
    """Ask where two labels are about as likely."""
    ordered = np.sort(found, axis=1)
    doubt: Floats = ordered[:, -2] - ordered[:, -1]
    return doubt


def entropy(_: Half, __: Ints, found: Floats) -> Floats:
    """Ask where all labels are about as likely."""
    logs: Floats = -(found * np.log(found + 1e-9)).sum(axis=1)
    return logs


def differing(half: Half, texts: Ints, found: Floats) -> Floats:
    """Ask where the teacher will say something else: a bound, nobody knows it before."""
    wants: Floats = (half.taught[texts] != found.argmax(axis=1)) - 0.01 * found.max(axis=1)
    return wants


def gaining(half: Half, texts: Ints, found: Floats) -> Floats:
    """Ask where the teacher is right and the student is not: a bound, too."""
    teacher, student = half.taught[texts], found.argmax(axis=1)
    gain: Floats = 1.0 * (teacher == half.right[texts]) - (student == half.right[texts])
    wants: Floats = gain - 0.01 * found.max(axis=1)
    return wants


def expected_gain(n: int) -> Choose:
    """Ask where the teacher is likelier right than the student, as `n` texts of gold taught it."""

    def choose(half: Half, texts: Ints, found: Floats) -> Floats:
        gold = np.random.default_rng(7).permutation(len(half.right))[:n]
        model = LogisticRegression(C=0.03, max_iter=60, tol=1e-2)
        model.fit(half.features[gold], half.taught[gold] == half.right[gold])
        by_teacher = model.predict_proba(half.features[texts])[:, 1]
        gain: Floats = by_teacher - found.max(axis=1)
        return gain

    return choose


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way to spend calls. `decay` e-folds of the spending; `by_lot` is the part drawn by lot."""

    calls: int
    cold: int = _COLD
    parts: int = _PARTS
    decay: float = 0.0
    by_lot: float = 0.0
    pseudo: float = 0.0
    choose: Choose = field(default=confidence)
    first_student: bool = False
    judging: float = 0.0
    """The part of the calls that rounds ask after a part, about texts that were published."""
    every: int = 1
    """So many parts end before another student serves."""
    revised: bool = False
    """Whether at the end what judged is published, and what the last student says of the rest."""

    def shares(self, n: int) -> list[tuple[int, int]]:
        """Give records and calls of each part of `n` records after the cold start."""
        records = np.diff(np.linspace(0, n, self.parts + 1).round().astype(int))
        wanted = records * np.exp(-self.decay * np.arange(self.parts) / self.parts)
        calls, left = np.zeros(self.parts), float(self.calls - self.cold)
        while left >= 1 and wanted.any():  # what one part cannot take the others share
            calls = np.minimum(calls + left * wanted / wanted.sum(), records)
            wanted, left = wanted * (calls < records), self.calls - self.cold - calls.sum()
        return [*zip(records.tolist(), calls.round().astype(int).tolist(), strict=True)]


def played(half: Half, order: Ints, way: Way) -> dict[str, float]:
    """Play the stream in an order; accuracies against people in %."""
    lots = np.random.default_rng(0)
    said, asked = half.taught.copy(), order[: way.cold]
    at, alone, unasked = way.cold, 0, np.array([], dtype=np.int64)
    judged = unasked
    student = half.fitted(asked)
    for part, (records, all_calls) in enumerate(way.shares(len(order) - way.cold)):
        texts, at = order[at : at + records], at + records
        calls = all_calls - round(all_calls * way.judging)
        if not way.first_student and part % way.every == 0:
            own = (unasked, said[unasked], way.pseudo) if way.pseudo and len(unasked) else None
            student = half.fitted(np.r_[asked, judged], pseudo=own)
        found = student(texts)
        wants = way.choose(half, texts, found)
        drawn = lots.permutation(records)[: round(calls * way.by_lot)]
        wants[drawn] = np.inf
        chosen = np.zeros(records, dtype=bool)
        chosen[np.argsort(-wants)[:calls]] = True
        alone += int((found.argmax(axis=1) == half.right[texts]).sum())
        said[texts[~chosen]] = found.argmax(axis=1)[~chosen]
        asked, unasked = np.r_[asked, texts[chosen]], np.r_[unasked, texts[~chosen]]
        judged = np.r_[judged, lots.permutation(texts[~chosen])[: all_calls - calls]]
    if way.revised:
        said[unasked] = half.fitted(np.r_[asked, judged])(unasked).argmax(axis=1)
        said[judged] = half.taught[judged]
    streamed = asked[way.cold :]
    return {
        "overall": 100 * float((said == half.right).mean()),
        "teacher, where asked": 100 * float((half.taught == half.right)[streamed].mean())
        if len(streamed)
        else float("nan"),
        "students alone": 100 * alone / max(len(order) - way.cold, 1),
    }


def differences(half: Half, order: Ints, n: int) -> dict[str, float]:
    """Who is right where the teacher and a student who did not learn the answer differ, in %."""
    learnt, fold = order[:n], np.arange(n) % 5
    found = np.zeros((n, len(half.labels)))
    for one in range(5):
        found[fold == one] = half.fitted(learnt[fold != one])(learnt[fold == one])
    student, right = found.argmax(axis=1), half.right[learnt]
    differ = student != half.taught[learnt]
    sure = differ & (found.max(axis=1) > _SURE)

    def share(of: npt.NDArray[np.bool_], where: npt.NDArray[np.bool_]) -> float:
        return 100 * float(of[where].mean())

    taught = half.taught[learnt] == right
    return {
        "differ": 100 * float(differ.mean()),
        "teacher right": share(taught, differ),
        "student right": share(student == right, differ),
        "where it is sure: teacher right": share(taught, sure),
        "student right then": share(student == right, sure),
    }


def embedded(texts: Sequence[str], base: str) -> Floats:
    """Give the mean of the last layer's tokens, which a head reads: float32 [texts, width]."""
    found = load_base(base)
    body = build_body(found, layers="all", casing=False, dropout=0.0).eval()
    encoder = training_encoder(found.tokenizer_json, Recipe(casing=False))
    nothing = np.zeros((1, 1), dtype=np.float32)
    rows = [Row.of(windows[0], nothing, 1.0) for windows in encoder.encode([*texts])]
    by_length = sorted(range(len(rows)), key=lambda i: len(rows[i].ids))
    features = np.zeros((len(rows), found.config.hidden_size), dtype=np.float32)
    for start in range(0, len(rows), _BATCH):
        some = by_length[start : start + _BATCH]
        batch = collate([rows[i] for i in some])
        with torch.no_grad():
            hidden = body(batch.ids, batch.mask, batch.types)
        features[some] = mean_of_tokens(hidden, batch.mask).numpy()
    return features


def read_half(name: str, base: str, folder: Path) -> Half:
    """Read a half of ISEAR; its embedding is kept in the folder."""
    people = [*read_corpus(_DATA / f"isear/{name}.jsonl")]
    answers = {x.id: x.llm_categories or () for x in read_corpus(_DATA / _TEACHER)}
    labels = tuple(sorted({x.categories[0].label for x in people}))
    path = folder / f"{name}-{Path(base).name}.npy"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        np.save(path, embedded([x.text for x in people], base))
    return Half(
        labels,
        np.load(path),
        np.array([labels.index(answers[x.id][0].label) for x in people]),
        np.array([labels.index(x.categories[0].label) for x in people]),
    )


def ways(calls: int) -> dict[str, Way]:
    """Give what is compared, by name."""
    of = partial(Way, calls=calls)
    return {
        f"cold start {_COLD}, {_PARTS} parts": of(),
        **{f"cold start {cold}": of(cold=cold) for cold in (400, 600, 900)},
        **{f"spending decays by e^{decay}": of(decay=float(decay)) for decay in (1, 2, 4)},
        **{f"{parts} parts": of(parts=parts) for parts in (5, 20)},
        "the first student to the end": of(first_student=True),
        **{f"{part:.0%} of the calls by lot": of(by_lot=part) for part in (0.3, 1.0)},
        "by margin": of(choose=margin),
        "by entropy": of(choose=entropy),
        "by expected gain, 300 texts of gold": of(choose=expected_gain(300)),
        "the student's own tags beside, 0.3": of(pseudo=0.3),
        "a third of the calls judge": of(judging=1 / 3),
        "a tenth of the calls judges": of(judging=0.1),
        "a third judges, every second part a student": of(judging=1 / 3, every=2),
        "the same, revised": of(judging=1 / 3, every=2, revised=True),
        "a tenth judges, revised": of(judging=0.1, revised=True),
        "revised": of(revised=True),
        "bound: asked where the two differ": of(choose=differing),
        "bound: asked where it gains": of(choose=gaining),
    }


def main() -> None:
    """Play every way for every number of calls; print a line as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--half", choices=("rest", "stream"), default="rest")
    parser.add_argument("--base", default=WHEEL)
    parser.add_argument("--calls", type=int, nargs="+", default=[1200, 1500, 2700])
    parser.add_argument("--only", default="", help="words that a way's name must hold")
    options = parser.parse_args()
    half, console = read_half(options.half, options.base, options.folder), Console(width=140)
    orders = [np.random.default_rng(i).permutation(len(half.right)) for i in range(_ORDERS)]
    for calls in options.calls:
        for name, way in ways(calls).items():
            if options.only in name:
                console.print(calls, name, _mean([played(half, order, way) for order in orders]))
    for n in (600, 1200, 2400):
        console.print(n, "answers:", _mean([differences(half, order, n) for order in orders]))


def _mean(found: Sequence[dict[str, float]]) -> str:
    return ", ".join(f"{name} {np.mean([x[name] for x in found]):.1f}" for name in found[0])


if __name__ == "__main__":
    main()
