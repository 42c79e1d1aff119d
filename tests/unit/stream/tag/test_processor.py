from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiokafka import ConsumerRecord

from schemas.errors import TaggingError
from schemas.settings import (
    InputSettings,
    KafkaSettings,
    QuotaSettings,
    RoutingSettings,
    TeacherSettings,
)
from schemas.types import EntityEvent, RoutingPolicy, TeacherRequest, text_digest
from schemas.wire.codec import Codec
from schemas.wire.inputs import InputReader
from schemas.wire.producers import ProducerReader
from schemas.wire.topics import TopicNames
from stream.kafka.messages import Failed, Outgoing
from stream.student import Student
from stream.tag.batcher import Serving, Tagged
from stream.tag.processor import TaggingProcessor, Tools
from stream.tag.routing import Router
from stream.testing.bundles import write_bundle, write_category_bundle
from stream.watch.metrics import Metrics

NAMES = TopicNames.of(KafkaSettings(topic_prefix="s."))
POLICY = RoutingPolicy(threshold=0.9, audit_share=0.0, audit_seed=0)


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Student:
    folder = tmp_path_factory.mktemp("bundle") / "v1"
    write_bundle(
        folder,
        labels=["PER", "LOC"],
        words={"ada": "B-PER", "oslo": "B-LOC"},
        certainties={"perhaps": 0.5},
        task_digest="d" * 64,
    )
    return Student.load(folder)


class _Bench:
    """A processor over a real student, run in place; texts named in `broken` fail."""

    def __init__(
        self,
        student: Student,
        *,
        share: float = 0.0,
        policy: RoutingPolicy = POLICY,
        codec: Codec | None = None,
        **reading: Any,
    ) -> None:
        self.codec, self.metrics = codec or Codec(), Metrics()
        self.serving = Serving(student, policy, "policy digest")
        self.broken: set[str] = set()
        self.doubts = False
        self.batches: list[list[str]] = []
        self.tools = Tools(
            task="test",
            names=NAMES,
            reader=InputReader(InputSettings(**reading), self.codec),
            codec=self.codec,
            tag=self._tag,
            metrics=self.metrics,
            request_ttl_ms=500,
            now_ms=lambda: 1000,
            resolve_schemas=codec is not None,
            teacher=TeacherSettings(),
        )
        self.process = TaggingProcessor(
            self.tools, router=Router(RoutingSettings(budget_share=share))
        )

    async def _tag(self, texts: Sequence[str]) -> Tagged:
        self.batches.append(list(texts))
        return Tagged([self._one(text) for text in texts], self.serving)

    def _one(self, text: str) -> Any:
        if text in self.broken:
            return TaggingError("broken")
        return self.serving.student.tag([text], doubts=self.doubts)[0]

    async def __call__(self, *values: bytes | None) -> list[Sequence[Outgoing] | Failed]:
        return list(await self.process([_record(v, offset=i) for i, v in enumerate(values)]))

    def event(self, outgoing: Outgoing) -> EntityEvent:
        assert outgoing.topic == NAMES.entities
        return self.codec.decode(EntityEvent, outgoing.value or b"")

    def count(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"silverstream_{name}", labels)


def _record(
    value: bytes | None, *, offset: int = 0, **changes: Any
) -> ConsumerRecord[bytes, bytes]:
    values: dict[str, Any] = {
        "topic": "text",
        "partition": 3,
        "offset": offset,
        "timestamp": 77,
        "timestamp_type": 0,
        "key": b"key",
        "value": value,
        "checksum": None,
        "serialized_key_size": 3,
        "serialized_value_size": 0,
        "headers": (),
    }
    return ConsumerRecord(**values | changes)


def _sent(result: Sequence[Outgoing] | Failed) -> Sequence[Outgoing]:
    assert not isinstance(result, Failed)
    return result


async def test_a_sure_record_gives_one_final_event_beside_its_source(student: Student) -> None:
    bench = _Bench(student)
    (result,) = await bench(b"Ada in Oslo")
    (outgoing,) = _sent(result)
    assert (outgoing.partition, outgoing.key) == (3, b"key")
    event = bench.event(outgoing)
    assert [(e.surface, e.label) for e in event.entities] == [("Ada", "PER"), ("Oslo", "LOC")]
    assert (event.record_id, event.text_digest) == ("text-3-0", text_digest("Ada in Oslo"))
    assert (event.revision, event.status, event.decided_by) == (1, "final", "student")
    assert event.reason == "confident"
    assert (event.student_version, event.task_digest) == ("v1", "d" * 64)
    assert event.policy_version == "policy digest"
    assert (event.source_timestamp_ms, event.produced_at_ms) == (77, 1000)


