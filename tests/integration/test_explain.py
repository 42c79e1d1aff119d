"""A record played through, and looked back at: the commands that a person types."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from distill.result import RoundResult
from distill.round import run_round
from distill.testing.fakes import TableMaker
from schemas.files.corpus import Example, write_jsonl
from schemas.types import Entity, EntityEvent, RoutingPolicy
from stream.kafka.local.embedded import EmbeddedBroker
from stream.teacher.prompt_parts import answer_code
from stream.testing.endpoints import answering, completion

ASK_ALL = RoutingPolicy(threshold=1.0, audit_share=0.0, audit_seed=0)
TEXTS = [f"Ada {n} in Oslo" for n in range(4)]
REFUSED = "nobody answers this"


def first_words(path: Path, texts: list[str]) -> Path:
    """A corpus in which the first word of each text is a person."""
    examples = []
    for text in texts:
        word = text.split(maxsplit=1)[0]
        examples.append(Example(text, text, (Entity(0, len(word), "PER", word),)))
    write_jsonl(path, examples)
    return path


async def told(system: Any, *arguments: str, env: Any = None) -> dict[str, Any]:
    """Run a command; the facts that it writes."""
    out = system.folder / "facts.json"
    process = system.start(*arguments, "--json", str(out), env=env)
    assert await process.ended() == 0, process.output
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return found


@dataclass
class Played:
    """What was played through: five records, and a round that learnt from them."""

    system: Any
    env: dict[str, str]
    answer: EntityEvent
    round: RoundResult

    def id(self, partition: int, offset: int) -> str:
        return f"{self.system.names.text}-{partition}-{offset}"


async def play(make_system: Any, servers: str, teacher_sim: Any, folder: Path) -> Played:
    gold = first_words(folder / "gold.jsonl", ["Grace sings", "Ada sings", "Bea sings"])
    system = make_system(
        servers,
        routing={"budget_share": 1.0},
        distill={"gold": str(gold), "gate": {"min_records": 1}},
    )
    url = await teacher_sim(first_words(folder / "answers.jsonl", TEXTS))
    env = {"SILVERSTREAM_TEACHER__BASE_URL": url}
    await system.create_topics()
    await system.promote("v1", policy=ASK_ALL)
    worker = system.start("run", "tag", "teach", env=env)
    await system.produce([text.encode() for text in [*TEXTS, REFUSED]])
    final = await system.until_events(5, revision=2)
    assert await worker.stop() == 0
    done = await asyncio.to_thread(run_round, system.settings, make=TableMaker(), force=True)
    (answer,) = [one for one in final if one.record_id == f"{system.names.text}-0-0"]
    return Played(system, env, answer, done)


async def test_a_record_that_was_played_through_is_explained_and_so_is_its_student(
    make_system: Any, embedded_broker: EmbeddedBroker, teacher_sim: Any, tmp_path: Path
) -> None:
    played = await play(make_system, embedded_broker.bootstrap_servers, teacher_sim, tmp_path)
    await the_record_is_explained(played, tmp_path / "page.html")
    await what_is_not_there_is_named(played)
    await the_teacher_says_why(played)
    await the_students_are_traced_back(played)
    await the_bill_knows_all_of_it(played)


async def the_record_is_explained(played: Played, page: Path) -> None:
    facts = await told(played.system, "explain", played.id(0, 0), "--html", str(page))
    text, teacher = facts["text"], facts["teacher"]
    assert (text["value"], text["from"], text["whereabouts"]) == (TEXTS[0], "text topic", "there")
    assert facts["student"]["version"] == "v1"
    assert (facts["policy"]["promotion"], facts["policy"]["threshold"]) == (1, 1.0)
    assert teacher["answered"]
    assert teacher["deferred_because"] == "low_confidence"
    assert teacher["prompt_version"] == played.answer.prompt_version
    assert [one["surface"] for one in teacher["entities"]] == ["Ada"]
    assert [event["revision"] for event in facts["events"]] == [1, 2]
    (label,) = facts["labels"]
    assert (label["source"], label["stands"], label["weight"]) == ("teacher", True, 1.0)
    (learnt,) = facts["students"]
    assert (learnt["student"], learnt["used_for"]) == (played.round.student, "training")
    assert learnt["weight"] == 1.0
    ledger = facts["cost"]["ledger"]
    assert (ledger["purpose"], ledger["calls"]) == ("stream", 1)
    assert facts["missing"] == []
    assert all(seen["whole"] for seen in facts["read"].values())
    html = await asyncio.to_thread(page.read_text, encoding="utf-8")
    assert "<mark>Ada<small>PER</small></mark>" in html


async def what_is_not_there_is_named(played: Played) -> None:
    refused = await told(played.system, "explain", played.id(0, 2))
    assert refused["text"]["value"] == REFUSED
    assert (refused["teacher"]["answered"], refused["teacher"]["outcome"]) == (False, "refused")
    assert refused["labels"] == []
    (learnt,) = refused["students"]
    assert learnt["used_for"].startswith("self-training")
    never = await told(played.system, "explain", played.id(1, 99))
    assert (never["text"]["value"], never["events"]) == (None, [])
    assert "has not come to offset 99 yet" in never["missing"][0]
    bounded = await told(played.system, "explain", played.id(0, 2), "--max-records", "1")
    assert any("--max-records" in one for one in bounded["missing"])


async def the_teacher_says_why(played: Played) -> None:
    async def why(request: web.Request) -> web.Response:
        asked = (await request.json())["messages"]
        assert "Why did you answer so?" in asked[-1]["content"]
        assert '"Ada"' in asked[-2]["content"]
        return completion(json.dumps({"id": answer_code(TEXTS[0]), "why": "Ada is a name."}))

    async with answering(why) as url:
        env = {"SILVERSTREAM_TEACHER__BASE_URL": url}
        facts = await told(played.system, "explain", played.id(0, 0), "--ask-why", env=env)
    assert facts["rationale"]["said"] == "Ada is a name."
    assert facts["rationale"]["note"].startswith("asked for afterwards")
    nothing = played.system.start("explain", played.id(0, 2), "--ask-why", env=played.env)
    assert await nothing.ended() == 2
    assert "there is nothing to ask about" in nothing.output


async def the_students_are_traced_back(played: Played) -> None:
    made = await told(played.system, "lineage", played.round.student)
    assert made["parents"] == ["v1"]
    assert made["round"]["reason"] == played.round.reason
    assert made["snapshot"]["by_source"] == {"teacher": 4}
    assert made["snapshot"]["by_prompt"] == {played.answer.prompt_version: 4}
    assert made["gold"]["is_todays"]
    first = await told(played.system, "lineage", "v1")
    assert (first["parents"], first["in_force"]) == ([], True)
    assert [one["challenger"] for one in first["defended"]] == [played.round.student]
    unknown = played.system.start("lineage", "v9")
    assert await unknown.ended() == 2
    assert "no student v9 is known here; these are: v1" in unknown.output


async def the_bill_knows_all_of_it(played: Played) -> None:
    bill = await told(played.system, "bill")
    by_purpose = {row["purpose"]: row for row in bill["rows"]}
    assert by_purpose["explain"]["calls"] == 1
    assert by_purpose["stream"]["questions"] == 5
    assert bill["each_time"]["records"] == 5
