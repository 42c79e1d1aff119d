"""What is played: one script for each kind of task.

| file | its one idea |
|---|---|
| `script` | what a script says |
| `orders` | entities: the order desk |
| `messages` | categories: what customers write |
| `message_templates` | their sentences, disjoint between feed, gold and held-out texts |
| `message_templates_late` | those after the drift |
"""

from __future__ import annotations

from schemas.files.kind import Kind
from stream.lab.demo.scripts.messages import MESSAGES
from stream.lab.demo.scripts.orders import ORDERS
from stream.lab.demo.scripts.script import Script

__all__ = ["MESSAGES", "ORDERS", "Script", "script_of"]


def script_of(kind: Kind) -> Script:
    """Choose what is played for tasks of this kind."""
    return ORDERS if kind == "entities" else MESSAGES
