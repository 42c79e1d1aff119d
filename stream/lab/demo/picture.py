"""The demo as a picture: a page of it and its summary, as a terminal would show them.

The SVG has a size of its own, whatever terminal the demo runs on, and fetches nothing.
"""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console, RenderableType
from rich.terminal_theme import MONOKAI, TerminalTheme

from stream.lab.demo.summary import Summary, show_summary

_COLUMNS = 124
_THEME: TerminalTheme = MONOKAI

_SVG = """\
<svg class="{unique_id}" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<title>silverstream demo</title>
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px;
  line-height: {line_height}px;
  font-variant-east-asian: full-width;
}}
.{unique_id}-title {{ font-family: sans-serif; font-size: 18px; font-weight: bold; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""Rich's own template, without the fonts that it fetches from the web."""


def write_picture(path: Path, page: RenderableType, summary: Summary) -> None:
    """Write the page and the summary as an SVG; the same ones give the same file."""
    console = Console(
        record=True,
        width=_COLUMNS,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        legacy_windows=False,
        no_color=False,
    )
    console.print(page)
    show_summary(console, summary)
    console.save_svg(
        str(path), title="silverstream demo", theme=_THEME, code_format=_SVG, unique_id="demo"
    )
