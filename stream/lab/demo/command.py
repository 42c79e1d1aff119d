"""The command `silverstream demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from stream.lab.demo.setup import Scale
from stream.lab.demo.show import play_demo
from stream.lab.demo.summary import show_summary
from stream.lab.demo.view import View
from stream.lab.replay.command import work_folder
from stream.lab.replay.result import check_writable, write_json


def demo(
    json: Annotated[Path | None, typer.Option(help="Write the summary here.")] = None,
    seed: Annotated[int, typer.Option(help="Of the feed, routing and training.")] = 0,
    work: Annotated[
        Path | None, typer.Option(help="Keep settings, logs and students in this new folder.")
    ] = None,
) -> None:
    """Watch the whole loop on this machine: a stream, a student that learns, a drift."""
    if json:
        check_writable(json)
    console, scale = Console(), Scale(seed=seed)
    with work_folder(work) as folder, View(console, budget_s=scale.budget_s) as view:
        summary = play_demo(scale, folder, view)
    show_summary(console, summary)
    if json:
        write_json(json, summary.as_dict())
