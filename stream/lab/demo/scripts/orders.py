"""Entities: the order desk of an imagined wholesaler."""

from __future__ import annotations

from schemas.files.task import LabelSpec, Task
from stream.lab.demo.feed import early_style, late_style
from stream.lab.demo.measure import F1
from stream.lab.demo.scripts.script import Script

_TASK = Task(
    name="orders",
    language="en",
    labels=(
        LabelSpec(
            "PERSON",
            "The full name of a person, without title; surname first is a name too.",
            ("Mary Reynolds", "Yaman, Rossana"),
        ),
        LabelSpec(
            "COMPANY",
            "The name of a firm, its legal form included.",
            ("Russell Ltd", "Tormo & Asociados S.A."),
        ),
        LabelSpec("CITY", "The name of a town.", ("East Michelle", "Nowa Ruda")),
        LabelSpec(
            "PRODUCT",
            "The name or the code of a thing that is sold.",
            ("Lumsol pump", "EL-2033/C2"),
        ),
    ),
    guidelines="Leave out order numbers, times, days and job titles.",
)

ORDERS = Script(
    task=_TASK,
    early=early_style,
    late=late_style,
    drift="new formats, names of other countries",
    measure=F1,
)
