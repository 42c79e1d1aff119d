from __future__ import annotations

from collections.abc import Sequence

from distill.labels.written.carrying import Judged, carried_over
from schemas.files.task import Task
from schemas.types import Entity, Fact, SilverLabel
from stream.teacher.writing.verdicts import Verdict
from stream.testing.messages import a_label


def labelled(text: str, word: str = "", label: str = "PER") -> SilverLabel:
    at = text.find(word)
    return a_label(text=text, entities=(Entity(at, at + len(word), label, word),) if word else ())


def on(label: SilverLabel, verdict: Verdict) -> Judged:
    [entity] = label.entities
    return label.text, (entity.start, entity.end, entity.label), verdict


def after(labels: Sequence[SilverLabel], judged: Sequence[Judged], task: Task) -> list[list[Fact]]:
    kept, _ = carried_over(labels, judged, task)
    return [[(x.start, x.end, x.label) for x in label.entities] for label in kept]


FRENCH = [labelled(f"{one} French", "French") for one in ("a", "b", "c", "d")]


def test_what_most_verdicts_say_holds_where_nobody_was_asked(task: Task) -> None:
    wrong = [on(one, Verdict("wrong")) for one in FRENCH[:2]]
    right = on(FRENCH[2], Verdict("right"))
    assert after(FRENCH, [*wrong, right], task) == [[(2, 8, "PER")]] * 3 + [[]]
    assert carried_over(FRENCH, [*wrong, right], task)[1] == 1
    assert after(FRENCH, [wrong[0], right], task) == [[(2, 8, "PER")]] * 4


def test_other_labels_and_other_words_are_of_their_text_alone(task: Task) -> None:
    wrong = on(FRENCH[0], Verdict("wrong"))
    others = [labelled("e French", "French", "ORG"), labelled("the French Open", "French Open")]
    assert after(others, [wrong], task) == [[(2, 8, "ORG")], [(4, 15, "PER")]]
    for other in (Verdict("other_span", "", "a French"), Verdict("other_label", "ORG")):
        assert after(FRENCH[1:], [on(FRENCH[0], other)], task) == [[(2, 8, "PER")]] * 3


def test_a_mention_that_is_mostly_labelled_and_was_found_right_is_added_where_it_was_missed(
    task: Task,
) -> None:
    missed = labelled("e French")
    assert after([*FRENCH, missed], [], task)[-1] == []
    assert after([*FRENCH, missed], [on(FRENCH[0], Verdict("right"))], task)[-1] == [(2, 8, "PER")]
