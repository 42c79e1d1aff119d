from __future__ import annotations

from collections.abc import Mapping, Sequence

from distill.judging.little_gold import LittleGold, question_beside
from distill.judging.questions import Answered, Truth
from distill.judging.urn import Reference, Urn, fill_urn
from schemas.settings import GateSettings
from schemas.types import Fact

ADA: Fact = (0, 3, "PER")
SAID, SILENT = frozenset({ADA}), frozenset[Fact]()
NAMES = [chr(97 + i // 26) + chr(97 + i % 26) for i in range(200)]
STREAM = [f"stream {name}" for name in NAMES]
GOLD = [f"gold {name}" for name in NAMES[:40]]


def urn(texts: Sequence[str]) -> Urn:
    """The challenger says Ada of all of them, the champion of none."""
    return fill_urn(texts, [()] * len(texts), [{ADA}] * len(texts), seed="v2")


class Teacher:
    """Says Ada of every text, of `most` at most; `asked` lists them."""

    def __init__(self, most: int = 1000) -> None:
        self.most = most
        self.asked: list[str] = []

    def __call__(self, texts: Sequence[str]) -> Mapping[str, Truth | None]:
        some = texts[: self.most]
        self.most -= len(some)
        self.asked += some
        return dict.fromkeys(some, SAID)


def play(teacher: Teacher, people: Mapping[str, Truth], *, known: Sequence[str] = ()) -> Answered:
    gold = LittleGold(urn([*people]), people, dict.fromkeys(known, SAID))
    return question_beside(
        gold,
        urn(STREAM),
        teacher,
        known={},
        most=100,
        batch=20,
        reference=Reference(f1=0.7),
        gate=GateSettings(),
    )


def test_gold_is_asked_about_first_and_all_is_asked_though_it_is_clear() -> None:
    teacher = Teacher()
    found = play(teacher, dict.fromkeys(GOLD, SAID), known=GOLD[:10])
    assert set(teacher.asked[:30]) == set(GOLD[10:])
    assert (found.asked, found.known, len(teacher.asked)) == (100, 10, 100)
    assert found.gain.low > 0
    assert len(found.truths) == 110


def test_people_overrule_a_teacher_who_errs() -> None:
    found = play(Teacher(), dict.fromkeys(GOLD, SILENT))
    assert found.gain.high < 0
    assert found.rectified is not None
    assert found.rectified.gold == 40


def test_who_can_be_asked_no_more_has_told_what_he_told() -> None:
    found = play(Teacher(most=25), dict.fromkeys(GOLD, SAID))
    assert (found.asked, len(found.truths)) == (25, 25)
    assert found.rectified is not None
    assert found.rectified.gold == 25
