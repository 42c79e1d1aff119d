from __future__ import annotations

from stream.teach.refused_share import RefusedShare


def alarms(*refused: bool) -> list[int]:
    share = RefusedShare()
    return [number for number, one in enumerate(refused) if share.add(refused=one)]


def test_without_answers_nothing_is_refused() -> None:
    assert RefusedShare().share == 0.0


def test_it_warns_once_over_one_half_of_at_least_twenty() -> None:
    assert alarms(*[True] * 19) == []
    assert alarms(*[True] * 200) == [19]
    assert alarms(*[False, True] * 100) == []
    assert alarms(*[True, False] * 100) == [20]


def test_it_warns_again_after_it_got_better() -> None:
    assert len(alarms(*[True] * 20, *[False] * 60, *[True] * 80)) == 2


def test_only_the_newest_count() -> None:
    share = RefusedShare()
    for refused in [True] * 100 + [False] * 100:
        share.add(refused=refused)
    assert share.share == 0.0
