"""The command `silverstream replay`."""

from __future__ import annotations

import importlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias, cast

import typer
from rich.console import Console

from schemas.errors import ChildDiedError, ConfigError, HaltError
from schemas.files.corpus import reading
from stream.cli.json_output import JsonOption, check_folder, check_writable, is_printed, write_json
from stream.cli.options import (
    ColumnsOption,
    ConfigOption,
    FormatOption,
    LabelColumnOption,
    LabelNamesOption,
    TextColumnOption,
    finite,
)
from stream.lab.replay.options import GOLD, Order, ReplayOptions, Routing
from stream.lab.replay.play import replay_once
from stream.lab.replay.progress import LiveProgress
from stream.lab.replay.result import ReplayResult, StreamResult, TeacherResult, headline
from stream.lab.replay.rounds import Spectator

_MOST_TEACHERS = 2

Play: TypeAlias = Callable[[ReplayOptions, Path, Spectator], ReplayResult]


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where a replay's result goes."""

    json_file: Path | None
    report: Path | None
    work: Path | None

    def check(self) -> None:
        """Refuse now what would otherwise be found wrong after half an hour."""
        check_writable(self.json_file)
        if self.report:
            check_folder(self.report)
            importlib.import_module("stream.lab.replay.report")  # its packages are an extra

    def write(self, result: ReplayResult, console: Console) -> None:
        """Show the result, and write what was asked for."""
        _show(console, result)
        write_json(result.as_dict(), self.json_file)
        if self.report:
            from stream.lab.replay.report import write_report

            console.print(f"report: {write_report(self.report, result)}")


def carry_out(options: ReplayOptions, output: Output, *, play: Play) -> None:
    """Play, and write what came of it; `HaltError` for a replay that is not whole."""
    # JSON on standard output stands alone there.
    console = Console(stderr=is_printed(output.json_file))
    with work_folder(output.work) as folder, LiveProgress(console) as progress:
        result = play(options, folder, progress)
        output.write(result, console)
        if result.failure:
            raise HaltError(result.failure)  # in here, so that the logs stay


def replay_command(*, play: Play = replay_once) -> Callable[..., None]:
    """Make the command that `play` carries out."""

    def replay(
        stream: Annotated[
            list[Path], typer.Option(help="Labelled files, one or several; see --format.")
        ],
        more: Annotated[
            list[Path] | None,
            # So that a shell's `--stream part-*.jsonl` means what it says.
            typer.Argument(metavar="[FILE]...", help="More files of the stream."),
        ] = None,
        *,
        held_out: Annotated[Path, typer.Option(help="Measures every student; never trained on.")],
        gold: Annotated[
            Path | None,
            typer.Option(
                help="The gate's set; without it the teacher is asked where two students differ. "
                "Gold texts with a recorded answer are asked about at the cold start."
            ),
        ] = None,
        cold_start: Annotated[
            int, typer.Option(help="Texts that the teacher labels before the stream begins.")
        ] = 500,
        teacher: Annotated[
            list[str] | None,
            typer.Option(
                help="`gold`, or a file whose `llm_entities` or `llm_categories` are the answers. "
                "A second file is a second opinion on labels that are doubted."
            ),
        ] = None,
        budget: Annotated[
            float,
            typer.Option(callback=finite, help="Share of the records that may go to the teacher."),
        ] = 0.10,
        rounds: Annotated[
            int, typer.Option(help="Shares of the stream; distill runs after each.")
        ] = 5,
        routing: Annotated[str, typer.Option(help="`uncertainty`, or `random` to compare.")] = (
            "uncertainty"
        ),
        order: Annotated[str, typer.Option(help="`file`, `shuffled` or `date`.")] = "file",
        seed: Annotated[int, typer.Option(help="Of shuffling, routing and training.")] = 0,
        broker: Annotated[
            str, typer.Option(help="`embedded`, or HOST:PORT of an Apache Kafka (exactly-once).")
        ] = "embedded",
        ceiling: Annotated[
            bool, typer.Option("--ceiling", help="Also train on all of the stream's gold.")
        ] = False,
        plain: Annotated[
            bool, typer.Option("--plain", help="And plain MiniLM-L6, to compare the ceiling with.")
        ] = False,
        recorded_ceiling: Annotated[
            bool,
            typer.Option("--recorded-ceiling", help="And on all recorded answers of --teacher."),
        ] = False,
        revise: Annotated[
            bool,
            typer.Option(
                "--revise",
                help="End with `silverstream revise --answers` of the whole stream, and say what "
                "stands then.",
            ),
        ] = False,
        task: Annotated[
            Path | None, typer.Option(help="The task file; without it the gold's labels make one.")
        ] = None,
        work: Annotated[
            Path | None, typer.Option(help="Keep settings, logs and students in this new folder.")
        ] = None,
        form: FormatOption = None,
        columns: ColumnsOption = None,
        label_names: LabelNamesOption = None,
        text_column: TextColumnOption = None,
        label_column: LabelColumnOption = None,
        json_file: JsonOption = None,
        report: Annotated[
            Path | None, typer.Option(help="Write report.html into this folder.")
        ] = None,
        config: ConfigOption = None,
    ) -> None:
        """Play a labelled corpus through the whole system, faster than life, and measure it."""
        teachers = teacher or [GOLD]
        if len(teachers) > _MOST_TEACHERS:
            raise ConfigError(f"--teacher: {_MOST_TEACHERS} at most, not {len(teachers)}")
        options = ReplayOptions(
            stream=(*stream, *(more or ())),
            held_out=held_out,
            gold=gold,
            cold_start=cold_start,
            teacher=teachers[0],
            second_opinion=Path(teachers[1]) if len(teachers) > 1 else None,
            budget=budget,
            rounds=rounds,
            routing=cast("Routing", routing),
            order=cast("Order", order),
            seed=seed,
            broker=broker,
            ceiling=ceiling,
            plain=plain,
            recorded_ceiling=recorded_ceiling,
            revise=revise,
            task=task,
            config=config,
            how=reading(
                form, columns, label_names, text_column=text_column, label_column=label_column
            ),
        )
        output = Output(json_file=json_file, report=report, work=work)
        output.check()
        carry_out(options, output, play=play)

    return replay


