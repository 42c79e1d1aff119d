"""Every recorded answer, served by `teacher-sim` through the whole teach path: what becomes of it.

    python -m tests.benchmarks.recorded DATA [--files GLOB] [--most N] [--json FILE] [--raw]

For each file of `DATA/llm_*` that holds `llm_entities` or `llm_categories`: its labels make the
task, each record is a teacher request on the embedded broker, `silverstream teacher-sim` answers
over HTTP, and `silverstream run teach` asks it: prompt, client, cache, reading, grounding, label
and correction are the program's own. What the topics then hold is counted against the file itself.

A text that a file repeats has one answer at the simulator, the first; a record whose own differs
is a contradiction. A refusal counts under the words that the worker logs for it. A recorded
mention that is in no label must lie in a longer one, which grounding keeps in its place; any other
difference breaks the promise, and so does a request without exactly one end. The exit status is
then 1.

What the files hold was grounded when they were made, so grounding has little left to refuse. With
`--raw` the answers that were asked for in a prompt of ours (`llm_uner_ewt_qwen`) are read by
`parse_answer` as they once came, and counted against what was then made of them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from schemas.errors import AnswerError
from schemas.files.corpus import Example, read_corpus
from schemas.files.infer import task_of
from schemas.files.task import Task
from schemas.files.task_file import load_task
from schemas.settings import Settings
from schemas.types import EntityEvent, Fact, SilverLabel, facts
from schemas.wire.codec import Codec
from schemas.wire.topics import TopicNames
from stream.kafka import clients
from stream.kafka.topic_logs import end_offsets, read_to_end
from stream.lab.children import Children
from stream.lab.system import System, broker, prepared_topics, start_teacher
from stream.lab.workspace import Workspace, derived
from stream.teacher.answers import parse_answer
from stream.teacher.kinds.kind import kind_of
from stream.testing.messages import a_request

_POLL_S: Final = 0.5
_LONGEST_S: Final = 1800.0

Facts = frozenset[Fact]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A record: its text, and what the LLM said of it; None for a refusal."""

    text: str
    said: Facts | None


@dataclass(frozen=True, slots=True)
class Ended:
    """What a request ended in: facts of its label and of its correction, or why there are none."""

    label: Facts | None
    event: Facts | None
    reason: str = ""


@dataclass(slots=True)
class Counts:
    """What became of a file's records."""

    records: int = 0
    labels: int = 0
    as_recorded: int = 0
    """Labels that say what the record itself says."""
    repeated: int = 0
    contradictions: int = 0
    """Records of repeated texts whose answer is not the first one's, which the label says."""
    refused: dict[str, int] = field(default_factory=dict)
    nested: int = 0
    """Recorded mentions within longer ones that stand in the label."""
    differing: int = 0
    """Labels that say anything else, or not what their correction says."""
    endless: int = 0
    """Requests without an end."""

    @property
    def broken(self) -> int:
        """Records that the promise does not hold for."""
        return self.differing + self.endless


def recorded_in(path: Path) -> list[Recorded]:
    """Read a file as it is, without the program's reader; empty where it holds no answers."""
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    if not any({"llm_entities", "llm_categories"} & line.keys() for line in lines):
        return []
    return [Recorded(line["text"], _said(line)) for line in lines]


def _said(line: Mapping[str, Any]) -> Facts | None:
    if (categories := line.get("llm_categories")) is not None:
        return frozenset((0, 0, label) for label in categories)
    if (entities := line.get("llm_entities")) is None:
        return None
    return frozenset((one["start"], one["end"], one["label"]) for one in entities)


def counted(records: Sequence[Recorded], ends: Sequence[Ended | None]) -> Counts:
    """Hold the ends of the requests, in the order of the records, against what is recorded."""
    found, first = Counts(len(records)), _first_answers(records)
    seen: set[str] = set()
    for record, end in zip(records, ends, strict=True):
        expected = first.get(record.text)
        found.repeated += record.text in seen
        found.contradictions += None not in (record.said, expected) and record.said != expected
        seen.add(record.text)
        _count_end(found, record, expected, end)
    return found


