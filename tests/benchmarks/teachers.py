"""What choosing among several teachers is worth: the recorded answers of ISEAR's three models.

    python -m tests.benchmarks.teachers DATA [--part rest|stream] [--audits N] [--tolerated SHARE]
        [--seed N]

DATA is the folder that holds `isear` and `llm_isear`. The teachers are text-davinci-003, whom a
person would have put first in 2023, gpt-3.5-turbo-1106 and llama-2-70b-chat, at their prices of
then; a call takes the tokens of the program's own prompt, four characters each. The student is a
naive Bayes model of the words, fitted to the first one's answers about a half of `rest`. N texts of
the other half are audits about which all are asked, by `stream.teacher.teachers.Teachers` itself.
What that counts decides, in the same class, who is asked about each text that is judged: those of
`stream`, or, to choose by, those of `rest` that are no audits and taught the student nothing.
Where a model gave no answer the student's stands.

Prints JSON: accuracy against people, and US dollars for 1,000 texts, of each alone and of the
choice, with gold about the audits and without. The price of the comparison stands apart.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from schemas.errors import RefusedError
from schemas.files.corpus import Example, read_corpus
from schemas.files.task import LabelSpec, Task
from schemas.settings import TeacherSettings
from schemas.types import Category, Fact, SilverLabel, TeacherRequest, facts, text_digest
from schemas.wire.labels import teacher_label
from stream.teacher.books import Books
from stream.teacher.comparison import Comparison, compared
from stream.teacher.prompt import build_messages
from stream.teacher.protocol import Answer, Unsure
from stream.teacher.retries import Outage
from stream.teacher.teachers import Member, Teachers
from stream.testing.messages import a_promotion, a_request

LABELS: Final = ("anger", "disgust", "fear", "guilt", "joy", "sadness", "shame")
TASK: Final = Task(
    "isear",
    "en",
    tuple(LabelSpec(label) for label in LABELS),
    kind="categories",
    choose="one",
)
PRICES: Final = {
    "text-davinci-003": (20.0, 20.0),
    "gpt-3.5-turbo-1106": (1.0, 2.0),
    "llama-2-70b-chat": (0.9, 0.9),
}
"""US dollars for a million tokens in and out, as listed at the end of 2023; the first is first."""
FIRST: Final = next(iter(PRICES))
_TOKENS_OUT: Final = 20
_CHARS_PER_TOKEN: Final = 4
_WORD: Final = re.compile(r"\w+")


@dataclass
class Recorded:
    """A teacher that answers from a file; `calls_usd` is what it was paid."""

    name: str
    said: Mapping[str, tuple[Category, ...]]
    calls_usd: float = 0.0
    is_open: bool = False
    refusal: str | None = None
    outage: Outage | None = None
    places: int = 1
    prompt_version: str = "p1"
    tried_at_s: float = 0.0

    @property
    def books(self) -> Books:
        """Nobody asks for them."""
        raise NotImplementedError

    async def label(
        self,
        text: str,
        *,
        expires_at_ms: int | None = None,
    ) -> Answer:
        """Give the recorded answer."""
        self.calls_usd += _call_usd(self.name, text)
        if text not in self.said:
            raise RefusedError("no answer is recorded")
        return Answer((), self.name, "p1", 0, 0, cached=False, categories=self.said[text])

    async def label_alone(self, text: str, *, expires_at_ms: int | None = None) -> Answer:
        """Give the same."""
        return await self.label(text, expires_at_ms=expires_at_ms)

    async def label_unsure(
        self, text: str, unsure: Unsure, *, expires_at_ms: int | None = None
    ) -> Answer:
        """Give the same."""
        del unsure
        return await self.label(text, expires_at_ms=expires_at_ms)

    async def check(self) -> None:
        """Do nothing."""

    async def aclose(self) -> None:
        """Do nothing."""


@dataclass
class WordStudent:
    """Naive Bayes over words (multinomial), with Laplace's rule."""

    words: dict[str, Counter[str]] = field(default_factory=lambda: {x: Counter() for x in LABELS})
    texts: Counter[str] = field(default_factory=Counter)
    vocabulary: set[str] = field(default_factory=set)
    tagged: dict[str, Category] = field(default_factory=dict)

    def learn(self, text: str, label: str) -> None:
        """Count the words of a text."""
        self.texts[label] += 1
        words = set(_WORD.findall(text.lower()))
        self.words[label].update(words)
        self.vocabulary |= words

    def tag(self, text: str) -> Category:
        """Give the likeliest label, and how likely it is; once all is learnt."""
        if text not in self.tagged:
            self.tagged[text] = self._tag(text)
        return self.tagged[text]

    def _tag(self, text: str) -> Category:
        words = set(_WORD.findall(text.lower()))
        scores = {label: self._score(label, words) for label in LABELS}
        best = max(scores, key=lambda label: scores[label])
        of_all = math.fsum(math.exp(score - scores[best]) for score in scores.values())
        return Category(best, 1 / of_all)

    def _score(self, label: str, words: set[str]) -> float:
        seen, known = self.words[label], self.vocabulary
        n = seen.total() + len(known)
        told = math.fsum(math.log((seen[x] + 1) / n) for x in words & known)
        return math.log(self.texts[label] + 1) + told


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--part", choices=("rest", "stream"), default="rest")
    parser.add_argument("--audits", type=int, default=1000)
    parser.add_argument("--tolerated", type=float, default=TeacherSettings().tolerated_loss)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    rest = _texts(given.data / "isear" / "rest.jsonl")
    random.Random(given.seed).shuffle(rest)
    learnt, others = rest[: len(rest) // 2], rest[len(rest) // 2 :]
    audits, kept = others[: given.audits], others[given.audits :]
    judged = kept if given.part == "rest" else _texts(given.data / "isear" / "stream.jsonl")
    said = {
        name: {one.text: one.llm_categories or () for one in _answers(given.data, name)}
        for name in PRICES
    }
    student = WordStudent()
    for one in learnt:
        if one.text in said[FIRST]:
            student.learn(one.text, said[FIRST][one.text][0].label)
    figures = asyncio.run(_figures(student, audits, judged, said, tolerated=given.tolerated))
    sizes = {"audits": len(audits), "judged": len(judged), "tolerated_loss": given.tolerated}
    sys.stdout.write(json.dumps(sizes | figures, indent=1) + "\n")


async def _figures(
    student: WordStudent,
    audits: Sequence[Example],
    judged: Sequence[Example],
    said: Mapping[str, Mapping[str, tuple[Category, ...]]],
    *,
    tolerated: float,
) -> dict[str, Any]:
    labels, comparing_usd = await _audited(student, audits, said)
    truths = {text_digest(one.text): facts(one) for one in audits}
    found: dict[str, Any] = {
        "student": _accuracy([(facts(_request(student, one)), facts(one)) for one in judged]),
        **{
            name: await _routed(student, judged, {name: said[name]}, None, tolerated)
            for name in PRICES
        },
    }
    for name, known in {
        "choice, gold": compared(labels, truths, first=FIRST, threshold=2.0),
        "choice, no gold": compared(labels, {}, first=FIRST, threshold=2.0),
    }.items():
        found[name] = await _routed(student, judged, said, known, tolerated)
    return found | {"comparing_usd_per_1000": round(1000 * comparing_usd / len(audits), 4)}


async def _audited(
    student: WordStudent,
    audits: Sequence[Example],
    said: Mapping[str, Mapping[str, tuple[Category, ...]]],
) -> tuple[list[SilverLabel], float]:
    """Ask all about the audits; give the labels, and what the others than the first cost."""
    fakes = [Recorded(name, said[name]) for name in PRICES]
    several = _teachers(fakes, tolerated=0.0)
    labels: list[SilverLabel] = []
    for one in audits:
        request = replace(_request(student, one), audit=True)
        try:
            answer, opinions = await several.answer(request)
        except RefusedError:
            continue
        labels.append(teacher_label(request, answer, task_digest="", now_ms=0, opinions=opinions))
    return labels, sum(fake.calls_usd for fake in fakes[1:])


async def _routed(
    student: WordStudent,
    judged: Sequence[Example],
    said: Mapping[str, Mapping[str, tuple[Category, ...]]],
    known: Comparison | None,
    tolerated: float,
) -> dict[str, Any]:
    fakes = [Recorded(name, answers) for name, answers in said.items()]
    several = _teachers(fakes, tolerated=tolerated)
    if known is not None:
        several.take([a_promotion(metrics=known.metrics())])
    pairs: list[tuple[frozenset[Fact], frozenset[Fact]]] = []
    asked: Counter[str] = Counter()
    for one in judged:
        request = _request(student, one)
        asked[several.chosen(request)] += 1
        try:
            answer, _ = await several.answer(request)
        except RefusedError:
            pairs.append((facts(request), facts(one)))
        else:
            pairs.append((facts(answer), facts(one)))
    usd = sum(fake.calls_usd for fake in fakes)
    figures = _accuracy(pairs) | {"usd_per_1000": round(1000 * usd / len(judged), 4)}
    return figures | ({"asked": dict(asked)} if len(said) > 1 else {})


def _teachers(fakes: Sequence[Recorded], *, tolerated: float) -> Teachers:
    members = [
        Member(
            fake.name,
            TeacherSettings(
                price_in_usd_per_million=PRICES[fake.name][0],
                price_out_usd_per_million=PRICES[fake.name][1],
                tolerated_loss=tolerated,
                compared_share=1.0,
            ),
            fake,
            fake,
        )
        for fake in fakes
    ]
    return Teachers(members)


def _request(student: WordStudent, one: Example) -> TeacherRequest:
    proposed = student.tag(one.text)
    return a_request(
        text=one.text, categories=(proposed,), confidence=proposed.confidence, expires_at_ms=2**50
    )


def _accuracy(pairs: Sequence[tuple[frozenset[Fact], frozenset[Fact]]]) -> dict[str, float]:
    return {"accuracy": round(100 * sum(a == b for a, b in pairs) / len(pairs), 2)}


def _call_usd(name: str, text: str) -> float:
    tokens_in = sum(len(x["content"]) for x in build_messages(TASK, text)) / _CHARS_PER_TOKEN
    price_in, price_out = PRICES[name]
    return (tokens_in * price_in + _TOKENS_OUT * price_out) / 1e6


def _texts(path: Path) -> list[Example]:
    """Read each text once."""
    return [*{one.text: one for one in read_corpus(path)}.values()]


def _answers(data: Path, name: str) -> list[Example]:
    found = read_corpus(data / "llm_isear" / f"{name}.jsonl")
    return [one for one in found if one.llm_categories]


if __name__ == "__main__":
    main()
