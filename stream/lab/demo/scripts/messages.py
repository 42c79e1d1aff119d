"""Categories: what customers write to the wholesaler, one category a message."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from schemas.categories import of_labels
from schemas.files.corpus import Example
from schemas.files.task import LabelSpec, Task
from stream.lab.demo.feed import Style
from stream.lab.demo.measure import ACCURACY
from stream.lab.demo.names import Names, Pool, early_names, late_names
from stream.lab.demo.scripts.message_templates import EARLY, EARLY_FRAMES, MESSAGE, ByPool
from stream.lab.demo.scripts.message_templates_late import LATE, LATE_FRAMES
from stream.lab.demo.scripts.script import Script


@dataclass(frozen=True, slots=True)
class MessageStyle:
    """How messages of each category are written."""

    styles: Mapping[str, Style]

    def write(self, record_id: str, rng: random.Random) -> Example:
        """Write one message, with its category."""
        category = rng.choice(sorted(self.styles))
        written = self.styles[category].write(record_id, rng)
        return replace(written, entities=(), categories=of_labels([category]))


def early_messages(pool: Pool, *, seed: int) -> MessageStyle:
    """Make the style before the drift: mails, in whole sentences."""
    return _style(EARLY[pool], EARLY_FRAMES, early_names(pool, seed=seed))


def late_messages(pool: Pool, *, seed: int) -> MessageStyle:
    """Make the style after it: another system's notes, with names of other countries."""
    return _style(LATE[pool], LATE_FRAMES, late_names(pool, seed=seed))


def _style(templates: ByPool, frames: Sequence[str], names: Names) -> MessageStyle:
    return MessageStyle(
        {
            category: Style(
                [frame.replace(MESSAGE, said) for frame, said in product(frames, sentences)], names
            )
            for category, sentences in templates.items()
        }
    )


MESSAGES = Script(
    task=Task(
        name="messages",
        language="en",
        labels=(
            LabelSpec("complaint", "Something went wrong, and the customer says so."),
            LabelSpec("order", "The customer wants to buy something."),
            LabelSpec("question", "The customer wants to know something."),
            LabelSpec("praise", "The customer is content, and says so."),
            LabelSpec("cancellation", "The customer takes back an order or ends a contract."),
        ),
        guidelines="What the customer wants now counts, not what they tell of other matters.",
        kind="categories",
        choose="one",
    ),
    early=early_messages,
    late=late_messages,
    drift="short notes out of another system, names of other countries",
    measure=ACCURACY,
)
