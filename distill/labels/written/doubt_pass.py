"""The last pass: the least sure labels are asked about again, and what is said is applied."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field

from distill.labels.written.asking import SideBySide, Writer, answer_or_reason
from distill.labels.written.doubting import LEAST, Candidate, Meant, doubtful
from distill.labels.written.estimates import DOUBTED_SHARE, VERDICTS_A_CALL
from distill.labels.written.rulings import doubted_of, ruled
from distill.labels.written.run_folder import Record, RunFolder
from schemas.files.task import Task
from schemas.types import Fact, SilverLabel
from stream.teacher.writing.verdicts import Verdict, read_verdicts, verdicts_question

NO_ANSWER_LEFT = "no_answer_left"


@dataclass(frozen=True, slots=True)
class Doubting:
    """How much is asked about again: facts doubted `least`, a `share` of the texts' number.

    With the defaults, what two of three kinds of evidence contradict; see `doubting`.
    """

    share: float = DOUBTED_SHARE
    least: float = LEAST


@dataclass(slots=True)
class DoubtPass:
    """Asks for verdicts, and applies them; verdicts that were given before are read."""

    folder: RunFolder
    task: Task
    writer: Writer
    side_by_side: SideBySide
    doubting: Doubting
    progress: Callable[[int, int], None]
    effects: Counter[str] = field(default_factory=Counter)
    """What the verdicts did, counted; `no_verdict` are those that were no use."""

    async def settle(self, labels: Sequence[SilverLabel], meant: Meant) -> list[SilverLabel]:
        """Give the labels as they stand after the verdicts, those without any answer left out."""
        most = round(self.doubting.share * len(labels))
        found = doubtful(labels, meant, self.task, least=self.doubting.least)[:most]
        await self._ask(found)
        return self._applied(labels)

    async def _ask(self, candidates: Sequence[Candidate]) -> None:
        known = {(text, fact) for text, fact, _ in self._answered()}
        new = [one for one in candidates if (one.text, one.fact) not in known]
        parts = [new[at : at + VERDICTS_A_CALL] for at in range(0, len(new), VERDICTS_A_CALL)]
        done = len(candidates) - len(new)

        async def ask(part: Sequence[Candidate]) -> None:
            nonlocal done
            await self._ask_about(part)
            done += len(part)
            self.progress(done, len(candidates))

        await self.side_by_side.do(parts, ask)

    async def _ask_about(self, part: Sequence[Candidate]) -> None:
        asked = [doubted_of(one.text, one.fact) for one in part]
        found, reason = await answer_or_reason(
            self.writer,
            verdicts_question(self.task, asked),
            lambda members: read_verdicts(members, asked, self.task),
        )
        verdicts = found if found is not None else [None] * len(part)
        lines = [
            {
                "text": one.text,
                "fact": list(one.fact),
                "doubt": round(one.doubt, 3),
                "verdict": None if verdict is None else asdict(verdict),
                **({"failed": reason} if reason else {}),
            }
            for one, verdict in zip(part, verdicts, strict=True)
        ]
        self.folder.append("verdicts", *lines)

    def _answered(self) -> list[tuple[str, Fact, Verdict | None]]:
        return [_answer(record) for record in self.folder.records("verdicts")]

    def _applied(self, labels: Sequence[SilverLabel]) -> list[SilverLabel]:
        of_text: dict[str, list[tuple[Fact, Verdict]]] = defaultdict(list)
        for text, fact, verdict in self._answered():
            if verdict is None:
                self.effects["no_verdict"] += 1
            else:
                of_text[text].append((fact, verdict))
        kept = list[SilverLabel]()
        for label in labels:
            after, effects = ruled(label, of_text[label.text], self.task)
            self.effects.update(effects)
            if after is None:
                self.effects[NO_ANSWER_LEFT] += 1
            else:
                kept.append(after)
        return kept


def _answer(record: Record) -> tuple[str, Fact, Verdict | None]:
    start, end, label = record["fact"]
    verdict = record["verdict"]
    return record["text"], (start, end, label), None if verdict is None else Verdict(**verdict)