async def test_an_unsure_record_that_is_granted_gives_a_provisional_event_and_a_request(
    student: Student,
) -> None:
    bench = _Bench(student, share=1.0)
    (result,) = await bench(b"perhaps Oslo")
    first, second = _sent(result)
    assert bench.event(first).status == "provisional"
    assert bench.event(first).reason == "low_confidence"
    assert (second.topic, second.partition, second.key) == (NAMES.teacher_requests, 3, b"key")
    request = bench.codec.decode(TeacherRequest, second.value or b"")
    assert (request.text, request.record_id, request.audit) == ("perhaps Oslo", "text-3-0", False)
    assert request.entities == bench.event(first).entities
    assert request.confidence == pytest.approx(0.5, abs=1e-3)
    assert (request.requested_at_ms, request.expires_at_ms) == (1000, 1500)
    assert bench.count("granted_records_total") == 1
    assert bench.count("events_total", decided_by="student", reason="low_confidence") == 1


async def test_a_request_says_what_the_student_is_unsure_of_but_not_an_audits(
    student: Student,
) -> None:
    """`perhaps`, which has no label, might have been a PER."""
    for audit_share, found in ((0.0, [(0, 7, ["", "LOC", "PER"])]), (1.0, [])):
        bench = _Bench(student, share=1.0, policy=replace(POLICY, audit_share=audit_share))
        bench.doubts = True
        (result,) = await bench(b"perhaps Oslo")
        request = bench.codec.decode(TeacherRequest, _sent(result)[1].value or b"")
        doubts = [
            (one.start, one.end, sorted(choice.label for choice in one.choices))
            for one in request.doubts
        ]
        assert doubts == found


async def test_an_unsure_record_beyond_the_budget_stays_with_the_student(student: Student) -> None:
    bench = _Bench(student, share=0.0)
    (result,) = await bench(b"perhaps Oslo")
    (outgoing,) = _sent(result)
    assert bench.event(outgoing).status == "final"
    assert bench.event(outgoing).reason in {"over_budget", "not_least_sure"}
    assert bench.count("wanted_records_total") == 1
    assert bench.count("granted_records_total") == 0


async def test_a_record_that_is_unsure_in_trusted_labels_alone_stays_with_the_student(
    student: Student,
) -> None:
    """`perhaps`, which has no label, might have been a PER."""
    trusting = _Bench(student, share=1.0, policy=replace(POLICY, trusted=("PER",)))
    (result,) = await trusting(b"perhaps Oslo")
    (outgoing,) = _sent(result)
    event = trusting.event(outgoing)
    assert (event.status, event.decided_by, event.reason) == ("final", "student", "trusted")
    elsewhere = _Bench(student, share=1.0, policy=replace(POLICY, trusted=("LOC",)))
    (result,) = await elsewhere(b"perhaps Oslo")
    assert elsewhere.event(_sent(result)[0]).reason == "low_confidence"


async def test_so_does_one_that_is_unsure_of_a_trusted_category(tmp_path: Path) -> None:
    write_category_bundle(
        tmp_path, labels=["joy", "fear"], choose="one", words={"dark": "fear"}, certainty=0.7
    )
    chooser = Student.load(tmp_path)
    for trusted, reason in (("fear", "trusted"), ("joy", "low_confidence")):
        bench = _Bench(chooser, share=1.0, policy=replace(POLICY, trusted=(trusted,)))
        (result,) = await bench(b"dark")
        assert bench.event(_sent(result)[0]).reason == reason


async def test_an_audited_record_says_so_in_its_request(student: Student) -> None:
    bench = _Bench(student, share=1.0, policy=RoutingPolicy(0.0, 1.0, 0))
    (result,) = await bench(b"Ada")
    _, second = _sent(result)
    request = bench.codec.decode(TeacherRequest, second.value or b"")
    assert request.audit
    assert request.reason == "audit"


@pytest.mark.parametrize("blank", [b"", b"  ", "\u2003\n".encode()])
async def test_blank_text_gives_a_final_event_and_is_never_asked_about(
    student: Student, blank: bytes
) -> None:
    bench = _Bench(student, share=1.0, policy=RoutingPolicy(1.0, 1.0, 0))
    (result,) = await bench(blank)
    (outgoing,) = _sent(result)
    event = bench.event(outgoing)
    assert (event.entities, event.status, event.reason) == ((), "final", "blank")
    assert event.confidence == 1.0


async def test_bad_records_fail_alone_and_in_their_place(student: Student) -> None:
    bench = _Bench(student, max_text_chars=20)
    bench.broken = {"poison"}
    results = await bench(b"Ada", b"\xff", None, b"x" * 21, b"poison", b"Oslo")
    codes = [r.error.code if isinstance(r, Failed) else "ok" for r in results]
    assert codes == ["ok", "undecodable", "ok", "bad_text", "tagging_failed", "ok"]
    assert bench.event(_sent(results[-1])[0]).record_id == "text-3-5"
    assert bench.batches == [["Ada", "poison", "Oslo"]]


async def test_a_delete_gives_nothing_and_takes_no_other_record_along(student: Student) -> None:
    bench = _Bench(student)
    first, delete, last = await bench(b"Ada", None, b"Oslo")
    assert delete == ()
    assert bench.event(_sent(first)[0]).record_id == "text-3-0"
    assert bench.event(_sent(last)[0]).record_id == "text-3-2"
    assert bench.batches == [["Ada", "Oslo"]]


