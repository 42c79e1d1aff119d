"""What a training is to learn, one file for each kind of task."""

from __future__ import annotations

from distill.training.objectives.categories import CategoryObjective
from distill.training.objectives.entities import EntityObjective
from distill.training.objectives.objective import Objective
from schemas.files.task import Task

__all__ = ["Objective", "objective_of"]


def objective_of(task: Task) -> Objective:
    """Choose the objective of the task's kind."""
    if task.choose is not None:
        return CategoryObjective(task.label_names, task.choose)
    return EntityObjective(task.label_names)
