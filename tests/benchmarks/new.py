"""`silverstream new` at a pseudo-terminal, from a sentence to a serving stream, timed.

`python -m tests.benchmarks.new WRITTEN [--verdicts FILE] [--texts 800]` lets the simulated teacher
write the labelled texts of WRITTEN (what GPT-3.5 wrote: `proggen_wikigold/xy.jsonl`), answers every
question at once, trains by the present recipe on the embedded broker, sends one text through the
worker, and prints minutes by step and CPU seconds as JSON. A person would think in between.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from schemas.files.corpus import read_corpus
from stream.lab.teacher_sim.answers import load_answers
from stream.lab.teacher_sim.script import Script, load_verdicts
from stream.lab.teacher_sim.simulator import teacher_sim_app
from stream.testing.endpoints import served_apart
from stream.testing.terminal import AtTerminal

_PATIENCE_S = 3600.0


@contextmanager
def teacher(written: Path, verdicts: Path | None) -> Iterator[tuple[str, list[str]]]:
    """Serve a teacher that writes and labels the texts of a file; its URL, and its labels."""
    loaded = load_answers([written])
    said = load_verdicts([verdicts] if verdicts else [], loaded.labels)
    texts = [one.text for one in read_corpus(written)]
    script = Script(loaded.kind, texts, loaded.answers, said)
    with served_apart(teacher_sim_app(loaded.answers, kind=loaded.kind, script=script)) as url:
        yield url, sorted(loaded.labels)


def play(me: AtTerminal, url: str, labels: list[str], n: int) -> dict[str, float]:
    """Answer everything as soon as it is asked; give the minute at which each step was reached."""
    began = time.monotonic()
    reached: dict[str, float] = {}
    for question, answer in (
        ("called?", "wiki"),
        ("in a sentence?", "people, places and organisations in sentences"),
        ("(categories)?", ""),
        ("language", ""),
        ("labels be called", ", ".join(labels)),
        ("Example text 1", ""),
        ("On which topic", "wiki"),
        ("Where is Kafka?", ""),
        ("Where is the teacher?", url),
        ("Which model?", ""),
        ("Which environment variable", ""),
        ("What may it cost", "10"),
        ("How many texts", str(n)),
        ("Shall the teacher suggest", ""),
        ("Right so?", ""),
        ("Shall the teacher write 6", ""),
        *[(f"{number}/6  ", "") for number in range(1, 7)],
        ("Create 7 topics", ""),
        (f"{n:,} texts by", ""),
        ("Train the first student?", ""),
        ("Start the stream?", ""),
        ("Type a text", "Ada Lovelace met Charles Babbage in London."),
        ("sure", ""),
        ("Spent so far", ""),
    ):
        me.reads(question)
        reached[question] = round((time.monotonic() - began) / 60, 2)
        sys.stderr.write(f"{reached[question]:6.2f} min  {question}\n")
        me.types(answer)
    return reached


def main() -> None:
    """Play it once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("written", type=Path)
    parser.add_argument("--verdicts", type=Path)
    parser.add_argument("--texts", type=int, default=800)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        teacher(options.written, options.verdicts) as (url, labels),
    ):
        load = os.getloadavg()[0]
        command = [
            *(sys.executable, "-m", "stream.cli.main"),
            *("new", "--embedded", "--out", "wiki"),
        ]
        command += ["--json", "sitting.json"]
        with AtTerminal(command, cwd=Path(folder), env=os.environ, timeout_s=_PATIENCE_S) as me:
            reached = play(me, url, labels, options.texts)
            status = me.ends()
        facts = json.loads((Path(folder) / "sitting.json").read_text(encoding="utf-8"))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = {
        "minutes": reached["sure"],
        "reached_at_minute": reached,
        "cpu_s": round(used.ru_utime + used.ru_stime),
        "load_at_start": round(load, 1),
        "status": status,
        "written": facts["written"]["written"],
        "labelled": facts["written"]["labelled"],
        "student": facts["student"],
        "usd": facts["usd"],
    }
    Console().print_json(json.dumps(told))


if __name__ == "__main__":
    main()
