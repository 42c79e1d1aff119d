from __future__ import annotations

from distill.labels.written.collection import Collection
from distill.labels.written.embedding import LEXICAL
from stream.teacher.writing.texts import Draft, Seed, Written

DRAFT = Draft("sea", "letter", "short", "plain", use=(Seed("PER", "Ada"),))


def collection(*, most: int = 10, shown: tuple[str, ...] = ()) -> Collection:
    return Collection(LEXICAL, most=most, max_chars=50, shown=shown)


def wrote(*texts: str) -> list[Written]:
    return [Written(text, frozenset()) for text in texts]


def test_texts_are_taken_in_order_and_the_others_counted_by_reason() -> None:
    found = collection(shown=("A text of the task file",))
    taken = found.add(
        [DRAFT] * 6,
        wrote("Boats left.", "boats  left.", "x" * 51, "a text of the task file", "Go!"),
    )
    assert taken == 2
    assert [one.text for one in found.taken] == ["Boats left.", "Go!"]
    assert found.dropped == {"repeated": 2, "too_long": 1, "not_written": 1}
    assert found.missing == 8


def test_what_is_over_the_limit_is_not_taken() -> None:
    found = collection(most=1)
    assert found.add([DRAFT] * 2, wrote("Boats left.", "Goats came.")) == 1
    assert found.dropped == {"over_limit": 1}


def test_outcomes_tell_what_each_draft_brought() -> None:
    found = collection()
    again = Written("ada swims.", frozenset({(0, 3, "PER")}))
    found.add([DRAFT] * 3, [Written("Ada swims.", None), again, *wrote("Hm, no?")])
    found.add([DRAFT], [])
    novelties = [one.novelty for one in found.outcomes]
    assert novelties[0] == 1.0
    assert novelties[1] == novelties[3] == 0.0
    assert 0.5 < novelties[2] <= 1.0
    # Where nobody knows what was meant, what was drafted counts; of what was dropped nothing.
    assert [one.labels for one in found.outcomes] == [("PER",), (), (), ()]


def test_the_figures_tell_how_varied_the_texts_are() -> None:
    same, varied = collection(), collection()
    same.add([DRAFT] * 2, wrote("Boats left the bay at dawn", "Boats left the bay, a big one!"))
    varied.add([DRAFT] * 2, wrote("Boats left the bay at dawn", "My aunt paints old chairs"))
    assert same.figures()["distinct_1"] < varied.figures()["distinct_1"] == 1.0
    assert same.figures()["spread"] < varied.figures()["spread"]