replay = replay_command()


@contextmanager
def work_folder(wanted: Path | None) -> Iterator[Path]:
    """Give the folder asked for, or a temporary one; a run that fails leaves it for its logs.

    Of a child that died the last lines are shown on stderr.
    """
    if wanted is not None:
        wanted.mkdir(parents=True, exist_ok=True)
        if any(wanted.iterdir()):
            # Yesterday's answers in the teacher's cache would be free today.
            raise ConfigError(f"--work: {wanted} is not empty")
    folder = wanted.resolve() if wanted else Path(tempfile.mkdtemp(prefix="silverstream-"))
    try:
        yield folder
    except HaltError as error:
        if isinstance(error, ChildDiedError):
            print(error.last_words, file=sys.stderr)
        if not any(folder.iterdir()):
            _remove(folder, unless=wanted)
        raise
    except BaseException:
        _remove(folder, unless=wanted)
        raise
    _remove(folder, unless=wanted)


def _remove(folder: Path, *, unless: Path | None) -> None:
    if unless is None:
        shutil.rmtree(folder, ignore_errors=True)


def _show(console: Console, result: ReplayResult) -> None:
    stream, teacher = result.stream, result.teacher
    console.print(
        f"[bold]{result.records}[/] records, {result.lost} lost, {result.duplicated} duplicated, "
        f"{result.uncorrected} uncorrected; stream {_measured(stream)}; "
        f"wanted {stream.wanted_share:.1%}, deferred {stream.deferred_share:.1%}; "
        f"{stream.records_per_s:.0f} records/s, {stream.cpu_s_per_1000:.2f} CPU s per 1,000"
    )
    console.print(
        f"teacher: {teacher.calls} calls, {teacher.labels} labels, {teacher.refused} refused, "
        f"${teacher.bill_usd:.4f}, {_measured(teacher)}"
    )
    for name, student in result.students.items():
        measure, value = headline(student)
        console.print(f"student {name:8} {measure} [bold]{value:.3f}[/]")


def _measured(part: StreamResult | TeacherResult) -> str:
    measure, value = headline({"f1": part.f1, **part.of_categories})
    return f"{measure} [bold]{value:.3f}[/]"
