"""`bootstrap --write` over real processes: the texts, their labels and the bill."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.types import SilverLabel
from stream.kafka.local.embedded import EmbeddedBroker

N = 40
SUBJECTS = ("Ada", "Grace", "Edsger", "Barbara", "Alan", "Radia", "Donald", "Frances")
PLACES = ("Oslo", "Turin", "Quito", "Accra", "Perth")
ENDINGS = (
    "sold all the bicycles before noon",
    "never heard about our tiny orchestra",
    "painted seven kitchens without any help",
)
PRICES = {"price_in_usd_per_million": 1.0, "price_out_usd_per_million": 1.0}


def written_corpus(path: Path) -> Path:
    """Texts that are unlike each other, of two labels; the last one repeats the first."""
    records = []
    for number in range(N + 20):
        who, where = SUBJECTS[number % 8], PLACES[number % 5]
        text = f"{ENDINGS[number % 3].title()[: 3 + number]} {number * 7919}: {who}, then {where}"
        spans = [
            {"start": text.index(name), "end": text.index(name) + len(name), "label": label}
            for name, label in ((who, "PER"), (where, "LOC"))
        ]
        records.append({"id": str(number), "text": text, "entities": spans})
    records.append(records[0] | {"id": "again"})
    path.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
    return path


async def stats(url: str) -> dict[str, int]:
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(url.removesuffix("/v1") + "/stats")
    counts: dict[str, int] = answer.json()
    return counts


async def labels_of(system: Any) -> dict[str, SilverLabel]:
    records = await system.records(system.names.silver_labels)
    labels = [system.codec.decode(SilverLabel, record.value) for record in records]
    return {label.text: label for label in labels}


def arguments(run: Path, *more: str, max_usd: float = 5.0) -> Sequence[str]:
    words = ("bootstrap", "--write", str(N), "--max-usd", str(max_usd), "--run", str(run), "--yes")
    return (*words, *more)


@pytest.fixture
async def started(
    make_system: Any, embedded_broker: EmbeddedBroker, teacher_sim: Any, tmp_path: Path
) -> Callable[..., Any]:
    """Make a system and the simulated writer that it asks."""

    async def start(*options: str, **teacher: Any) -> tuple[Any, str]:
        corpus = written_corpus(tmp_path / "written.jsonl")
        url = await teacher_sim(corpus, "--write", str(corpus), *options)
        settings = {"base_url": url, **PRICES, **teacher}
        system = make_system(embedded_broker.bootstrap_servers, teacher=settings)
        await system.create_topics()
        return system, url

    return start


async def test_texts_are_written_labelled_and_delivered_with_their_figures(
    started: Any, tmp_path: Path
) -> None:
    system, url = await started()
    told = tmp_path / "told.json"
    process = system.start(*arguments(tmp_path / "run", "--json", str(told)))
    assert await process.ended() == 0, process.output
    facts = json.loads(told.read_text(encoding="utf-8"))
    labels = await labels_of(system)
    assert facts["written"] == facts["labelled"] == len(labels) == N
    assert {label.source for label in labels.values()} == {"bootstrap"}
    assert all(len(label.entities) == 2 for label in labels.values())
    assert facts["label_balance"] == {"PER": 0.5, "LOC": 0.5}
    assert 0 < facts["distinct_n"]["1"] < facts["distinct_n"]["2"] <= 1
    assert facts["run"] == str(tmp_path / "run")
    assert json.loads((tmp_path / "run/summary.json").read_text(encoding="utf-8")) == facts
    assert "40 texts by" in process.output
    counts = await stats(url)
    assert counts["answered"] == counts["requests"]
    assert 0 < facts["usd"] < 5


async def test_a_killed_run_is_resumed_without_paying_twice(
    started: Any, tmp_path: Path, until: Any
) -> None:
    system, url = await started("--latency", "0.15", concurrency=2)
    run = tmp_path / "run"
    process = system.start(*arguments(run))
    for part in ("texts", "labels"):
        # Killed twice: while it writes, and while it labels.
        lines = run / f"{part}.jsonl"
        await until(
            lambda lines=lines: lines.exists() and lines.read_bytes().count(b"\n") > 3,
            f"some {part}",
            logs=lambda process=process: process.output,
        )
        await process.stop(signal.SIGKILL)
        process = system.start(*arguments(run, "--resume"))
    assert await process.ended() == 0, process.output
    labels = await labels_of(system)
    assert len(labels) == N
    counts = await stats(url)
    written = [json.loads(line) for line in (run / "texts.jsonl").read_text().splitlines()]
    calls = [one["call"] for one in written if "call" in one]
    assert len(calls) == len(set(calls))
    plans = len((run / "plan.jsonl").read_text().splitlines())
    # What was under way when it was killed may have been answered to nobody: two calls each time.
    assert counts["requests"] <= plans + len(calls) + N + 2 * 2
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    assert summary["written"] == N
    again = system.start(*arguments(run, "--resume"))
    assert await again.ended() == 0, again.output
    assert (await stats(url))["requests"] == counts["requests"]


async def test_the_budget_is_never_passed_and_more_of_it_goes_on(
    started: Any, tmp_path: Path
) -> None:
    system, _ = await started(concurrency=1, max_output_tokens=100)
    run, told = tmp_path / "run", tmp_path / "told.json"
    process = system.start(*arguments(run, "--json", str(told), max_usd=0.02))
    assert await process.ended() == 0, process.output
    short = json.loads(told.read_text(encoding="utf-8"))
    assert 0 < short["written"] < N
    assert short["labelled"] == short["written"] == len(await labels_of(system))
    assert short["usd"] <= 0.02
    assert any("--max-usd" in remark for remark in short["remarks"])
    process = system.start(*arguments(run, "--resume", "--json", str(told)))
    assert await process.ended() == 0, process.output
    assert json.loads(told.read_text(encoding="utf-8"))["written"] == N


async def test_verdicts_on_doubted_labels_are_applied(
    make_system: Any, embedded_broker: EmbeddedBroker, teacher_sim: Any, tmp_path: Path
) -> None:
    corpus = written_corpus(tmp_path / "written.jsonl")
    records = [json.loads(line) for line in corpus.read_text(encoding="utf-8").splitlines()]
    # In one text a mention was missed that is labelled everywhere else.
    missed = records[8]["text"]
    records[8]["entities"] = records[8]["entities"][1:]
    corpus.write_text("".join(json.dumps(x) + "\n" for x in records), encoding="utf-8")
    verdict = {"text": missed, "mention": "Ada", "label": "PER", "verdict": "correct"}
    verdicts = tmp_path / "verdicts.jsonl"
    verdicts.write_text(json.dumps(verdict) + "\n", encoding="utf-8")
    url = await teacher_sim(corpus, "--write", str(corpus), "--verdicts", str(verdicts))
    settings = {"base_url": url, **PRICES}
    system = make_system(embedded_broker.bootstrap_servers, teacher=settings)
    await system.create_topics()
    process = system.start(*arguments(tmp_path / "run"))
    assert await process.ended() == 0, process.output
    assert [x.surface for x in (await labels_of(system))[missed].entities] == ["Ada", "Accra"]
    summary = json.loads((tmp_path / "run/summary.json").read_text(encoding="utf-8"))
    assert summary["verdicts"]["added"] == 1


async def test_a_run_is_not_mixed_up(started: Any, tmp_path: Path) -> None:
    system, _ = await started()
    for more, words in ((("--resume",), "no run in"), ((), ""), ((), "pass --resume")):
        process = system.start(*arguments(tmp_path / "run", *more))
        code = await process.ended()
        assert (code, words in process.output) == (2 if words else 0, True), process.output


async def test_texts_of_a_file_are_chosen_once_and_a_killed_run_goes_on_with_them(
    started: Any, tmp_path: Path, until: Any
) -> None:
    system, url = await started("--latency", "0.3", concurrency=1)
    run, told = tmp_path / "run", tmp_path / "told.json"
    file = str(tmp_path / "written.jsonl")
    words = ["bootstrap", file, "--limit", "12", "--yes", "--run", str(run), "--max-usd", "1"]
    process = system.start(*words)

    async def some() -> bool:
        return len(await labels_of(system)) > 2

    await until(some, "some labels", logs=lambda: process.output)
    await process.stop(signal.SIGKILL)
    process = system.start(*words, "--resume", "--json", str(told))
    assert await process.ended() == 0, process.output
    chosen = [json.loads(line)["text"] for line in (run / "chosen.jsonl").read_text().splitlines()]
    assert len(chosen) == 12
    assert set(await labels_of(system)) == set(chosen)
    assert (await stats(url))["requests"] <= 12 + 1
    facts = json.loads(told.read_text(encoding="utf-8"))
    assert facts == json.loads((run / "summary.json").read_text(encoding="utf-8"))
    assert facts["skipped"]["labelled_before"] + facts["labelled"] == 12
