"""The flow of the demo, from the cold start to the summary."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from schemas.errors import HaltError
from schemas.files.corpus import Example
from schemas.settings import Settings
from stream.lab.children import Children, run_interruptible
from stream.lab.client import Client
from stream.lab.demo.measure import Measure
from stream.lab.demo.scripts import Script
from stream.lab.demo.setup import Corpora, Files, Scale, demo_settings, make_corpora
from stream.lab.demo.students import Bench, ScoredStudent
from stream.lab.demo.summary import Summary, price_of_all
from stream.lab.demo.trends import Drift, DriftWatch, windows
from stream.lab.demo.view import View
from stream.lab.scoring import stream_quality
from stream.lab.system import System, broker, prepared_topics, start_teacher
from stream.lab.workspace import Workspace
from stream.retrain.last_round import mark_path, read_mark
from stream.retrain.trigger import due
from stream.teacher.store_looks import totals_of

WINDOW = 100
"""Records in one bar of the trends."""

_TICK_S = 0.25
_LATENCY = ("--latency", "0.2", "--jitter", "0.5")
"""Of the simulated teacher, as an LLM's: it slows nothing, the stream does not wait for it."""
_TRAINING_PACE = 0.15
"""The feed's pace while a student is in training, as a share of the usual one."""
_EARLY_SHARE, _LATE_SHARE = 0.5, 0.85
"""Shares of the time by which the halves of the feed end, on a machine too slow for all of it."""


@dataclass(slots=True, kw_only=True)
class Demo:
    """A running demo."""

    script: Script
    corpora: Corpora
    scale: Scale
    system: System
    client: Client
    bench: Bench
    view: View
    sent: dict[str, Example] = field(default_factory=dict)
    watch: DriftWatch = field(default_factory=DriftWatch)
    drift_at: int = 0
    _wanted: list[bool] = field(default_factory=list)
    _deferred: list[bool] = field(default_factory=list)

    async def cold_start(self) -> None:
        """Have the teacher label some texts, and train the first student on them."""
        self.view.phase(f"cold start: the teacher labels {len(self.corpora.cold)} texts")
        await self.system.run("bootstrap", "bootstrap", str(self.system.space.cold), "--yes")
        self.view.phase("cold start: the role distill trains the first student")
        worker = self.system.start_worker("distill")
        await self.system.until_ready(worker)
        while not self.bench.judged:
            self.system.children.check()
            self._check_time()
            await self._look_for_students()
            await asyncio.sleep(_TICK_S)
        if not self.bench.judged[0].promoted:
            raise HaltError("the gate refused the first student: nothing can serve")

    def _check_time(self) -> None:
        if self.view.elapsed_s > self.scale.budget_s:
            raise HaltError(
                f"no student came in {self.scale.budget_s:.0f} s: see {self.system.children.logs}"
            )

    async def run(self) -> None:
        """Start the workers, feed them, and watch until all is answered and judged."""
        self.view.phase("starting the roles tag and teach")
        for worker in [self.system.start_worker(role) for role in ("tag", "teach")]:
            await self.system.until_ready(worker)
        self.view.phase("streaming")
        feeding = asyncio.create_task(self._feed())
        try:
            await self._watch_until_done(feeding)
        finally:
            feeding.cancel()

    async def _feed(self) -> None:
        await self._feed_half(self.corpora.early, until_s=_EARLY_SHARE * self.scale.budget_s)
        self.drift_at = len(self.sent)
        self.view.tell(f"[bold]the feed drifts[/]: {self.script.drift}")
        await self._feed_half(self.corpora.late, until_s=_LATE_SHARE * self.scale.budget_s)

    async def _feed_half(self, half: Sequence[Example], *, until_s: float) -> None:
        start = 0
        while start < len(half) and self.view.elapsed_s < until_s:
            # While a student is in training the feed holds back: so the same share of it
            # is left for that student on a slow machine as on a fast one.
            pace = _TRAINING_PACE if self._training() else 1.0
            end = start + max(1, round(self.scale.records_per_s * pace * _TICK_S))
            self.sent |= await self.client.send(half[start:end])
            start = end
            await asyncio.sleep(_TICK_S)
        if start < len(half):
            self.view.tell("[yellow]time is short: this half of the feed ends early[/]")

    async def _watch_until_done(self, feeding: asyncio.Task[None]) -> None:
        while not (feeding.done() and self._settled() and not self._training()):
            self.system.children.check()
            self.client.check()
            if feeding.done():
                feeding.result()
                self.view.state.phase = "waiting for the last answers and the last student"
            self._take_in()
            await self._look_for_students()
            if self.view.elapsed_s > self.scale.budget_s:
                self.view.tell("[yellow]time is up: not waiting any longer[/]")
                return
            await asyncio.sleep(_TICK_S)
        self._take_in()
        await self._look_for_students()

    def _settled(self) -> bool:
        return all(map(self.client.seen.is_done, self.sent))

    def _training(self) -> bool:
        """Whether distill is at work, or about to be."""
        settings = self.system.settings.distill
        mark = read_mark(mark_path(settings.folder, self.script.task.name))
        why = due(self.client.label_ends, mark, now_s=time.time(), settings=settings)
        return bool(why) or self._unfinished()

    def _unfinished(self) -> bool:
        decided = {one.version for one in self.bench.judged}
        return any(path.name not in decided for path in self.bench.rounds.glob("*/"))

    def _take_in(self) -> None:
        """Read what is new in the stream, and show it."""
        seen, state = self.client.seen, self.view.state
        for event in seen.firsts(len(self._wanted)):
            wanted = seen.wants(event)
            self._wanted.append(wanted)
            self._deferred.append(event.status == "provisional")
            if drift := self.watch.add(student=event.student_version, wanted=wanted):
                self._tell_drift(drift)
            if event.student_version != state.serving:
                self.view.tell(f"now serving: {event.student_version}")
                state.serving = event.student_version
        state.done, state.total = (
            len(self._wanted),
            len(self.corpora.early) + len(self.corpora.late),
        )
        state.wanted, state.deferred = self.windows()
        if self.drift_at:
            state.drift_window = self.drift_at / WINDOW
        bill = totals_of(self.system.settings.teacher.state)
        state.calls, state.bill_usd = bill.calls, bill.usd

    def windows(self) -> tuple[list[float], list[float]]:
        """Return the wanted and the deferred share, window by window."""
        return windows(self._wanted, WINDOW), windows(self._deferred, WINDOW)

    def _tell_drift(self, drift: Drift) -> None:
        self.view.tell(
            f"[bold yellow]drift noticed[/] at record {drift.at}: "
            f"wanted deferrals rose from {drift.before:.0%} to {drift.now:.0%}"
        )

    async def _look_for_students(self) -> None:
        new = await self.bench.look()
        for one in new:
            self.view.tell(_verdict(one, self.script.measure))
        self.view.state.students = self.bench.judged
        if self.drift_at and any(one.promoted for one in new):
            self.view.keep()  # what the loop is for: the drift came, and a student learned it


