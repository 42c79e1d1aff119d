from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schemas.types import Entity, EntityEvent
from stream.revise.standing import Standing, Survey
from stream.testing.messages import an_event


def a_survey(window: range = range(10), *, tagged_to: int = 0) -> Survey:
    return Survey("test", "text-0", window, tagged_to)


def an_event_of(offset: int, *, revision: int = 1, version: str = "v1") -> EntityEvent:
    return an_event(record_id=f"text-0-{offset}", revision=revision, student_version=version)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=8))
def test_the_higher_revision_stands_and_of_equal_ones_the_later(revisions: list[int]) -> None:
    survey = a_survey()
    for at, revision in enumerate(revisions):
        survey.add(an_event_of(3, revision=revision, version=f"v{at}"), at=at)

    standing = survey.of(3)

    assert standing is not None
    last = max(range(len(revisions)), key=lambda at: (revisions[at], at))
    assert (standing.revision, standing.student_version) == (revisions[last], f"v{last}")


def test_events_of_other_tasks_topics_and_partitions_are_none_of_ours() -> None:
    survey = a_survey()
    for changes in ({"task": "another"}, {"record_id": "text-1-3"}, {"record_id": "other-0-3"}):
        survey.add(an_event(**{"record_id": "text-0-3"} | changes), at=0)

    assert survey.of(3) is None
    assert not survey.is_tagged(0)


def test_a_topic_whose_name_ends_like_ours_is_another() -> None:
    survey = Survey("test", "text-1", range(10), 0)
    survey.add(an_event(record_id="my-text-1-3"), at=0)
    assert survey.of(3) is None


def test_only_the_window_is_kept_and_the_next_begins_where_its_events_do() -> None:
    survey = a_survey(range(2, 4))
    for at, offset in enumerate((1, 2, 4, 3, 5)):
        survey.add(an_event_of(offset), at=10 * at)

    assert [survey.of(offset) is not None for offset in range(6)] == [0, 0, 1, 1, 0, 0]
    assert survey.beyond_at == 20


def test_lanes_have_come_as_far_as_their_group_or_their_last_event_says() -> None:
    survey = a_survey(tagged_to=3)
    assert [survey.is_tagged(offset) for offset in (2, 3)] == [True, False]
    survey.add(an_event_of(6), at=0)
    assert [survey.is_tagged(offset) for offset in (6, 7)] == [True, False]


def test_what_lies_before_the_first_event_that_is_left_has_expired() -> None:
    survey = a_survey(tagged_to=8)
    assert survey.is_expired(5)
    survey.add(an_event_of(1, revision=3), at=0)
    survey.add(an_event_of(4), at=1)

    # A revision 3 outlives the first revisions around it.
    assert [survey.is_expired(offset) for offset in (0, 1, 3)] == [True, False, True]
    assert [survey.is_expired(offset) for offset in (4, 5, 8)] == [False, False, False]


def test_the_next_window_remembers_how_far_lanes_came_and_what_had_expired() -> None:
    survey = a_survey(range(2), tagged_to=3)
    survey.add(an_event_of(4), at=0)

    later = survey.next(range(2, 9))

    assert later.is_expired(3)
    assert not later.is_expired(5)
    assert later.is_tagged(4)
    assert later.of(4) is None


def test_an_event_is_reduced_to_its_facts() -> None:
    ada = Entity(0, 3, "PER", "Ada", 0.4)
    standing = Standing.of(an_event(entities=(ada,), status="provisional"))
    assert standing.facts == {(0, 3, "PER")}
    assert standing.provisional
