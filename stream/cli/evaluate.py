"""`silverstream evaluate`: the gate's own figures for a bundle on a labelled corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from schemas.corpus import read_corpus
from stream.cli.figures import JsonFileOption, figures_table, is_printed, write_json
from stream.student import Student


def evaluate(
    bundle: Annotated[Path, typer.Argument(help="A student's folder.")],
    corpus: Annotated[Path, typer.Argument(help="Labelled texts: JSONL or CoNLL columns.")],
    *,
    resamples: Annotated[int, typer.Option(min=1, help="Of the bootstrap interval.")] = 1000,
    confidence: Annotated[float, typer.Option(min=0.01, max=0.999, help="Of the same.")] = 0.90,
    seed: Annotated[int, typer.Option(help="Of the same.")] = 0,
    json_file: JsonFileOption = None,
) -> None:
    """Judge a bundle on a labelled corpus, through the code that serves."""
    from distill.evaluation import evaluate as judge

    student = Student.load(bundle)
    found = judge(
        student,
        read_corpus(corpus),
        resamples=resamples,
        confidence=confidence,
        seed=seed,
    ).as_dict()
    facts = {"student": student.version, "digest": student.digest, "corpus": str(corpus), **found}
    if not is_printed(json_file):
        low, high = found["f1_interval"]["low"], found["f1_interval"]["high"]
        console = Console()
        console.print(figures_table({student.version: found}, title=f"{corpus}"))
        console.print(f"F1 between {low:.1%} and {high:.1%} ({confidence:.0%} bootstrap interval)")
    write_json(facts, json_file)