def play_demo(script: Script, scale: Scale, work: Path, view: View) -> Summary:
    """Play the whole demo in the work folder."""
    view.state.measure = script.measure
    view.phase("writing the feed")
    return run_interruptible(_played(script, scale, Workspace(work), view))


async def _played(script: Script, scale: Scale, space: Workspace, view: View) -> Summary:
    corpora, task = make_corpora(script, scale), script.task
    async with AsyncExitStack() as stack:
        view.phase("starting the embedded broker and the simulated teacher")
        servers, _ = await stack.enter_async_context(broker(None))
        children = await stack.enter_async_context(Children(space.logs))
        files = Files(space)
        files.write(corpora)
        url = await start_teacher(children, [str(files.answers), *_LATENCY])
        settings = demo_settings(space, scale, servers=servers, url=url)
        space.write(settings, task)
        await stack.enter_async_context(prepared_topics(settings))
        demo = Demo(
            script=script,
            corpora=corpora,
            scale=scale,
            system=System(space, settings, children),
            client=await stack.enter_async_context(Client(settings)),
            bench=Bench(space.rounds(task.name), corpora.held_out_early, corpora.held_out_late),
            view=view,
        )
        await demo.cold_start()
        await demo.run()
        return summarise(demo, settings)


def summarise(demo: Demo, settings: Settings) -> Summary:
    """Add everything up."""
    seen, sent = demo.client.seen, demo.sent
    counts = seen.counts(sent)
    bill = totals_of(settings.teacher.state)
    wanted, deferred = demo.windows()
    return Summary(
        records=counts.records,
        lost=counts.lost,
        duplicated=counts.duplicated,
        uncorrected=counts.uncorrected,
        deferred=counts.deferred,
        deferred_share=counts.share(counts.deferred),
        wanted_share=counts.share(counts.wanted),
        calls=bill.calls,
        tokens_in=bill.tokens_in,
        tokens_out=bill.tokens_out,
        cost_usd=bill.usd,
        llm_every_time_usd=price_of_all(
            bill_usd=bill.usd, calls=bill.calls, records=counts.records
        ),
        stream_f1=stream_quality(sent, seen).headline(demo.script.task)[1],
        drift_at=demo.drift_at,
        drifts_noticed=tuple(demo.watch.drifts),
        window_records=WINDOW,
        wanted_share_by_window=tuple(wanted),
        deferred_share_by_window=tuple(deferred),
        students=tuple(demo.bench.judged),
        seed=demo.scale.seed,
        measure=demo.script.measure,
        seconds=demo.view.elapsed_s,
    )


def _verdict(one: ScoredStudent, measure: Measure) -> str:
    early, late = f"{100 * one.f1_early:.1f}", f"{100 * one.f1_late:.1f}"
    scores = f"{measure.name} {early} before the drift, {late} after it"
    if one.promoted:
        return f"[green]promoted[/] {one.version} ({one.reason}; {one.labels} labels): {scores}"
    return f"[yellow]refused[/] {one.version} ({one.reason}; {one.labels} labels): {scores}"
