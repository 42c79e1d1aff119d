"""The prompt as a program, through the command line and over real HTTP, for both kinds of task.

The endpoint plays a teacher that is wrong about some texts until its guidelines tell it better, and
that proposes, beside what helps, what does not.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from distill.prompting.parts import part_of
from schemas.files.corpus import Example, write_jsonl
from schemas.files.task_in_use import asked_task
from schemas.settings import load_settings
from schemas.types import Category, Entity
from stream.teacher.kinds.kind import kind_of
from stream.teacher.kinds.said import Said, said_by
from stream.teacher.prompt import prompt_version
from stream.teacher.prompt_parts import answer_json, extract_text
from stream.testing.endpoints import answering, completion

HELPS = "What is meant counts."
ENTITIES: dict[str, Any] = {"name": "goods", "labels": [{"name": "PRODUCT"}]}
CATEGORIES: dict[str, Any] = {
    "name": "mail",
    "kind": "categories",
    "choose": "one",
    "labels": [{"name": "praise"}, {"name": "complaint"}],
}


def entities(number: int) -> tuple[Example, Said]:
    """Gold, and what the teacher says by itself: of every other text half of a name."""
    text = f"Mail {number}: the Blade Pro broke"
    start = text.index("Blade")
    whole = Entity(start, start + 9, "PRODUCT", "Blade Pro")
    half = Entity(start, start + 5, "PRODUCT", "Blade")
    return Example(str(number), text, (whole,)), Said((half if number % 2 else whole,))


def categories(number: int) -> tuple[Example, Said]:
    text = f"Mail {number}: great, it broke"
    said = "praise" if number % 2 else "complaint"
    example = Example(str(number), text, (), categories=(Category("complaint"),))
    return example, Said(categories=(Category(said),))


MakeText = Callable[[int], tuple[Example, Said]]
KINDS = [
    pytest.param(ENTITIES, entities, id="entities"),
    pytest.param(CATEGORIES, categories, id="categories"),
]


@dataclass
class Endpoint:
    """Answers by the guidelines that it is told; counts its calls."""

    task: dict[str, Any]
    texts: list[tuple[Example, Said]]
    labelled: int = 0
    proposed: int = 0
    shown: set[str] = field(default_factory=set)

    async def respond(self, request: web.Request) -> web.Response:
        messages = (await request.json())["messages"]
        text = extract_text(messages) or ""
        if messages[0]["content"].startswith("You improve"):
            return self._propose(text)
        self.labelled += 1
        by_text = {example.text: (example, said) for example, said in self.texts}
        gold, said = by_text[text]
        kind = kind_of(self.task.get("kind", "entities"), self.task.get("choose"))
        knows = HELPS in messages[0]["content"]
        told = said_by(gold.entities or gold.categories) if knows else said
        return completion(answer_json(text, kind.members(text, told)), model="sim")

    def _propose(self, text: str) -> web.Response:
        self.proposed += 1
        self.shown |= {one["text"] for one in json.loads(text)}
        edit = {"label": "", "number": 0, "why": "seen"}
        edits = [
            {**edit, "what": "guideline", "text": f"Nothing {self.proposed}."},
            {**edit, "what": "example", "number": 1},
            {**edit, "what": "guideline", "text": HELPS},
        ]
        return completion(answer_json(text, {"edits": edits}), model="sim")


@dataclass
class Place:
    """A folder with task, settings and gold."""

    folder: Path
    gold: Path
    url: str

    async def run(self, *arguments: str) -> Any:
        """Run a command of the command line; what it printed as JSON."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "stream.cli.main", "prompt", *arguments, "--json=-"),
            cwd=self.folder,
            env={**os.environ, "SILVERSTREAM_CONFIG": "silverstream.yaml"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        return json.loads(out)


def place(folder: Path, endpoint: Endpoint, url: str) -> Place:
    (folder / "task.yaml").write_text(yaml.safe_dump(endpoint.task), encoding="utf-8")
    settings = {"teacher": {"base_url": url}, "distill": {"gold": "gold.jsonl"}}
    (folder / "silverstream.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    write_jsonl(folder / "gold.jsonl", [example for example, _ in endpoint.texts])
    return Place(folder, folder / "gold.jsonl", url)


@pytest.mark.parametrize(("task", "make"), KINDS)
async def test_a_prompt_is_measured_improved_and_put_to_use(
    tmp_path: Path, task: dict[str, Any], make: MakeText, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = Endpoint(task, [make(number) for number in range(72)])
    async with answering(endpoint.respond) as url:
        here = place(tmp_path, endpoint, url)

        before = await here.run("evaluate", "gold.jsonl")
        assert (before["records"], before["calls"]) == (72, 72)
        assert before["f1"] == 0.5
        interval = before["intervals"]["f1"]
        assert interval["low"] < 0.5 < interval["high"]
        (wrong,) = before["mistakes"]
        assert wrong["count"] == 36
        assert wrong["wrong"] == ("confused" if task is CATEGORIES else "boundary")

        improved = await here.run("improve", "gold.jsonl", "--max-usd", "1", "--seed", "3")
        assert improved["accepted"] == 1
        assert improved["parent"] == before["version"]
        assert [f"guideline added: {HELPS} (seen)"] == improved["edits"]
        assert improved["scores"]["report"]["f1"] == 1.0
        assert improved["stopped"] == "targets"
        assert improved["usd"] > 0
        assert {part_of(text) for text in endpoint.shown} == {"tune"}

        # What was asked before is not asked again.
        asked = endpoint.labelled, endpoint.proposed
        again = await here.run("improve", "gold.jsonl", "--max-usd", "1", "--seed", "3")
        assert (again["version"], again["calls"], again["usd"]) == (improved["version"], 0, 0)
        assert (endpoint.labelled, endpoint.proposed) == asked

        used = await here.run("use", improved["version"])
        after = await here.run("evaluate", "gold.jsonl")
        assert (after["version"], after["f1"]) == (improved["version"], 1.0)
        assert after["prompt_version"] == used["prompt_version"]

    listed = await here.run("list")
    assert listed["in_use"] == improved["version"]
    assert [one["version"] for one in listed["versions"]] == [
        before["version"],
        improved["version"],
    ]
    monkeypatch.chdir(tmp_path)
    asked_now = asked_task(load_settings(Path("silverstream.yaml")))
    assert prompt_version(asked_now) == used["prompt_version"]
    assert HELPS in asked_now.guidelines


async def test_the_money_bounds_a_search_and_what_was_found_is_reported(tmp_path: Path) -> None:
    endpoint = Endpoint(ENTITIES, [entities(number) for number in range(72)])
    async with answering(endpoint.respond) as url:
        here = place(tmp_path, endpoint, url)
        found = await here.run("improve", "gold.jsonl", "--max-calls", "90")

    assert found["stopped"] == "budget"
    assert found["calls"] == endpoint.labelled + endpoint.proposed <= 90
    assert found["scores"]["report"]["records"] == found["texts"]["report"]
