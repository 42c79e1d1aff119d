"""The second pass: texts, several a call; each round is drawn by what those before brought."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field

from distill.labels.written.asking import SideBySide, Writer, answer_or_reason
from distill.labels.written.collection import Collection
from distill.labels.written.drawing import Plan, draw
from distill.labels.written.estimates import TEXTS_A_CALL
from distill.labels.written.run_folder import Record, RunFolder, grouped
from schemas.files.task import Task
from schemas.types import Fact
from stream.teacher.writing.texts import Draft, Seed, Written, read_texts, texts_question

_CALLS_A_ROUND = 8
_DRY_ROUNDS = 3
_DRY_SHARE = 0.1
"""A round of whose texts fewer are new is dry; after three in a row the writer has no more."""


@dataclass(slots=True)
class WritePass:
    """Fills a collection; what was answered before is read, and asked for no more.

    A round is on disk before it is asked, so a run that is killed goes on with the same questions.
    `affordable` says whether so many more texts can be paid for, their labels included.
    """

    folder: RunFolder
    task: Task
    writer: Writer
    side_by_side: SideBySide
    seed: int
    affordable: Callable[[int, int], bool]
    """Given (texts taken, texts asked for next)."""
    progress: Callable[[int], None]
    """Told how many texts were taken."""
    remarks: list[str] = field(default_factory=list)

    async def fill(self, collection: Collection, plan: Plan) -> None:
        """Write until the collection is full, the money ends, or nothing new comes."""
        calls = _Calls.of(self.folder)
        dry = 0
        while collection.missing > 0 and dry < _DRY_ROUNDS and not self.side_by_side.out_of_money:
            round_ = calls.next_round() or self._drawn(collection, plan, calls)
            if not round_:
                self.remarks.append("it stopped writing where --max-usd would have been passed")
                return
            unanswered = [number for number in round_ if number not in calls.answers]
            await self.side_by_side.do(unanswered, calls.asks(self))
            taken = calls.collect(round_, collection)
            self.progress(len(collection.taken))
            if not unanswered and calls.failed(round_):
                continue  # in an earlier process: what that came of may be mended
            dry = dry + 1 if taken < _DRY_SHARE * len(round_) * TEXTS_A_CALL else 0
        if dry == _DRY_ROUNDS:
            self.remarks.append("the teacher wrote nothing new any more")

    def _drawn(self, collection: Collection, plan: Plan, calls: _Calls) -> list[int]:
        """Draw the next round and keep it; nothing where it cannot be paid for."""
        n = min(collection.missing, _CALLS_A_ROUND * TEXTS_A_CALL)
        while n and not self.affordable(len(collection.taken), n):
            n //= 2
        if not n:
            return []
        first = len(calls.drawn)
        lot = random.Random(f"{self.seed}:{first}")  # noqa: S311 - a draw, no secret
        drafts = draw(n, plan, collection.outcomes, self.task, lot=lot)
        parts = [drafts[at : at + TEXTS_A_CALL] for at in range(0, n, TEXTS_A_CALL)]
        numbers = list(range(first, first + len(parts)))
        record = {"round": numbers, "drafts": [[asdict(one) for one in part] for part in parts]}
        self.folder.append("texts", record)
        calls.add_round(record)
        return numbers

    async def ask(self, number: int, drafts: Sequence[Draft]) -> Record:
        """Ask for the texts of one call; give its record, which is kept."""
        found, reason = await answer_or_reason(
            self.writer,
            texts_question(self.task, drafts, turn=number),
            lambda members: read_texts(members, self.task, most=len(drafts)),
        )
        record: Record = {"call": number}
        record |= {"failed": reason} if found is None else {"texts": list(map(_as_record, found))}
        self.folder.append("texts", record)
        return record


@dataclass(slots=True)
class _Calls:
    """The calls of a run: as drawn, in rounds, and as answered."""

    drawn: list[list[Draft]] = field(default_factory=list)
    rounds: list[list[int]] = field(default_factory=list)
    answers: dict[int, Record] = field(default_factory=dict)
    collected: int = 0
    """How many rounds are in the collection."""

    @classmethod
    def of(cls, folder: RunFolder) -> _Calls:
        records = folder.records("texts")
        calls = cls(answers=grouped(records, "call"))
        for record in records:
            if "round" in record:
                calls.add_round(record)
        return calls

    def add_round(self, record: Record) -> None:
        self.rounds.append(record["round"])
        self.drawn += [[_draft(one) for one in part] for part in record["drafts"]]

    def next_round(self) -> list[int]:
        """Give a round that was drawn before and is not in the collection; nothing without one."""
        return self.rounds[self.collected] if self.collected < len(self.rounds) else []

    def failed(self, numbers: Sequence[int]) -> bool:
        """Whether none of these calls has a usable answer."""
        return all("failed" in self.answers[number] for number in numbers)

    def asks(self, write: WritePass) -> Callable[[int], Awaitable[None]]:
        async def ask(number: int) -> None:
            self.answers[number] = await write.ask(number, self.drawn[number])

        return ask

    def collect(self, numbers: Sequence[int], collection: Collection) -> int:
        """Put a round's answers into the collection, in order; return how many texts were taken."""
        self.collected += 1
        answered = [number for number in numbers if number in self.answers]
        return sum(
            collection.add(self.drawn[number], list(_written(self.answers[number])))
            for number in answered
        )


def _as_record(one: Written) -> Record:
    return {"text": one.text, "meant": None if one.meant is None else sorted(one.meant)}


def _written(answer: Record) -> Iterator[Written]:
    for one in answer.get("texts", ()):
        meant = one["meant"]
        yield Written(one["text"], None if meant is None else frozenset(map(_fact, meant)))


def _fact(values: Sequence[object]) -> Fact:
    start, end, label = values
    return int(str(start)), int(str(end)), str(label)


def _draft(values: Record) -> Draft:
    return Draft(**values | {"use": tuple(Seed(**seed) for seed in values["use"])})