def _first_answers(records: Iterable[Recorded]) -> dict[str, Facts]:
    first: dict[str, Facts] = {}
    for record in records:
        if record.said is not None:
            first.setdefault(record.text, record.said)
    return first


def _count_end(found: Counts, record: Recorded, expected: Facts | None, end: Ended | None) -> None:
    if end is None:
        found.endless += 1
    elif end.label is None:
        reason = end.reason or "without a reason"
        found.refused[reason] = found.refused.get(reason, 0) + 1
        found.differing += not end.reason
    else:
        found.labels += 1
        found.as_recorded += end.label == record.said
        missing = (expected or frozenset()) - end.label
        nested = {one for one in missing if _lies_in(one, end.label)}
        found.nested += len(nested)
        says_more = expected is None or end.label - expected
        found.differing += bool(says_more or missing - nested or end.event != end.label)


def _lies_in(one: Fact, others: Iterable[Fact]) -> bool:
    return any(a <= one[0] and one[1] <= b and (a, b) != one[:2] for a, b, _ in others)


def task_in(path: Path, name: str) -> Task:
    """Make the task: the labels that the answers name, as far as a task may have them.

    An answer with another one, such as words in the place of a label, is refused.
    """
    told = [
        replace(one, entities=one.llm_entities or (), categories=one.llm_categories or ())
        for one in read_corpus(path)
    ]
    return task_of([one for one in told if facts(one) and _may_be_asked_for(one)], name=name)


def _may_be_asked_for(one: Example) -> bool:
    return not any(" " in entity.label for entity in one.entities)


async def played(path: Path, records: Sequence[Recorded], folder: Path, servers: str) -> Counts:
    """Send the records of a file through a teach worker of its own, and count."""
    space, task = Workspace(folder), task_in(path, "recorded")
    async with Children(space.logs) as children:
        space.root.mkdir(parents=True, exist_ok=True)
        space.write(Settings(), task)
        answers = [str(path), "--answers", "llm", "--task", str(space.task)]
        url = await start_teacher(children, answers)
        settings = derived(
            Settings(),
            space,
            bootstrap_servers=servers,
            delivery="at_least_once",
            teacher_url=url,
            changes={},
        )
        space.write(settings, task)
        async with prepared_topics(settings):
            await request_all(settings, task, [one.text for one in records])
            system = System(space, settings, children)
            worker = system.start_worker("teach")
            await _until_ended(settings, children, len(records))
            await children.stop(worker.child)
            return counted(records, await _ends(settings, worker.child.log, len(records)))


async def request_all(settings: Settings, task: Task, texts: Sequence[str]) -> None:
    """Write the requests, as a tag role without a student would."""
    names, codec, n = TopicNames.of(settings.kafka), Codec(), settings.topics.partitions
    async with clients.started(
        lambda: clients.producer(settings.kafka), settings=settings.kafka
    ) as producer:
        sent = []
        for i, text in enumerate(texts):
            request = a_request(
                task=task.name,
                task_digest=task.digest,
                record_id=_record_id(settings, i),
                source_topic=names.text,
                source_partition=i % n,
                text=text,
                student_version="",
                reason="no_student",
            )
            value = codec.encode(request, names.teacher_requests)
            sent.append(await producer.send(names.teacher_requests, value, partition=i % n))
        await asyncio.gather(*sent)


def _record_id(settings: Settings, i: int) -> str:
    n = settings.topics.partitions
    return f"{TopicNames.of(settings.kafka).text}-{i % n}-{i // n}"


async def _until_ended(settings: Settings, children: Children, n: int) -> None:
    topic, until = TopicNames.of(settings.kafka).entities, time.monotonic() + _LONGEST_S
    while sum((await end_offsets(settings.kafka, topic)).values()) < n:
        children.check()
        if time.monotonic() > until:
            return  # what did not end is counted
        await asyncio.sleep(_POLL_S)


