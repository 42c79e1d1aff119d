"""What a task asks of its texts."""

from __future__ import annotations

from typing import Literal

Kind = Literal["entities", "categories"]
"""Spans of a text, or labels of it as a whole."""
