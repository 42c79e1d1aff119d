"""`silverstream new`, as a person plays it at a terminal: from a sentence to the first labels.

From there to the serving stream it is played by `make proof-new`: a training and a worker take
longer than all of this.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.files.corpus import Example, read_corpus
from schemas.files.task_file import load_task
from schemas.settings import load_settings
from stream.lab.demo.feed import early_style, texts
from stream.lab.teacher_sim.answers import answers_of
from stream.lab.teacher_sim.script import Script
from stream.lab.teacher_sim.simulator import teacher_sim_app
from stream.testing.endpoints import served_apart
from stream.testing.terminal import AtTerminal

SILVERSTREAM = (sys.executable, "-m", "stream.cli.main")
SECRET = "sk-not-to-be-written"
N_TEXTS = 60


def written() -> list[Example]:
    style = early_style("feed", seed=8)
    return list({one.text: one for one in texts(style, 120, prefix="w", seed=8)}.values())


@pytest.fixture
def teacher_url() -> Iterator[str]:
    """A simulated teacher over HTTP that writes the demo's texts."""
    examples = written()
    loaded = answers_of(examples)
    script = Script(loaded.kind, [one.text for one in examples], loaded.answers)
    app = teacher_sim_app(loaded.answers, kind=loaded.kind, script=script)
    with served_apart(app) as url:
        yield url


class Seat:
    """A person's place: a folder, and a terminal for one command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / "orders"
        self.env = {**os.environ, "MY_KEY": SECRET}

    def sits_down(self, *options: str) -> AtTerminal:
        command = (*SILVERSTREAM, "new", "--out", "orders", *options)
        return AtTerminal(command, cwd=self.folder, env=self.env)


@pytest.fixture
def seat(tmp_path: Path) -> Seat:
    return Seat(tmp_path)


def test_a_person_comes_from_a_sentence_to_a_task_with_labels(seat: Seat, teacher_url: str) -> None:
    with seat.sits_down("--embedded") as me:
        tell_what_is_wanted(me, teacher_url)
        me.reads("Shall the teacher suggest")
        assert "about $0.00" in me.reads("> ")
        me.leaves()  # nothing is lost, and nothing was spent
        me.reads("go on with: silverstream new --out orders")
        assert me.ends() == 130
    with seat.sits_down("--embedded", "--json", "sitting.json") as me:
        assert "called" not in me.reads("Shall the teacher suggest")
        me.types()
        correct_the_suggestions(me)
        n_right = judge_the_first_texts(me)
        me.reads("Written into orders")
        me.reads("Create 7 topics")
        me.types()
        me.reads(f"{N_TEXTS} texts by gpt-4.1-mini: about ")
        me.types()
        me.reads(f"{N_TEXTS} labels written")
        me.reads("Train the first student?")
        me.types("n")
        me.reads("Spent so far")
        assert me.ends() == 0, me.shown
    files_say_what_the_person_said(seat, n_right)
    facts = json.loads((seat.folder / "sitting.json").read_text(encoding="utf-8"))
    assert facts["topics"]["orders.silver-labels"] == "created"
    assert facts["written"]["labelled"] == N_TEXTS
    assert (facts["student"], facts["served"]) == (None, False)
    assert 0 < facts["usd"] <= facts["max_usd"]


def tell_what_is_wanted(me: AtTerminal, teacher_url: str) -> None:
    for question, answer in (
        ("called?", "orders"),
        ("in a sentence?", "people, firms, towns and products in order notes"),
        ("(categories)?", "entities"),
        ("language", ""),
        ("labels be called", "PERSON, COMPANY, TOWN, PRODUCT"),
        ("Example text 1", "back"),  # a town is called otherwise here
        ("labels be called", "PERSON, COMPANY, CITY, PRODUCT"),
        ("Example text 1", written()[0].text),
        ("Example text 2", ""),
        ("On which topic", "orders"),
        ("Where is Kafka?", ""),
        ("Where is the teacher?", teacher_url),
        ("Which model?", ""),
        ("Which environment variable", SECRET),
        ("never the key itself", ""),
    ):
        me.reads(question)
        if question != "never the key itself":
            me.types(answer)
    for question, answer in (
        ("Which environment variable", "MY_KEY"),
        ("What may it cost", "0.50"),
        ("How many texts", str(N_TEXTS)),
    ):
        me.reads(question)
        me.types(answer)


def correct_the_suggestions(me: AtTerminal) -> None:
    for command in ("1 First name and surname.", "-5", "undo", "+ Leave out titles.", ""):
        me.reads("Right so?")
        me.types(command)


def judge_the_first_texts(me: AtTerminal) -> int:
    """Say of one text that it is wrong, and of the others that they are right."""
    me.reads("Shall the teacher write 6 texts and label your 1")
    me.types()
    me.reads("1/6  ")
    me.reads("Right?")
    me.types("n")
    me.reads("What is right?")
    me.types("-")
    for number in range(2, 7):
        me.reads(f"{number}/6  ")
        me.reads("Right?")
        me.types()
    me.reads("The teacher is wrong about 1.")
    me.types("A manager is nobody.")
    me.reads("label them again")
    me.types()
    me.reads("of 5 of 6 texts what you say")
    me.reads("The teacher is wrong about 1.")
    me.types()
    return 6


def files_say_what_the_person_said(seat: Seat, n_judged: int) -> None:
    task = load_task(seat.out / "task.yaml")
    assert task.label_names == ("PERSON", "COMPANY", "CITY", "PRODUCT")
    assert task.labels[0].description == "First name and surname."
    assert task.guidelines.startswith("Looked for: people, firms, towns")
    for rule in ("what the recorded answers mark.", "Leave out titles.", "A manager is nobody."):
        assert rule in task.guidelines
    gold = read_corpus(seat.out / "gold.jsonl")
    judged = {one.text for one in gold} | {one.text for one in task.examples}
    assert len(judged) == len(gold) + len(task.examples) == n_judged
    assert task.examples[0].entities == ()  # what the teacher got wrong is shown to it
    settings = load_settings(seat.out / "silverstream.yaml")
    assert (settings.kafka.text_topic, settings.distill.gold) == ("orders", Path("gold.jsonl"))
    everything = "".join(
        path.read_text(encoding="utf-8", errors="replace")
        for path in seat.out.rglob("*")
        if path.is_file()
    )
    assert SECRET not in everything
    assert "MY_KEY" in (seat.out / "silverstream.yaml").read_text(encoding="utf-8")
