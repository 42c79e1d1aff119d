"""The first pass: attributes, and names of each label, from the teacher."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from distill.labels.written.asking import SideBySide, Writer, answer_or_reason
from distill.labels.written.drawing import Plan
from distill.labels.written.estimates import ATTRIBUTE_VALUES, NAMES_A_CALL, names_wanted
from distill.labels.written.run_folder import Record, RunFolder
from schemas.errors import InvalidAnswerError
from schemas.files.task import LabelSpec, Task
from stream.teacher.writing.planning import (
    Attributes,
    attributes_question,
    names_question,
    read_attributes,
    read_names,
)

_TRIES = 3
_KNOWN_SHOWN = 60
"""So many of the names that there are are shown, so that others are given."""


@dataclass(slots=True)
class PlanPass:
    """Makes a run's plan, or reads what of it was answered before.

    What failed in an earlier process is asked again: what it came of may be mended.
    """

    folder: RunFolder
    task: Task
    writer: Writer
    side_by_side: SideBySide

    async def make(self, n: int) -> Plan:
        """Plan for `n` texts.

        Raises `InvalidAnswerError` where the teacher plans nothing, `BudgetExhaustedError` where
        there is no money for it, and `TeacherUnavailableError`.
        """
        attributes = await self._attributes()
        names = {label.name: self._own_names(label) for label in self.task.labels}

        async def ask(label: LabelSpec) -> None:
            await self._fill(label, names[label.name], wanted=names_wanted(self.task, n))

        await self.side_by_side.do(self.task.labels, ask)
        return Plan(attributes, {label: tuple(found) for label, found in names.items()})

    async def _attributes(self) -> Attributes:
        for record in self._answered(question="attributes"):
            return read_attributes(record["answer"])
        question = attributes_question(self.task, count=ATTRIBUTE_VALUES)
        for _ in range(_TRIES):
            found, reason = await answer_or_reason(self.writer, question, read_attributes)
            told = {"failed": reason} if found is None else {"answer": asdict(found)}
            self._note({"question": "attributes", **told})
            if found is not None:
                return found
        raise InvalidAnswerError(f"the teacher planned no texts in {_TRIES} answers")

    async def _fill(self, label: LabelSpec, names: dict[str, None], *, wanted: int) -> None:
        """Add names to those that there are, until there are enough or nothing new comes."""
        answered = self._answered(question="names", label=label.name)
        turn = 0
        while len(names) < wanted:
            before = len(names)
            earlier = answered[turn]["names"] if turn < len(answered) else None
            found = await self._turn(label, list(names), turn) if earlier is None else earlier
            names.update(dict.fromkeys(found))
            turn += 1
            if len(names) == before and turn >= _TRIES:
                return

    async def _turn(self, label: LabelSpec, known: list[str], turn: int) -> list[str]:
        key = {"question": "names", "label": label.name, "turn": turn}
        question = names_question(
            self.task,
            label,
            count=NAMES_A_CALL,
            rare=turn % 2 == 1,
            known=known[-_KNOWN_SHOWN:],
        )
        names, reason = await answer_or_reason(self.writer, question, read_names)
        found = list(names or ())
        self._note(key | ({"failed": reason} if reason else {"names": found}))
        return found

    def _own_names(self, label: LabelSpec) -> dict[str, None]:
        """Begin with the task file's: a category's examples are whole texts, and no situations."""
        return dict.fromkeys(label.examples if self.task.kind == "entities" else ())

    def _answered(self, **key: str) -> list[Record]:
        records = [one for one in self.folder.records("plan") if "failed" not in one]
        return [one for one in records if key.items() <= one.items()]

    def _note(self, record: Record) -> None:
        self.folder.append("plan", record)
