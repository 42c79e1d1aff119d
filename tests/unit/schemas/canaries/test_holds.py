from __future__ import annotations

from schemas.canaries.holds import Hold, is_withheld, open_hold
from stream.testing.messages import a_label


def test_the_teachers_labels_of_the_time_are_held_back_and_peoples_never() -> None:
    holds = [Hold(since_ms=10, until_ms=20), Hold(since_ms=50)]
    teachers = [a_label(labelled_at_ms=at) for at in (10, 11, 19, 20, 50, 51)]
    withheld = [label.labelled_at_ms for label in teachers if is_withheld(label, holds)]
    assert withheld == [11, 19, 51]
    assert not is_withheld(a_label(source="human", labelled_at_ms=15), holds)
    assert is_withheld(a_label(source="bootstrap", labelled_at_ms=15), holds)
    trusted = [label for label in teachers if not is_withheld(label, holds)]
    assert trusted == [teachers[0], teachers[3], teachers[4]]


def test_what_is_released_is_held_back_no_more() -> None:
    assert not Hold(since_ms=10, until_ms=20, released=True).covers(15)


def test_the_open_hold_is_the_one_without_an_end() -> None:
    assert open_hold([Hold(1, 2)]) is None
    assert open_hold([Hold(1, 2), Hold(3)]) == Hold(3)