async def _ends(settings: Settings, log: Path, n: int) -> list[Ended | None]:
    names, codec = TopicNames.of(settings.kafka), Codec()
    labels = {
        label.record_id: facts(label)
        async for record in read_to_end(settings.kafka, names.silver_labels)
        for label in [codec.decode(SilverLabel, record.value or b"")]
    }
    events = {
        event.record_id: event
        async for record in read_to_end(settings.kafka, names.entities)
        for event in [codec.decode(EntityEvent, record.value or b"")]
    }
    reasons = refusals(log)
    return [
        _end(events.get(one), labels.get(one), reasons.get(one, ""))
        for one in (_record_id(settings, i) for i in range(n))
    ]


def _end(event: EntityEvent | None, label: Facts | None, words: str) -> Ended | None:
    if event is None or (event.revision, event.status) != (2, "final"):
        return None
    if label is None:
        return Ended(None, None, words and f"{event.reason}: {words}")
    return Ended(label, facts(event))


def refusals(log: Path) -> dict[str, str]:
    """Read from a worker's log why it took which record's answer for none."""
    lines = log.read_text("utf-8", errors="replace").splitlines()
    told = [json.loads(line) for line in lines if line.startswith("{")]
    return {x["record_id"]: x["reason"] for x in told if x.get("event") == "answer_refused"}


def raw_read(path: Path, task: Task) -> dict[str, int]:
    """Read the answers as they came; count what is made of them by what was."""
    found: dict[str, int] = {}
    kind = kind_of(task.kind, task.choose)
    for line in map(json.loads, path.read_text("utf-8").splitlines()):
        was, error = _said(line), line["meta"]["error"]
        stopped = "length" if error and "token limit" in error else "stop"
        if not line["meta"]["raw"]:
            words = "not kept: its text was asked about before"
            found[words] = found.get(words, 0) + 1
            continue
        try:
            said = parse_answer(
                line["meta"]["raw"],
                finish_reason=stopped,
                text=line["text"],
                labels=task.label_names,
                kind=kind,
            )
        except AnswerError as refusal:
            words = f"refused, {'as then' if was is None else 'read then'}: {refusal}"
        else:
            words = "read, refused then" if was is None else "read, otherwise than then"
            words = "read, as then" if facts(said) == was else words
        found[words] = found.get(words, 0) + 1
    return dict(sorted(found.items()))


async def measured(files: Sequence[Path], *, most: int | None) -> dict[str, Counts]:
    """Play file after file on one broker."""
    found: dict[str, Counts] = {}
    with tempfile.TemporaryDirectory() as folder:
        async with broker(None) as (servers, _):
            for i, path in enumerate(files):
                records = recorded_in(path)[:most]
                if records:
                    name = f"{path.parent.name}/{path.name}"
                    found[name] = await played(path, records, Path(folder) / str(i), servers)
                    sys.stderr.write(f"{name}: {asdict(found[name])}\n")
    return found


def shown(found: Mapping[str, Counts]) -> Table:
    """Make a table, a line for each file."""
    columns = ("records", "labels", "as_recorded", "repeated", "contradictions", "nested")
    table = Table("file", *columns, "differing", "endless", "refused")
    for name, one in found.items():
        told = "; ".join(f"{n} {reason}" for reason, n in sorted(one.refused.items()))
        numbers = [str(getattr(one, column)) for column in (*columns, "differing", "endless")]
        table.add_row(name, *numbers, told)
    return table


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--files", default="llm_*/*.jsonl", help="which of DATA's")
    parser.add_argument("--most", type=int, help="records of each file")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--raw", action="store_true")
    given = parser.parse_args()
    if given.raw:
        folder = given.data / "llm_uner_ewt_qwen"
        counts = raw_read(folder / "answers.jsonl", load_task(folder / "task.yaml"))
        sys.stdout.write(json.dumps(counts, indent=1) + "\n")
        return
    found = asyncio.run(measured(sorted(given.data.glob(given.files)), most=given.most))
    Console(width=200).print(shown(found))
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        told = {name: asdict(one) for name, one in found.items()}
        given.json.write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    if any(one.broken for one in found.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
