"""What an evaluation is called, one file for each kind of task: figures for people and machines."""

from __future__ import annotations

from distill.judging.figures.categories import CategoryFigures
from distill.judging.figures.entities import EntityFigures
from distill.judging.figures.figures import Figures, Judged
from schemas.files.manifest import Manifest

__all__ = ["Figures", "Judged", "figures_of"]


def figures_of(manifest: Manifest) -> Figures:
    """Choose the figures of the manifest's kind."""
    return EntityFigures() if manifest.choose is None else CategoryFigures(manifest.choose)
