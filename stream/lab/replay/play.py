"""The flow of a replay, from the files to the result."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from schemas.errors import HaltError, StalledError
from schemas.files.corpus import Example, write_jsonl
from schemas.settings import Recipe, Settings
from schemas.types import text_digest
from stream.lab.children import Children, run_interruptible
from stream.lab.client import Client
from stream.lab.replay.ceiling import ceilings, plain_recipe
from stream.lab.replay.cleaning import cleaning_played
from stream.lab.replay.jury import Jury
from stream.lab.replay.material import Material, all_answers, plainly_readable, read_material
from stream.lab.replay.options import EMBEDDED, ReplayOptions
from stream.lab.replay.promise import promise_played
from stream.lab.replay.result import (
    OverallResult,
    ReplayResult,
    RevisedResult,
    StreamResult,
    TeacherResult,
)
from stream.lab.replay.rounds import Rounds, Spectator
from stream.lab.replay.run_settings import answers_of, settings_of
from stream.lab.scoring import (
    overall_quality,
    stream_quality,
    student_alone,
    teacher_alone,
    teacher_quality,
)
from stream.lab.system import System, broker, prepared_topics, start_teacher
from stream.lab.workspace import Workspace
from stream.teacher.store_looks import totals_of


def play_rounds(material: Material, work: Path, progress: Spectator) -> dict[str, Any]:
    """Run the system over the stream; give what `ReplayResult` says of it, and why it ended."""
    return run_interruptible(_played(material, Workspace(work), progress))


def replay_once(
    options: ReplayOptions,
    work: Path,
    progress: Spectator,
    *,
    play: Callable[[Material, Path, Spectator], dict[str, Any]] = play_rounds,
    train: Callable[..., dict[str, dict[str, Any]]] = ceilings,
) -> ReplayResult:
    """Play the whole; raises `HaltError` when a part of the system fails.

    A stream that stands still ends the rounds; the result says so, and counts what is missing.
    """
    began = time.monotonic()
    material = read_material(plainly_readable(options.check(), work))
    result = play(material, work, progress)
    if not result["failure"]:
        trained, missing = _ceilings(material, progress, train)
        result["students"] |= trained
        if missing:
            # What the stream gave is not lost for it.
            result["failure"] = f"a training died, for want of memory perhaps: {', '.join(missing)}"
    return ReplayResult(
        **result,
        seed=options.seed,
        routing=options.routing,
        options=_words(options),
        seconds=time.monotonic() - began,
    )


def _ceiling_recipes(options: ReplayOptions, recipe: Recipe) -> dict[str, Recipe]:
    wanted = {"ceiling": recipe} if options.ceiling else {}
    return wanted | ({"plain": plain_recipe(recipe)} if options.plain else {})


def _ceilings(
    material: Material, progress: Spectator, train: Callable[..., dict[str, dict[str, Any]]]
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Train what was asked for; the students, and the names of those that died."""
    options, recipe = material.options, material.base.recipe_of(material.task.kind)
    same = tuple((one, one) for one in material.stream)
    wanted = [(same, _ceiling_recipes(options, recipe))]
    if options.recorded_ceiling:
        wanted.append((material.recorded, {"recorded": recipe}))
    trained: dict[str, dict[str, Any]] = {}
    for pairs, recipes in wanted:
        trained |= train(
            [labelled for _, labelled in pairs],
            material.held_out,
            (*material.held_out, *material.gold),
            ages=material.plan.ages([one for one, _ in pairs]),
            task=material.task,
            recipes=recipes,
            seed=options.seed,
            progress=progress,
        )
    return trained, [name for _, recipes in wanted for name in recipes if name not in trained]


async def _played(material: Material, space: Workspace, progress: Spectator) -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        address = material.options.broker
        servers, delivery = await stack.enter_async_context(
            broker(None if address == EMBEDDED else address)
        )
        children = await stack.enter_async_context(Children(space.logs))
        url = await start_teacher(children, answers_of(material.options))
        second = await _second_teacher(children, material.options)
        settings = settings_of(
            material, space, servers=servers, delivery=delivery, url=url, second=second
        )
        space.write(settings, material.task)
        await stack.enter_async_context(prepared_topics(settings))
        client = await stack.enter_async_context(Client(settings))
        system = System(space, settings, children)
        jury = Jury(material.held_out, material.options.seed, material.task)
        asked = (*material.plan.cold, *material.answered_gold)
        await cold_start(system, jury, client, asked, progress)
        return await _streamed(material, system, client, jury, progress)


async def cold_start(
    system: System, jury: Jury, client: Client, cold: Sequence[Example], progress: Spectator
) -> None:
    """Have the teacher label the first texts, and train the first student on them.

    Answers about gold are not learnt: they tell where the teacher errs.
    """
    progress.phase("cold start: the teacher labels", total=len(cold))
    # The file holds texts only: the labels are the teacher's, not the gold.
    write_jsonl(system.space.cold, [Example(one.id, one.text, ()) for one in cold])
    await system.run("bootstrap", "bootstrap", str(system.space.cold), "--yes")
    progress.phase("cold start: distill")
    ruling = await jury.next_ruling(system)
    if not ruling.promoted:
        raise HaltError(
            f"the cold start gave no student ({ruling.reason}): give more texts with --cold-start"
        )
    await client.caught_up()


