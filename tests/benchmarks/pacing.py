"""How much of an endpoint's limits is used, and how many calls it turns away.

    python -m tests.benchmarks.pacing [--rpm N] [--tpm N] [--seconds S] [--latency S] [--clients N]

`silverstream teacher-sim` with these limits, over HTTP, and clients that always have more to ask;
one client tells of itself alone, several share the limits as workers with one key do. Prints what
was granted as a share of what could be, a full minute's burst at the beginning included, and the
429s as a share of all answers, as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from schemas.files.task import LabelSpec, Task
from schemas.settings import TeacherSettings
from stream.kafka.local.embedded import free_port
from stream.lab.children import Children
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.openai_teacher import OpenAITeacher
from stream.testing.endpoints import requests_of
from tests.benchmarks.measure import wait_until

_TASK = Task("people", "en", (LabelSpec("PER", "People."),))
_N_TEXTS = 20_000


def main() -> None:
    """Measure once and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rpm", type=int, default=600)
    parser.add_argument("--tpm", type=int, default=None)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--latency", type=float, default=0.3)
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--concurrency", type=int, default=32)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        result = asyncio.run(_measured(Path(name), options))
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


async def _measured(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    async with Children(folder) as children:
        url = _serve(children, folder, options)
        clients = [_client(folder, n, url, options) for n in range(options.clients)]
        begun = time.monotonic()
        asking = [asyncio.create_task(_ask(one, options)) for one in clients]
        await asyncio.sleep(options.seconds)
        seconds = time.monotonic() - begun
        counts = await requests_of(url)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        for one in clients:
            await one.aclose()
    limits = {"requests": options.rpm, "tokens": options.tpm}
    granted = {
        kind: counts[f"granted {kind}"] / (most * (1 + seconds / 60))
        for kind, most in limits.items()
        if most
    }
    turned_away = counts.get("turned_away", 0)
    return {
        "seconds": round(seconds, 1),
        "granted_of_allowed": {kind: round(share, 4) for kind, share in granted.items()},
        "answers": counts["requests"],
        "turned_away": turned_away,
        "turned_away_share": round(turned_away / counts["requests"], 4),
    }


def _serve(children: Children, folder: Path, options: argparse.Namespace) -> str:
    corpus, port = folder / "answers.jsonl", free_port()
    lines = (json.dumps({"id": str(n), "text": _text(n), "entities": []}) for n in range(_N_TEXTS))
    corpus.write_text("\n".join(lines), encoding="utf-8")
    limits = [["--rpm", options.rpm], ["--tpm", options.tpm], ["--latency", options.latency]]
    told = [str(x) for name, value in limits if value for x in (name, value)]
    task = folder / "task.yaml"
    task.write_text("name: people\nlanguage: en\nlabels:\n  - {name: PER, description: People.}\n")
    child = children.start(
        "teacher-sim", ["teacher-sim", str(corpus), "--task", str(task), "--port", str(port), *told]
    )
    wait_until(lambda: "http" in child.log.read_text(), what="the simulator", timeout_s=120)
    return f"http://127.0.0.1:{port}/v1"


def _client(folder: Path, n: int, url: str, options: argparse.Namespace) -> OpenAITeacher:
    settings = TeacherSettings(
        base_url=url, concurrency=options.concurrency, budget_usd_per_day=1e9
    )
    store = TeacherStore(folder / f"{n}.sqlite")
    return OpenAITeacher(_TASK, settings, store=store, purpose="stream")


async def _ask(teacher: OpenAITeacher, options: argparse.Namespace) -> None:
    expires_at_ms = int((time.time() + 3600) * 1000)
    numbers = iter(range(_N_TEXTS))

    async def worker() -> None:
        for number in numbers:
            await teacher.label(_text(number), expires_at_ms=expires_at_ms)

    await asyncio.gather(*(worker() for _ in range(2 * options.concurrency)))


def _text(number: int) -> str:
    return f"Text {number} names nobody"


if __name__ == "__main__":
    main()
