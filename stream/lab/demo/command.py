"""The command `silverstream demo`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeAlias

import typer
from rich.console import Console

from schemas.files.kind import Kind
from stream.cli.json_output import JsonOption, check_writable, is_printed, write_json
from stream.lab.demo.picture import write_picture
from stream.lab.demo.scripts import Script, script_of
from stream.lab.demo.setup import Scale
from stream.lab.demo.show import play_demo
from stream.lab.demo.summary import Summary, show_summary
from stream.lab.demo.view import View
from stream.lab.replay.command import work_folder

Play: TypeAlias = Callable[[Script, Scale, Path, View], Summary]


def demo_command(*, play: Play = play_demo) -> Callable[..., None]:
    """Make the command that `play` carries out."""

    def demo(
        kind: Annotated[Kind, typer.Option(help="What the task asks for.")] = "entities",
        json_file: JsonOption = None,
        picture: Annotated[
            Path | None, typer.Option(help="Draw a page and the summary into this file, as SVG.")
        ] = None,
        seed: Annotated[int, typer.Option(help="Of the feed, routing and training.")] = 0,
        work: Annotated[
            Path | None, typer.Option(help="Keep settings, logs and students in this new folder.")
        ] = None,
    ) -> None:
        """Watch the whole loop on this machine: a stream, a student that learns, a drift."""
        check_writable(json_file)
        check_writable(picture)
        # JSON on standard output stands alone there.
        console, scale = Console(stderr=is_printed(json_file)), Scale(seed=seed)
        with work_folder(work) as folder, View(console, budget_s=scale.budget_s) as view:
            summary = play(script_of(kind), scale, folder, view)
        show_summary(console, summary)
        write_json(summary.as_dict(), json_file)
        if picture:
            write_picture(picture, view.kept or view.page(), summary)

    return demo


demo = demo_command()
