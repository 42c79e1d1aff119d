"""The HTML report: one file that needs nothing beside it."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from stream.lab.replay.plots import share_figure, stream_figure, student_figure
from stream.lab.replay.result import ReplayResult

REPORT_NAME = "report.html"


def write_report(folder: Path, result: ReplayResult) -> Path:
    """Write `report.html` into the folder, which is made if need be, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / REPORT_NAME
    path.write_text(render_report(result), encoding="utf-8")
    return path


def render_report(result: ReplayResult) -> str:
    """Render the page. Every value is escaped; the figures are inlined SVG of ours."""
    environment = Environment(
        loader=PackageLoader("stream.lab.replay", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    figures = {
        "Students": student_figure(result),
        "Stream": stream_figure(result),
        "Deferral": share_figure(result),
    }
    # Made by matplotlib from numbers and words of ours, so it is safe as it is.
    safe = {title: Markup(svg) for title, svg in figures.items()}  # noqa: S704  see above
    return environment.get_template("report.html.j2").render(result=result, figures=safe)
