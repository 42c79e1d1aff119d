from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from schemas.errors import (
    BudgetExhaustedError,
    ExpiredError,
    InvalidAnswerError,
    RefusedError,
    SilverstreamError,
    TeacherUnavailableError,
)
from schemas.settings import TeacherSettings, load_settings
from schemas.types import Category, Opinion, Promotion, SilverLabel, TeacherRequest
from schemas.wire.labels import teacher_label
from stream.teacher.books import Books
from stream.teacher.comparison import compared
from stream.teacher.factory import make_teachers
from stream.teacher.protocol import Answer, Unsure
from stream.teacher.retries import Outage
from stream.teacher.store_looks import paid_to_teachers, spendings_of
from stream.teacher.teachers import Member, Teachers
from stream.testing.endpoints import ENTITIES, MOOD_TASK, TASK, TEXT, faulty, requests_of
from stream.testing.fake_time import FakeTime
from stream.testing.messages import a_promotion, a_request


@dataclass
class Fake:
    """Answers with its own name as the category, or fails as it is told."""

    name: str
    faults: list[SilverstreamError] = field(default_factory=list)
    is_open: bool = False
    refusal: str | None = None
    outage: Outage | None = None
    places: int = 8
    prompt_version: str = "p1"
    tried_at_s: float = 0.0
    asked: list[int | None] = field(default_factory=list)
    model: str = ""
    cached: bool = False
    closed: bool = False
    n_alone: int = 0

    @property
    def books(self) -> Books:
        raise NotImplementedError

    async def label(self, text: str, *, expires_at_ms: int | None = None) -> Answer:
        self.asked.append(expires_at_ms)
        if self.faults:
            raise self.faults.pop(0)
        model = self.model or self.name
        return Answer((), model, "p1", 1, 1, cached=self.cached, categories=(Category(self.name),))

    async def label_alone(self, text: str, *, expires_at_ms: int | None = None) -> Answer:
        """Give the same."""
        self.n_alone += 1
        return await self.label(text, expires_at_ms=expires_at_ms)

    async def label_unsure(
        self, text: str, unsure: Unsure, *, expires_at_ms: int | None = None
    ) -> Answer:
        """Give the same."""
        del unsure
        return await self.label(text, expires_at_ms=expires_at_ms)

    async def check(self) -> None:
        return

    async def aclose(self) -> None:
        self.closed = True


BEST, CHEAP, DEAR = Fake("best"), Fake("cheap"), Fake("dear")
PRICES = {"best": 2.0, "cheap": 0.1, "dear": 9.0}
NOW_MS = int(FakeTime().now_s * 1000)


def teachers(*fakes: Fake, time: FakeTime | None = None, share: float = 1.0) -> Teachers:
    members = [
        Member(
            fake.name,
            TeacherSettings(
                price_in_usd_per_million=PRICES[fake.name],
                price_out_usd_per_million=0,
                compared_share=share,
            ),
            fake,
            fake,
        )
        for fake in fakes
    ]
    return Teachers(members, clock=(time or FakeTime()).clock)


def request(*labels: str, audit: bool = False) -> TeacherRequest:
    proposed = tuple(Category(label, 0.4) for label in labels)
    return a_request(
        categories=proposed, audit=audit, confidence=0.4, expires_at_ms=NOW_MS + 3_600_000
    )


async def evidence(n: int = 60, *, proposed: str = "joy") -> Promotion:
    """Audits about which all said the same, in texts where the student said `proposed`."""
    agreeing = [Fake("joy", model=name) for name in ("best", "cheap", "dear")]
    asked = Teachers(
        [
            Member(name, TeacherSettings(compared_share=1.0), fake, fake)
            for name, fake in zip(PRICES, agreeing, strict=True)
        ],
        clock=FakeTime().clock,
    )
    labels: list[SilverLabel] = []

    for number in range(n):
        one = replace(request(proposed, audit=True), text=f"text {number}")
        answer, opinions = await asked.answer(one)
        labels.append(teacher_label(one, answer, task_digest="d", now_ms=number, opinions=opinions))
    found = compared(labels, {}, first="best", threshold=0.5)
    return a_promotion(metrics=found.metrics())


