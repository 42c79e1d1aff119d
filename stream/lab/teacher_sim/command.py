"""`silverstream teacher-sim`: an OpenAI-compatible server that replays labelled answers."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated, Literal, cast

import typer
from aiohttp import web

from schemas.errors import ConfigError
from schemas.files.corpus import read_corpus, reading
from schemas.files.task_file import load_task
from stream.cli.options import (
    ColumnsOption,
    FormatOption,
    LabelColumnOption,
    LabelNamesOption,
    TextColumnOption,
    finite,
)
from stream.lab.teacher_sim.answers import load_answers
from stream.lab.teacher_sim.dialects import DIALECTS
from stream.lab.teacher_sim.faults import (
    BATCH_FAULTS,
    FAULTS,
    BatchFault,
    Fault,
    SimulatorSettings,
)
from stream.lab.teacher_sim.script import Script, load_verdicts
from stream.lab.teacher_sim.simulator import run_simulator, teacher_sim_app
from stream.teacher.rate_limits import Kind


def _tell_dialects(asked: bool) -> None:
    if asked:
        for dialect in DIALECTS.values():
            print(f"{dialect.name}: {dialect.about}")
        raise typer.Exit


def teacher_sim(
    corpus: Annotated[
        list[Path] | None, typer.Argument(help="Labelled files; see --format.")
    ] = None,
    *,
    write: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Write these labelled texts when asked to write some, and know their labels.",
        ),
    ] = None,
    verdicts: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="What was once said of doubted labels: JSON lines, also .gz."
        ),
    ] = None,
    answers: Annotated[
        Literal["gold", "llm"],
        typer.Option(
            help="Answer from the records' own labels, or from `llm_entities` or `llm_categories`."
        ),
    ] = "gold",
    task: Annotated[
        Path | None,
        typer.Option(help="A task file: its kind and choice, not those that the files show."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one.", min=0, max=65535)] = 8089,
    latency: Annotated[
        float, typer.Option(callback=finite, help="Seconds that an answer takes.")
    ] = 0.0,
    jitter: Annotated[
        float, typer.Option(callback=finite, help="Share by which the latency varies.")
    ] = 0.0,
    requests_per_s: Annotated[
        float | None, typer.Option(callback=finite, help="More requests than this get 429.")
    ] = None,
    rpm: Annotated[
        int | None,
        typer.Option(
            min=1, help="Requests a minute: the headers tell what is left, and more get 429."
        ),
    ] = None,
    tpm: Annotated[
        int | None,
        typer.Option(min=1, help="The same for tokens, those an answer may have included."),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=SHARE",
            help=f"A share of requests that fail so; repeatable. Names: {', '.join(FAULTS)}.",
        ),
    ] = None,
    dialect: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Answer in the way of some server or model; repeatable, then drawn by lot.",
        ),
    ] = None,
    _list_dialects: Annotated[
        bool,
        typer.Option(
            "--list-dialects",
            is_eager=True,
            callback=_tell_dialects,
            help="Show the dialects, a line each, and exit.",
        ),
    ] = False,
    retry_after: Annotated[str, typer.Option(help="Header sent with 429; '' sends none.")] = "1",
    batch_latency: Annotated[
        float, typer.Option(callback=finite, help="Seconds that a batch takes.")
    ] = 0.0,
    batch_fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=SHARE",
            help=f"A share of lines of batches that end so; repeatable. "
            f"Names: {', '.join(BATCH_FAULTS)}.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Draws faults and latencies.")] = 0,
    form: FormatOption = None,
    columns: ColumnsOption = None,
    label_names: LabelNamesOption = None,
    text_column: TextColumnOption = None,
    label_column: LabelColumnOption = None,
) -> None:
    """Replay labelled answers as an OpenAI-compatible server; print its base URL when ready.

    With --write it also writes the texts of `silverstream bootstrap --write`, and with
    --verdicts it judges their doubted labels.
    """
    if not corpus and not write:
        raise ConfigError("nothing to answer from: name a labelled file, or one to --write")
    settings = SimulatorSettings(
        latency_s=latency,
        jitter=jitter,
        requests_per_s=requests_per_s,
        per_minute=_per_minute(rpm, tpm),
        faults=dict(_fault_share(given) for given in fault or ()),
        dialects=tuple(dialect or ()),
        retry_after=retry_after or None,
        seed=seed,
        batch_s=batch_latency,
        batch_faults=dict(_batch_fault_share(given) for given in batch_fault or ()),
    )
    how = reading(form, columns, label_names, text_column=text_column, label_column=label_column)
    loaded = load_answers(
        [*(corpus or ()), *(write or ())],
        origin=answers,
        how=how,
        task=load_task(task) if task else None,
    )
    written = (one.text for path in write or () for one in read_corpus(path, how=how))
    texts = [text for text in written if text in loaded.answers]
    script = Script(
        loaded.kind, texts, loaded.answers, load_verdicts(verdicts or (), loaded.labels)
    )
    app = teacher_sim_app(loaded.answers, settings, kind=loaded.kind, script=script)
    asyncio.run(_serve(app, host=host, port=port))


def _per_minute(rpm: int | None, tpm: int | None) -> dict[Kind, float]:
    limits: dict[Kind, int | None] = {"requests": rpm, "tokens": tpm}
    return {kind: float(most) for kind, most in limits.items() if most is not None}


def _fault_share(given: str) -> tuple[Fault, float]:
    # SimulatorSettings refuses a name that is no fault.
    return cast("Fault", given.partition("=")[0]), _share("--fault", given)


def _batch_fault_share(given: str) -> tuple[BatchFault, float]:
    return cast("BatchFault", given.partition("=")[0]), _share("--batch-fault", given)


def _share(option: str, given: str) -> float:
    try:
        return float(given.partition("=")[2])
    except ValueError:
        raise ConfigError(f"{option} {given!r} must be NAME=SHARE, such as 429=0.05") from None


async def _serve(app: web.Application, *, host: str, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await run_simulator(app, host=host, port=port, ready=_announce, stop=stop)


def _announce(url: str) -> None:
    # Flushed: a parent process waits for this line.
    print(url, flush=True)
