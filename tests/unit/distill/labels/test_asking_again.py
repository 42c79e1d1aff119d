from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from distill.archive import OPINIONS_NAME, RoundArchive
from distill.judging.allowance import Allowance
from distill.judging.questions import Ask, Truth
from distill.labels.asking_again import ask_again
from distill.labels.second_opinions import SecondOpinions, opinions_in
from schemas.errors import TeacherUnavailableError

YES: Truth = frozenset({(0, 3, "PER")})


class Second:
    """Who is asked again: knows `says`, refuses the rest, and answers `left` texts at most."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.says: dict[str, Truth] = {}
        self.left = 100
        self.error: Exception | None = None

    @contextmanager
    def __call__(self) -> Iterator[Ask]:
        yield self.ask

    def ask(self, texts: Sequence[str]) -> Mapping[str, Truth | None]:
        if self.error is not None:
            raise self.error
        self.asked += texts[: self.left]
        return {text: self.says.get(text) for text in texts[: self.left]}


@pytest.fixture
def archive(tmp_path: Path) -> RoundArchive:
    return RoundArchive(tmp_path, "people")


def opinions(
    archive: RoundArchive,
    second: Second,
    *texts: str,
    unspent: float = 10,
    asker: str = "m",
    most: int = 5,
) -> Mapping[str, Truth]:
    allowance = Allowance({}, unspent, 0)
    archive.keep_allowance(allowance)
    return ask_again(
        texts, archive=archive, allowance=allowance, most=most, asker=asker, opened=second
    )


def left(archive: RoundArchive) -> float:
    allowance = archive.allowance()
    assert allowance is not None
    return allowance.unspent


def test_the_first_texts_are_asked_about_as_far_as_that_is_paid_for(archive: RoundArchive) -> None:
    second = Second()
    second.says = {"a": YES, "c": frozenset()}
    assert opinions(archive, second, "a", "b", "c", "d", unspent=6, most=3) == {
        "a": YES,
        "c": frozenset(),
    }
    assert second.asked == ["a", "b", "c"]
    assert left(archive) == 3


def test_nobody_is_asked_twice_not_even_after_a_refusal(archive: RoundArchive) -> None:
    second = Second()
    second.says = {"a": YES}
    opinions(archive, second, "a", "b")
    assert opinions(archive, second, "a", "b") == {"a": YES}
    assert second.asked == ["a", "b"]
    assert left(archive) == 10
    opinions(archive, second, "a", asker="another model")
    assert second.asked == ["a", "b", "a"]


def test_what_was_not_asked_is_given_back(archive: RoundArchive) -> None:
    second = Second()
    second.left = 1
    opinions(archive, second, "a", "b", "c")
    assert left(archive) == 9


def test_a_round_that_dies_has_spent_what_it_meant_to_ask(archive: RoundArchive) -> None:
    second = Second()
    second.error = TeacherUnavailableError("away")
    with pytest.raises(TeacherUnavailableError):
        opinions(archive, second, "a", "b")
    assert left(archive) == 8


def test_where_none_may_be_asked_nobody_is(archive: RoundArchive) -> None:
    second = Second()
    assert opinions(archive, second, "a", unspent=0, most=0) == {}
    assert second.asked == []


def test_a_damaged_file_says_nothing(archive: RoundArchive) -> None:
    archive.keep_opinions(SecondOpinions().with_answers({"a": YES, "b": None}, "m"))
    assert archive.opinions().about(["a", "b"], "m") == {"a": YES}
    (archive.folder / OPINIONS_NAME).write_text('{"m": {"x": [[1]]}}')
    assert archive.opinions() == SecondOpinions()
    assert opinions_in([]) == SecondOpinions()