async def test_without_evidence_the_first_is_asked() -> None:
    answer, opinions = await teachers(Fake("best"), Fake("cheap")).answer(request("joy"))
    assert (answer.teacher, opinions) == ("best", ())


async def test_a_record_goes_to_the_cheapest_that_is_good_enough_for_what_is_proposed() -> None:
    both = teachers(Fake("best"), Fake("cheap"), Fake("dear"))
    both.take([await evidence(), a_promotion()])  # the second compares nobody
    assert (await both.answer(request("joy")))[0].teacher == "cheap"
    assert (await both.answer(request("fear")))[0].teacher == "best"
    assert (await both.answer(request("joy", "fear")))[0].teacher == "best"
    assert (await both.answer(request()))[0].teacher == "best"
    assert (await both.answer(request("joy", audit=True)))[0].teacher == "best"


async def test_evidence_of_another_model_or_prompt_does_not_count() -> None:
    changed = Fake("cheap", model="other")
    both = teachers(Fake("best"), changed)
    both.take([await evidence()])
    assert (await both.answer(request("joy")))[0].teacher == "cheap"  # who has not answered yet
    assert (await both.answer(request("joy")))[0].teacher == "best"
    changed.cached, changed.model = True, "cheap"
    await both.answer(request("joy", audit=True))  # what is remembered is the old model's
    assert (await both.answer(request("joy")))[0].teacher == "best"
    asked_otherwise = teachers(Fake("best"), Fake("cheap", prompt_version="p2"))
    asked_otherwise.take([await evidence()])
    assert (await asked_otherwise.answer(request("joy")))[0].teacher == "best"


@pytest.mark.parametrize("fault", [ExpiredError("it waits"), TeacherUnavailableError("500")])
async def test_one_that_is_away_is_passed_over_for_the_next(fault: SilverstreamError) -> None:
    best, cheap = Fake("best", [fault]), Fake("cheap")
    answer, _ = await teachers(best, cheap).answer(request("joy"))
    assert answer.teacher == "cheap"
    assert best.asked == [NOW_MS + 30_000]  # and not until the request expires


async def test_one_whose_circuit_is_open_is_not_asked_where_another_answers() -> None:
    best = Fake("best", is_open=True)
    assert (await teachers(best, Fake("cheap")).answer(request("joy")))[0].teacher == "cheap"
    assert best.asked == []
    answer = await teachers(Fake("best", is_open=True)).label("text")
    assert answer.teacher == "best"


async def test_where_all_are_away_they_are_tried_in_turn_until_one_is_back() -> None:
    time = FakeTime()
    best = Fake("best", [ExpiredError("it waits")] * 3)
    cheap = Fake("cheap", [TeacherUnavailableError("500")] * 2)
    answer, _ = await teachers(best, cheap, time=time).answer(request("joy"))
    assert (answer.teacher, time.slept_s) == ("cheap", [1.0, 2.0])


async def test_where_all_stay_away_the_request_expires() -> None:
    time = FakeTime()
    both = teachers(
        Fake("best", [ExpiredError("it waits")] * 999),
        Fake("cheap", [ExpiredError("it waits")] * 999),
        time=time,
    )
    with pytest.raises(ExpiredError):
        await both.answer(request("joy"))
    assert 3500 < time.now_s - FakeTime().now_s <= 3600


async def test_where_all_fail_as_often_as_they_may_that_is_said() -> None:
    faults: list[SilverstreamError] = [TeacherUnavailableError("500")]
    with pytest.raises(TeacherUnavailableError, match="500"):
        await teachers(Fake("best", [*faults]), Fake("cheap", faults)).answer(request("joy"))


async def test_a_refusal_is_an_answer() -> None:
    cheap = Fake("cheap")
    with pytest.raises(RefusedError):
        await teachers(Fake("best", [RefusedError("no")]), cheap).answer(request("joy"))
    assert cheap.asked == []


