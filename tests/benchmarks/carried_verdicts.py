"""Verdicts carried over, held against the verdicts on the very mentions that they are carried to.

`python -m tests.benchmarks.carried_verdicts ../shared/data` takes what GPT-3.5 wrote for
`wikigold`, its labels, and what it said when it was asked again about the least sure ones. Texts
are cut into five parts; the verdicts on four are carried over to the fifth, and its own verdicts
tell whether that was right (`distill/labels/written/carrying.py`): of labels that are taken away,
how many are not right by them; of labels that were hidden and are put back, how many are right.

Then a third of the verdicts are asked for in the order of doubt, as by `bootstrap --write`, all or
three about the same words under the same label: how many of the labels that are wrong by their
verdict are left, and how many right ones are lost. Half a minute of CPU time in all.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from distill.labels.written.carrying import Judged, carried_over
from distill.labels.written.doubting import ALIKE, doubtful, few_alike
from distill.labels.written.rulings import ruled
from schemas.files.corpus import read_corpus
from schemas.types import Fact, SilverLabel, facts, text_digest
from stream.lab.teacher_sim.script import Verdicts, load_verdicts
from stream.teacher.writing.verdicts import Verdict
from tests.benchmarks.written import STRATEGIES, TASK, as_they_are, written_files

_PARTS = 5
_Place = tuple[str, Fact]


def recorded(corpus: Path, strategies: Sequence[str]) -> tuple[list[SilverLabel], list[Judged]]:
    """Read labels, each text once, and the verdicts on what they say."""
    files = written_files(corpus, strategies)
    labels = {one.text: one for one in as_they_are([x for f in files for x in read_corpus(f)])}
    paths = [corpus / "proggen_wikigold/verdicts" / f"{name}.jsonl.gz" for name in strategies]
    verdicts = load_verdicts(paths, TASK.label_names)
    return [*labels.values()], list(_judged(labels.values(), verdicts))


def _judged(labels: Iterable[SilverLabel], verdicts: Verdicts) -> Iterator[Judged]:
    for label in labels:
        for fact in sorted(facts(label)):
            said = verdicts.get((label.text, label.text[fact[0] : fact[1]], fact[2]))
            if said is not None:
                told: Mapping[str, Any] = said
                yield label.text, fact, Verdict(told["verdict"], told["label"], told["span"])


def held_out(labels: Sequence[SilverLabel], judged: Sequence[Judged]) -> Counter[tuple[str, str]]:
    """Count, over the parts, what was done to judged labels and what their verdicts say."""
    found = Counter[tuple[str, str]]()
    for part in range(_PARTS):
        known = [one for one in judged if _part(one[0]) != part]
        own = {(text, fact): verdict for text, fact, verdict in judged if _part(text) == part}
        stands = _standing(carried_over(labels, known, TASK)[0])
        hidden = [_without(one, own) for one in labels]
        back = _standing(carried_over(hidden, known, TASK)[0])
        for place, verdict in own.items():
            if place not in stands:
                found["taken away", verdict.ruling] += 1
            if place in back:
                found["put back", verdict.ruling] += 1
    return found


def asked_for(
    labels: Sequence[SilverLabel], judged: Sequence[Judged], *, alike: int, carried: bool
) -> dict[str, int]:
    """Ask for a third of the verdicts, the least sure labels first; count what is left wrong."""
    verdicts = {(text, fact): verdict for text, fact, verdict in judged}
    doubted = [
        one for one in doubtful(labels, {}, TASK, least=0.0) if (one.text, one.fact) in verdicts
    ]
    asked = few_alike(doubted, most=alike)[: len(judged) // 3]
    told = [(one.text, one.fact, verdicts[one.text, one.fact]) for one in asked]
    of_text = defaultdict[str, list[tuple[Fact, Verdict]]](list)
    for text, fact, verdict in told:
        of_text[text].append((fact, verdict))
    after = [ruled(one, of_text[one.text], TASK)[0] or one for one in labels]
    stands = _standing(carried_over(after, told, TASK)[0] if carried else after)
    right = {place: verdict.ruling == "right" for place, verdict in verdicts.items()}
    return {
        "asked": len(asked),
        "wrong": sum(not one for one in right.values()),
        "wrong_left": sum(place in stands for place, one in right.items() if not one),
        "right_lost": sum(place not in stands for place, one in right.items() if one),
    }


def _part(text: str) -> int:
    return int(text_digest(f"carried:{text}")[:8], 16) % _PARTS


def _standing(labels: Sequence[SilverLabel]) -> set[_Place]:
    return {(label.text, fact) for label in labels for fact in facts(label)}


def _without(label: SilverLabel, places: Mapping[_Place, Verdict]) -> SilverLabel:
    kept = [x for x in label.entities if (label.text, (x.start, x.end, x.label)) not in places]
    return replace(label, entities=tuple(kept))


def main() -> None:
    """Print the counts for one strategy, and for the five together."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    corpus = parser.parse_args().corpus
    for strategies in (("xy",), STRATEGIES):
        labels, judged = recorded(corpus, strategies)
        found = held_out(labels, judged)
        told = {f"{done}: {ruling}": times for (done, ruling), times in sorted(found.items())}
        changed = carried_over(labels, judged, TASK)[1]
        about = {"strategies": strategies, "verdicts": len(judged), "changed": changed}
        Console().print_json(json.dumps(about | told), indent=None)
        for alike, carried in ((len(judged), False), (len(judged), True), (ALIKE, True)):
            left = asked_for(labels, judged, alike=alike, carried=carried)
            Console().print_json(
                json.dumps({"alike": alike, "carried": carried} | left), indent=None
            )


if __name__ == "__main__":
    main()
