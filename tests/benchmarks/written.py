"""The cold start from texts that an LLM once wrote: what the passes of `bootstrap --write` add.

`python -m tests.benchmarks.written CORPUS --strategy xy [--as-they-are] [--doubt least] --on dev`
lets the simulated teacher write what GPT-3.5 wrote (`proggen_wikigold` beside `wikigold`, in the
folder CORPUS), through the whole path and over HTTP: near-duplicates are dropped, each text is
labelled, doubted labels get the recorded verdicts. Then it trains once by the present recipe and
judges on `wikigold` without MISC. `--as-they-are` learns the recorded labels, repeats and all, with
no pass in between. `--doubt all` asks about every label, so that every recorded verdict is heard;
`least` asks as the command does; `none` asks about none. Nothing is written to Kafka.

One training takes some minutes on two cores. Choose on dev, and look at test once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from distill.bundle.export import export_bundle
from distill.labels.written.doubt_pass import Doubting
from distill.labels.written.embedding import LEXICAL
from distill.labels.written.run import TextFromNothing
from distill.labels.written.run_folder import open_run
from distill.learning.ageing import as_train_example
from distill.training.train import train
from schemas.files.corpus import Example, read_corpus
from schemas.files.task import LabelSpec, Task
from schemas.settings import Settings
from schemas.types import SilverLabel
from schemas.wire.labels import cold_label
from stream.lab.replay.jury import on_held_out
from stream.lab.teacher_sim.answers import load_answers
from stream.lab.teacher_sim.script import Script, load_verdicts
from stream.lab.teacher_sim.simulator import serving, teacher_sim_app
from stream.student import Student
from stream.teacher.capped_store import CappedStore
from stream.teacher.factory import make_teacher

STRATEGIES = ("simple", "x", "y-vanilla", "y-latent", "xy")
TASK = Task("wikigold", "en", (LabelSpec("PER"), LabelSpec("LOC"), LabelSpec("ORG")))
DOUBTS = {
    "none": Doubting(share=0.0),
    "least": Doubting(),
    "all": Doubting(share=1e9, least=0.0),
}


def written_files(corpus: Path, strategies: Sequence[str]) -> list[Path]:
    """Name the files of what was written."""
    return [corpus / "proggen_wikigold" / f"{name}.jsonl" for name in strategies]


def without_misc(examples: Sequence[Example]) -> list[Example]:
    """Leave out what the writer was not asked about."""
    kept = set(TASK.label_names)
    return [
        Example(one.id, one.text, tuple(x for x in one.entities if x.label in kept))
        for one in examples
    ]


def as_they_are(examples: Sequence[Example]) -> list[SilverLabel]:
    """Take every recorded sentence as a label."""
    return [cold_label(one.text, one, task=TASK, source="bootstrap", now_ms=0) for one in examples]


async def through_the_passes(
    corpus: Path, strategies: Sequence[str], doubting: Doubting, folder: Path
) -> tuple[Sequence[SilverLabel], dict[str, Any]]:
    """Let the simulated teacher write, label and judge; give the labels and the run's figures."""
    files = written_files(corpus, strategies)
    verdicts = [corpus / "proggen_wikigold/verdicts" / f"{name}.jsonl.gz" for name in strategies]
    loaded = load_answers(files, task=TASK)
    texts = [one.text for file in files for one in read_corpus(file)]
    script = Script(loaded.kind, texts, loaded.answers, load_verdicts(verdicts, TASK.label_names))
    app = teacher_sim_app(loaded.answers, kind=loaded.kind, script=script)
    async with serving(app) as url:
        settings = Settings.model_validate(
            {"teacher": {"base_url": url, "state": folder / "teacher.sqlite"}}
        )
        about = {"task": TASK.digest, "source": "written"}
        with open_run(folder / "run", about=about, resume=False) as run:
            store = CappedStore(settings.teacher.state, run_ledger=run.ledger, most_usd=1e9)
            teacher, _ = make_teacher(TASK, settings, purpose="bootstrap", store=store)
            made = TextFromNothing(
                run,
                TASK,
                settings,
                teacher,
                LEXICAL,  # this writer heeds no draft, so nothing that steers matters
                spent=store.run_totals,
                now_ms=lambda: int(time.time() * 1000),
                progress=lambda *_: None,
                doubting=doubting,
            )
            try:
                found = await made.run(len(texts), max_usd=1e9)
            finally:
                await teacher.aclose()
    return found.labels, found.facts


def trained_f1(labels: Sequence[SilverLabel], gold: Sequence[Example], *, seed: int) -> Any:
    """Train once by the present recipe; give strict span F1 on gold, with its interval."""
    recipe = Settings().recipe_of(TASK.kind)
    trained = train(
        [as_train_example(one, TASK) for one in labels], task=TASK, recipe=recipe, seed=seed
    )
    exported = export_bundle(
        trained,
        task=TASK,
        version="trial",
        calibration=(),
        parity_texts=[one.text for one in labels],
        lineage={},
    )
    return on_held_out(Student(exported.bundle), gold, seed=0)


def main() -> None:
    """Make the labels, train, judge; print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--strategy", choices=STRATEGIES, nargs="+", default=["xy"])
    parser.add_argument("--as-they-are", action="store_true")
    parser.add_argument("--doubt", choices=list(DOUBTS), default="all")
    parser.add_argument("--on", choices=("dev", "test"), default="dev")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-training", action="store_true", help="The run's figures alone.")
    options = parser.parse_args()
    console = Console()
    if options.as_they_are:
        files = written_files(options.corpus, options.strategy)
        labels: Sequence[SilverLabel] = as_they_are([x for f in files for x in read_corpus(f)])
        facts: dict[str, Any] = {"labelled": len(labels)}
    else:
        with tempfile.TemporaryDirectory() as folder:
            labels, facts = asyncio.run(
                through_the_passes(
                    options.corpus, options.strategy, DOUBTS[options.doubt], Path(folder)
                )
            )
    console.print_json(json.dumps(facts))
    if not options.no_training:
        gold = without_misc(read_corpus(options.corpus / "wikigold" / f"{options.on}.jsonl"))
        found = trained_f1(labels, gold, seed=options.seed)
        low, high = found.f1_interval
        told = {"f1": found.f1, "low": low, "high": high, "on": options.on, "seed": options.seed}
        console.print_json(json.dumps(told))


if __name__ == "__main__":
    main()