async def _streamed(
    material: Material, system: System, client: Client, jury: Jury, progress: Spectator
) -> dict[str, Any]:
    progress.phase("starting the workers")
    tag, teach = system.start_worker("tag"), system.start_worker("teach")
    for worker in (tag, teach):
        await system.until_ready(worker)
    rounds = Rounds(system=system, client=client, tag_worker=tag, jury=jury, progress=progress)
    shares = material.plan.rounds
    failure = ""
    try:
        for number, share in enumerate(shares, start=1):
            await rounds.play(share, number=number, of=len(shares))
    except StalledError as error:
        failure = str(error)
    result = _result(material, rounds, system.settings) | {"failure": failure}
    if material.options.revise and not failure:
        result["revised"] = await revised(material, rounds)
    return result


async def revised(material: Material, rounds: Rounds) -> RevisedResult:
    """Have all of the stream revised, and judge what stands then."""
    system, client = rounds.system, rounds.client
    rounds.progress.phase("revising")
    path, end_ms = system.space.revision_result, str(int(time.time() * 1000) + 1)
    most = ("--max-records", str(len(rounds.sent)))
    await system.run(
        "revise", "revise", "--from", "0", "--to", end_ms, *most, "--answers", "--json", str(path)
    )
    await client.caught_up()
    found = overall_quality(material.plan.cold, rounds.sent, client.seen)
    name, value = found.headline(material.task)
    changed_by = json.loads(path.read_text(encoding="utf-8"))["changed_by"]
    return RevisedResult(changed_by=changed_by, **{name: value})


async def _second_teacher(children: Children, options: ReplayOptions) -> str | None:
    if options.second_opinion is None:
        return None
    arguments = [str(options.second_opinion), "--answers", "llm"]
    return await start_teacher(children, arguments, name="second-opinion")


def _result(material: Material, rounds: Rounds, settings: Settings) -> dict[str, Any]:
    seen, sent, jury = rounds.client.seen, rounds.sent, rounds.jury
    task, counts, stream = material.task, seen.counts(sent), stream_quality(sent, seen)
    cold, last = jury.rulings[0], jury.champion or jury.rulings[0]
    per_1000 = 1000 / max(counts.records, 1)
    return {
        "records": counts.records,
        "lost": counts.lost,
        "duplicated": counts.duplicated,
        "uncorrected": counts.uncorrected,
        "dead_lettered": counts.dead,
        "kind": task.kind,
        "teacher": _teacher(material, rounds, settings, unanswered=counts.unanswered),
        "overall": _overall(material, rounds, settings),
        "stream": StreamResult(
            f1=stream.f1,
            precision=stream.scores.precision,
            recall=stream.scores.recall,
            of_categories=stream.of_categories(task),
            wanted_share=counts.share(counts.wanted),
            deferred_share=counts.share(counts.deferred),
            records_per_s=counts.records / max(rounds.stream_s, 1e-9),
            cpu_s_per_1000=rounds.cpu_s * per_1000,
            student_alone=student_alone(sent, seen).figures(task),
            teacher_alone=teacher_alone(sent, all_answers(material)).figures(task),
        ),
        "students": {
            "cold": cold.facts(),
            "last": last.facts(),
        },
        "rounds": tuple(rounds.done),
        "promise": promise_played(sent, seen),
        "cleaning": cleaning_played(jury.rulings, material.stream, seen.labels.values()),
    }


def _teacher(
    material: Material, rounds: Rounds, settings: Settings, *, unanswered: int
) -> TeacherResult:
    labels = rounds.client.seen.labels
    cold = {text_digest(one.text) for one in material.plan.cold if one.text.strip()}
    bill = totals_of(settings.teacher.state)
    found = teacher_quality(material.stream, labels.values())
    return TeacherResult(
        f1=found.f1,
        of_categories=found.of_categories(material.task),
        calls=bill.calls,
        labels=len(labels),
        refused=unanswered + len(cold - labels.keys()),
        tokens_in=bill.tokens_in,
        tokens_out=bill.tokens_out,
        bill_usd=bill.usd,
    )


def _overall(material: Material, rounds: Rounds, settings: Settings) -> OverallResult:
    cold, sent = material.plan.cold, rounds.sent
    name, value = overall_quality(cold, sent, rounds.client.seen).headline(material.task)
    return OverallResult(
        records=len(cold) + len(sent),
        calls=totals_of(settings.teacher.state).calls,
        **{name: value},
    )


def _words(options: ReplayOptions) -> dict[str, Any]:
    """Give the options as JSON and the report show them."""

    def word(value: Any) -> Any:
        if isinstance(value, tuple):
            return [word(one) for one in value]
        return str(value) if isinstance(value, Path) else value

    return {name: word(value) for name, value in asdict(options).items()}
