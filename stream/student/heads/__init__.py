"""Heads: how the model's logits become taggings, one file for each kind of task."""

from __future__ import annotations

from schemas.files.manifest import Manifest
from stream.student.heads.categories import CategoryHead
from stream.student.heads.entities import EntityHead
from stream.student.heads.head import Head

__all__ = ["Head", "head_of"]


def head_of(manifest: Manifest) -> Head:
    """Choose the head of the manifest's kind."""
    if manifest.choose is not None:
        return CategoryHead(manifest.labels, manifest.choose, manifest.calibration)
    return EntityHead(manifest.labels, manifest.calibration)
