"""From settings and gold to figures: which texts are asked about, and what is kept back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiohttp import web

from distill.prompting.run import Limits, evaluate_prompt, improve_prompt
from distill.prompting.search import Targets
from schemas.files.corpus import Example, write_jsonl
from schemas.files.task import TaskExample
from schemas.files.task_file import task_yaml
from schemas.files.task_in_use import asked_task, prompt_folder
from schemas.settings import Settings
from schemas.types import Entity
from stream.teacher.prompt import prompt_version, render_answer
from stream.teacher.prompt_parts import answer_json, extract_text
from stream.testing.endpoints import TASK, answering, completion

SHOWN = TaskExample("Met Ada 0", (Entity(4, 7, "PER", "Ada"),))
GOLD = [
    Example(str(n), f"Met Ada {n}", (Entity(4, 7 + (n == 1), "PER", f"Ada{' ' * (n == 1)}"),))
    for n in range(60)
]


async def respond(request: web.Request) -> web.Response:
    """Find every name; propose nothing."""
    text = extract_text((await request.json())["messages"]) or ""
    if text.startswith("["):
        json.loads(text)
        return completion(answer_json(text, {"edits": [None]}))
    missed = text.endswith(("2", "5"))
    return completion(render_answer(text, () if missed else (Entity(4, 7, "PER", "Ada"),)))


async def ran(
    folder: Path, run: Callable[[Settings], dict[str, Any]], **changes: Any
) -> dict[str, Any]:
    file = folder / "task.yaml"
    file.write_text(task_yaml(replace(TASK, examples=(SHOWN,))), encoding="utf-8")
    async with answering(respond) as url:
        teacher = {"base_url": url, "state": folder / "teacher.sqlite", **changes}
        settings = Settings.model_validate({"task": file, "teacher": teacher})
        return await asyncio.to_thread(run, settings)


async def test_a_text_that_is_shown_is_left_out_and_gold_is_fitted_to_words(
    tmp_path: Path,
) -> None:
    spent: list[float] = []
    found = await ran(
        tmp_path,
        lambda settings: evaluate_prompt(
            settings, GOLD[:2], max_usd=1.0, on_asked=lambda purse: spent.append(purse.usd)
        ),
    )

    assert (found["records"], found["left_out"], found["f1"]) == (1, 1, 1.0)
    assert (found["calls"], found["usd"]) == (1, spent[-1])


async def test_texts_that_examples_are_chosen_from_are_not_asked_about(tmp_path: Path) -> None:
    rivers = [Example(river, f"Met Ada by the {river}", ()) for river in ("Oder", "Rhine", "Tagus")]
    write_jsonl(tmp_path / "shown.jsonl", rivers[:2])
    found = await ran(
        tmp_path,
        lambda settings: evaluate_prompt(settings, rivers, max_usd=1.0, on_asked=lambda _: None),
        examples={"choose": "similar", "number": 3, "file": tmp_path / "shown.jsonl"},
    )
    assert (found["records"], found["left_out"], found["calls"]) == (1, 2, 1)
    assert found["prompt_version"] == prompt_version(replace(TASK, examples=(SHOWN,)), n_similar=3)


async def test_the_last_figures_are_paid_whatever_the_search_spends(tmp_path: Path) -> None:
    def run(settings: Settings) -> dict[str, Any]:
        found = improve_prompt(
            settings,
            GOLD,
            targets=Targets(1.0, 1.0),
            limits=Limits(max_usd=1.0, max_calls=80),
            seed=0,
            now=lambda: "2026-01-02",
            on_asked=lambda _purse: None,
        )
        task = asked_task(settings)
        (version,) = prompt_folder(settings, task).versions()
        assert version.version == found["version"]
        return found

    found = await ran(tmp_path, run)

    assert found["stopped"] in {"budget", "dry"}
    assert (found["accepted"], found["proposed"]) == (0, 0)
    assert found["unusable_proposals"] > 0
    assert found["calls"] <= 80
    assert sum(found["texts"].values()) == len(GOLD) - 1
    scored = {part: scores["records"] for part, scores in found["scores"].items()}
    assert scored == found["texts"]
