from __future__ import annotations

from schemas.settings import DistillSettings
from stream.retrain.last_round import Mark
from stream.retrain.trigger import due

EMPTY = Mark()


def test_a_round_is_due_when_enough_labels_have_come() -> None:
    settings = DistillSettings(min_new_labels=10)
    assert due({"0": 9}, EMPTY, now_s=1e9, settings=settings) == ""
    assert due({"0": 10}, EMPTY, now_s=0.0, settings=settings) == "labels"


def test_labels_before_the_mark_start_no_round() -> None:
    settings = DistillSettings(min_new_labels=10)
    assert due({"0": 19, "1": 5}, Mark({"0": 10, "1": 5}), now_s=0.0, settings=settings) == ""
    assert due({"0": 19, "1": 6}, Mark({"0": 10, "1": 5}), now_s=0.0, settings=settings) == "labels"


def test_a_round_that_was_dated_in_the_future_puts_none_off() -> None:
    settings = DistillSettings(min_new_labels=10, every_s=60)
    mark = Mark({"0": 5}, 2_524_608_000.0)  # 2050
    assert due({"0": 6}, mark, now_s=1e9, settings=settings) == "schedule"
    assert due({"0": 5}, mark, now_s=1e9, settings=settings) == ""
    assert due({"0": 15}, mark, now_s=1e9, settings=settings) == "labels"


def test_a_round_is_due_when_the_time_has_come_and_there_are_labels() -> None:
    settings = DistillSettings(min_new_labels=10, every_s=60)
    mark = Mark({"0": 5}, 1000.0)
    assert due({"0": 6}, mark, now_s=1059.0, settings=settings) == ""
    assert due({"0": 6}, mark, now_s=1060.0, settings=settings) == "schedule"
    assert due({"0": 5}, mark, now_s=1060.0, settings=settings) == ""
    assert due({"0": 0}, EMPTY, now_s=1060.0, settings=settings) == ""