async def test_a_share_of_the_audits_is_asked_of_all() -> None:
    best, cheap = Fake("best"), Fake("cheap")
    answer, opinions = await teachers(best, cheap).answer(request("joy", audit=True))
    assert answer.teacher == "best"
    assert [(one.teacher, one.facts) for one in opinions] == [
        ("", ((0, 0, "joy"),)),
        ("cheap", ((0, 0, "cheap"),)),
    ]
    assert opinions[0].confidence == 0.4
    assert best.n_alone == 1  # as the others' opinions are
    assert (await teachers(best, cheap, share=0.0).answer(request("joy", audit=True)))[1] == ()


async def test_which_audits_are_compared_depends_on_the_text_alone() -> None:

    half = teachers(Fake("best"), Fake("cheap"), share=0.5)
    audits = [replace(request("joy", audit=True), text=f"text {n}") for n in range(400)]
    drawn = [bool((await half.answer(one))[1]) for one in audits]
    assert 150 < sum(drawn) < 250
    assert drawn == [bool((await half.answer(one))[1]) for one in audits]


@pytest.mark.parametrize("fault", [BudgetExhaustedError("no"), TeacherUnavailableError("500")])
async def test_an_opinion_that_is_not_to_be_had_keeps_nobody_from_an_answer(
    fault: SilverstreamError,
) -> None:
    answer, opinions = await teachers(Fake("best"), Fake("cheap", [fault])).answer(
        request("joy", audit=True)
    )
    assert (answer.teacher, len(opinions)) == ("best", 1)


@pytest.mark.parametrize("fault", [RefusedError("no"), InvalidAnswerError("no JSON")])
async def test_a_refusal_is_an_opinion_too(fault: SilverstreamError) -> None:
    both = teachers(Fake("best"), Fake("cheap", [fault]))
    _, (_, refused) = await both.answer(request("joy", audit=True))
    assert refused == Opinion("cheap", "", (), refused=True)


async def test_they_are_refused_only_where_all_are_and_closed_together() -> None:
    best, cheap = Fake("best", refusal="the key is wrong"), Fake("cheap", tried_at_s=7.0)
    both = teachers(best, cheap)
    assert (both.refusal, both.tried_at_s) == (None, 7.0)
    cheap.refusal = "no money"
    assert both.refusal == "the key is wrong"
    await both.aclose()
    assert best.closed
    assert cheap.closed


async def test_the_settings_make_several_that_spend_from_one_budget(tmp_path: Path) -> None:
    state = tmp_path / "t.sqlite"
    async with faulty("401") as shut, faulty() as url:
        settings = load_settings(
            None,
            teacher={"state": str(state), "compared_share": 1.0, "budget_usd_per_day": 1.0},
            teachers=[
                {"name": "shut", "base_url": shut, "model": "m", "max_retry_wait_s": 0.1},
                {"name": "open", "base_url": url, "model": "m", "price_in_usd_per_million": 1},
                {"name": "other", "base_url": url, "model": "n"},
            ],
        )
        several, store = make_teachers(TASK, settings)
        assert isinstance(several, Teachers)
        here = a_request(text=TEXT, audit=True, expires_at_ms=2**50)
        answer, opinions = await several.answer(here)
        assert (answer.teacher, answer.entities, opinions) == ("open", ENTITIES, ())
        await several.aclose()
        several, store = make_teachers(TASK, settings.led_by("open"))
        assert isinstance(several, Teachers)
        again, opinions = await several.answer(here)
        asked = await requests_of(url)
        assert store.totals().calls == 2
        await several.aclose()
    assert (again.teacher, again.cached) == ("open", True)
    assert [one.teacher for one in opinions] == ["", "other"]
    assert asked["requests"] == 2  # each once; the second time the cache knows
    assert {row.teacher: row.calls for row in paid_to_teachers(state) if row.calls} == {
        "open": 1,
        "other": 1,
    }
    assert {row.purpose for row in spendings_of(state) if row.calls} == {"stream", "comparing"}


async def test_a_list_of_one_is_one_teacher(tmp_path: Path) -> None:
    settings = load_settings(
        None, teacher={"state": str(tmp_path / "t")}, teachers=[{"name": "only", "model": "m"}]
    )
    one, _ = make_teachers(MOOD_TASK, settings)
    assert not isinstance(one, Teachers)
    await one.aclose()
