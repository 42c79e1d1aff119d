from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from schemas.files.corpus import Example, write_jsonl
from schemas.types import Entity
from stream.lab.replay.material import all_answers, read_material
from stream.lab.replay.options import ReplayOptions

ADA = (Entity(0, 3, "PER", "Ada"),)


def options(folder: Path) -> ReplayOptions:
    """Four texts; the recorded teacher answers the first, refuses the second, knows no others."""
    texts = [Example(f"{n}", f"Ada sings {n}", ADA) for n in range(4)]
    gold = [Example("g0", "Ada reads", ADA), Example("g1", "Ada hums", ADA)]
    answers = [
        replace(texts[0], llm_entities=()),
        replace(texts[1], llm_entities=None),
        replace(gold[1], llm_entities=ADA),
    ]
    for name, examples in (("stream", texts), ("gold", gold), ("answers", answers)):
        write_jsonl(folder / f"{name}.jsonl", examples)
    return ReplayOptions(
        stream=(folder / "stream.jsonl",),
        held_out=folder / "gold.jsonl",
        gold=folder / "gold.jsonl",
        cold_start=1,
        rounds=1,
        teacher=str(folder / "answers.jsonl"),
    )


def test_what_was_recorded_is_what_the_teacher_would_say_and_a_refusal_nothing(
    tmp_path: Path,
) -> None:
    answers = all_answers(read_material(options(tmp_path)))
    assert {text: one.entities for text, one in answers.items()} == {"Ada sings 0": ()}


def test_of_gold_the_teacher_is_asked_what_it_was_once_asked(tmp_path: Path) -> None:
    material = read_material(options(tmp_path))
    assert [one.id for one in material.answered_gold] == ["g1"]
    by_gold = read_material(replace(options(tmp_path), teacher="gold"))
    assert by_gold.answered_gold == ()
    assert len(all_answers(by_gold)) == 4