async def test_a_batch_of_deletes_alone_gives_nothing(student: Student) -> None:
    assert await _Bench(student)(None, None) == [(), ()]


async def test_json_is_read_as_the_settings_say(student: Student) -> None:
    bench = _Bench(student, format="json", text_field="body")
    good, bad = await bench(b'{"body": "Ada"}', b'{"text": "Ada"}')
    assert bench.event(_sent(good)[0]).entities[0].surface == "Ada"
    assert isinstance(bad, Failed)


async def test_the_inputs_headers_are_carried_along(student: Student) -> None:
    bench = _Bench(student)
    record = _record(b"Ada", headers=(("traceparent", b"00-1"), ("a", b"1"), ("a", None)))
    (result,) = await bench.process([record])
    (outgoing,) = _sent(result)
    assert ("ce_traceparent", b"00-1") in outgoing.headers
    assert [value for name, value in outgoing.headers if name == "a"] == [b"1", b""]
    assert dict(outgoing.headers)["ce_id"] == b"test/text-3-0/1"


async def test_the_budget_starts_empty_with_each_processor(student: Student) -> None:
    texts = [b"perhaps %c%c" % (97 + n // 10, 97 + n % 10) for n in range(100)]
    granted = []
    for _ in range(2):
        bench = _Bench(student, share=0.1)
        results = await bench(*texts)
        granted.append(sum(len(_sent(result)) == 2 for result in results))
    assert granted[0] == granted[1]
    assert 7 <= granted[0] <= 10


class _Fetching(Codec):
    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[bytes | None] = []

    async def resolve(self, values: Iterable[bytes | None]) -> None:
        await asyncio.sleep(0)
        self.fetched.extend(values)


async def test_unknown_schemas_are_fetched_before_a_batch_is_read(student: Student) -> None:
    codec = _Fetching()
    await _Bench(student, codec=codec)(b"Ada", None)
    assert codec.fetched == [b"Ada"]


async def test_a_schema_that_a_header_names_is_fetched(student: Student) -> None:
    codec = _Fetching()
    guid = b"\x01" + b"g" * 16
    record = _record(b"Ada", headers=(("__value_schema_id", guid),))
    await _Bench(student, codec=codec).process([record])
    assert codec.fetched == [guid + b"Ada"]


async def test_who_sent_a_record_is_read_from_its_header_and_held_to_its_quota(
    student: Student,
) -> None:
    quotas = QuotaSettings(source_header="tenant", share=0.01)
    routing = RoutingSettings(budget_share=1.0, quotas=quotas)
    bench = _Bench(student, policy=POLICY)
    bench.process = TaggingProcessor(
        replace(bench.tools, producers=ProducerReader(quotas)), router=Router(routing)
    )
    senders = [b"x", b"x", b"y", b"x", b"y"]
    found = await bench.process(
        [
            _record(b"perhaps %c" % (97 + n), offset=n, headers=(("tenant", sender),))
            for n, sender in enumerate(senders)
        ]
    )
    reasons = [bench.event(_sent(one)[0]).reason for one in found]
    heard, cut = "low_confidence", "over_quota"
    assert reasons == [heard, cut, heard, cut, cut]


async def test_a_record_without_consent_takes_no_question_of_the_others_and_is_no_audit(
    student: Student,
) -> None:
    everything = replace(POLICY, audit_share=1.0)
    asked = TeacherSettings(consent_header="consent")
    for policy, granted in ((POLICY, "low_confidence"), (everything, "audit")):
        bench = _Bench(student, policy=policy)
        router = Router(RoutingSettings(budget_share=0.5))
        bench.process = TaggingProcessor(replace(bench.tools, teacher=asked), router=router)
        answers = [b"no"] * 50 + [b"yes", b"yes", b"no"]
        found = await bench.process(
            [
                _record(b"perhaps %d" % n, offset=n, headers=(("consent", answer),))
                for n, answer in enumerate(answers)
            ]
        )
        events = [bench.event(_sent(one)[0]) for one in found]
        reasons = [event.reason for event in events]
        assert reasons[:50] == ["no_consent"] * 50
        # Two records earn one question: neither were there savings of the fifty, nor a debt.
        assert reasons[51:] == [granted, "no_consent"]
        assert [len(_sent(one)) for one in found[50:]] == [1, 2, 1]
        assert {x.status for x in events if x.reason == "no_consent"} == {"final"}


async def test_a_sure_record_without_consent_is_confident(student: Student) -> None:
    bench = _Bench(student, share=1.0, policy=replace(POLICY, audit_share=1.0))
    asked = TeacherSettings(consent_topics=("another",))
    bench.process = TaggingProcessor(
        replace(bench.tools, teacher=asked), router=Router(RoutingSettings(budget_share=1.0))
    )
    (result,) = await bench(b"Ada in Oslo")
    (outgoing,) = _sent(result)
    assert bench.event(outgoing).reason == "confident"
