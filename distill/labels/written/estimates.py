"""What a run will cost, before it spends: tokens by pass, at four characters a token. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from distill.labels.bootstrap import price
from schemas.files.task import Task
from schemas.settings import Settings
from stream.teacher.kinds.kind import kind_of
from stream.teacher.prompt import build_messages
from stream.teacher.question import Question
from stream.teacher.writing.planning import attributes_question, names_question
from stream.teacher.writing.texts import Draft, Seed, texts_question
from stream.teacher.writing.verdicts import Doubted, verdicts_question

TEXTS_A_CALL: Final = 5
NAMES_A_CALL: Final = 40
VERDICTS_A_CALL: Final = 8
ATTRIBUTE_VALUES: Final = 15
DOUBTED_SHARE: Final = 0.3
"""So many of the facts are doubted at most, for one fact a text."""
_CHARS_PER_TOKEN = 4
_DROPPED_SHARE = 0.1
_A_TEXT = "x" * 160
_A_PHRASE = "x" * 24
_TOKENS_OF_A_PHRASE = 8
_TOKENS_OF_A_VERDICT = 25


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens in and out."""

    tokens_in: int = 0
    tokens_out: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(self.tokens_in + other.tokens_in, self.tokens_out + other.tokens_out)

    def __mul__(self, times: float) -> Tokens:
        return Tokens(math.ceil(self.tokens_in * times), math.ceil(self.tokens_out * times))

    def usd(self, settings: Settings) -> float:
        """Price them, in US dollars."""
        return price(settings, tokens_in=self.tokens_in, tokens_out=self.tokens_out)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What writing, labelling and doubting `n` texts will take, by pass."""

    n: int
    passes: Mapping[str, Tokens]

    @property
    def total(self) -> Tokens:
        """All passes together."""
        return sum(self.passes.values(), Tokens())

    def usd(self, settings: Settings) -> dict[str, float]:
        """Price each pass, in US dollars: labels in batches where the settings say so."""
        return {
            name: tokens.usd(settings) * (_label_share(settings) if name == "labelling" else 1)
            for name, tokens in self.passes.items()
        }


def estimate(task: Task, n: int) -> Estimate:
    """Estimate a run of `n` texts."""
    return Estimate(
        n,
        {
            "planning": _planning(task, n),
            "writing": writing(task) * (n * (1 + _DROPPED_SHARE)),
            "labelling": labelling(task) * n,
            "doubting": doubting(task) * n,
        },
    )


def names_wanted(task: Task, n: int) -> int:
    """Say how many names of each label a run of `n` texts is to have."""
    most = 10 * NAMES_A_CALL
    return min(max(math.ceil(n / len(task.labels)), NAMES_A_CALL), most)


def writing(task: Task) -> Tokens:
    """Estimate the writing of one text."""
    label = task.label_names[0]
    phrases = _A_PHRASE, _A_PHRASE, _A_PHRASE, _A_PHRASE
    draft = Draft(*phrases, use=(Seed(label, _A_PHRASE),), trap=label)
    asked = _told(texts_question(task, [draft] * TEXTS_A_CALL, turn=0))
    kind = kind_of(task.kind, task.choose)
    out = len(_A_TEXT) // _CHARS_PER_TOKEN + kind.expected_tokens_out(_A_TEXT)
    return Tokens(math.ceil(asked / TEXTS_A_CALL), out)


def labelling_usd(task: Task, n: int, settings: Settings) -> float:
    """Price the labelling of `n` texts, in US dollars."""
    return (labelling(task) * n).usd(settings) * _label_share(settings)


def labelling(task: Task) -> Tokens:
    """Estimate the labelling of one text."""
    chars = sum(len(message["content"]) for message in build_messages(task, _A_TEXT))
    out = kind_of(task.kind, task.choose).expected_tokens_out(_A_TEXT)
    return Tokens(chars // _CHARS_PER_TOKEN, out)


def doubting(task: Task) -> Tokens:
    """Estimate the doubts about one text, most of which has none."""
    items = [Doubted(_A_TEXT, task.label_names[0], _A_PHRASE, 1)] * VERDICTS_A_CALL
    one = Tokens(_told(verdicts_question(task, items)), VERDICTS_A_CALL * _TOKENS_OF_A_VERDICT)
    return one * (DOUBTED_SHARE / VERDICTS_A_CALL)


def _planning(task: Task, n: int) -> Tokens:
    attributes = Tokens(
        _told(attributes_question(task, count=ATTRIBUTE_VALUES)),
        4 * ATTRIBUTE_VALUES * _TOKENS_OF_A_PHRASE,
    )
    known = [_A_PHRASE] * NAMES_A_CALL
    question = names_question(task, task.labels[0], count=NAMES_A_CALL, rare=True, known=known)
    names = Tokens(_told(question), NAMES_A_CALL * _TOKENS_OF_A_PHRASE)
    calls = len(task.labels) * math.ceil(names_wanted(task, n) / NAMES_A_CALL)
    return attributes + names * calls


def _label_share(settings: Settings) -> float:
    return settings.teacher.batch.price_share_of("bootstrap")


def _told(question: Question) -> int:
    return sum(len(message["content"]) for message in question.messages) // _CHARS_PER_TOKEN
