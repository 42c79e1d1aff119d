from __future__ import annotations

from collections.abc import Sequence

from distill.labels.written.doubting import Candidate, doubtful
from schemas.categories import of_labels
from schemas.files.task import LabelSpec, Task
from schemas.types import Entity, SilverLabel, facts
from stream.testing.messages import a_label

MOODS = Task("m", "en", (LabelSpec("glad"), LabelSpec("sad")), kind="categories", choose="one")


def labelled(text: str, **labels: str) -> SilverLabel:
    """Label words of a text: `labelled("Ada went", Ada="PER")`."""
    spans = [(text.index(word), word, label) for word, label in labels.items()]
    entities = tuple(sorted(Entity(at, at + len(word), label, word) for at, word, label in spans))
    return a_label(text=text, entities=entities)


def doubts(
    labels: Sequence[SilverLabel],
    task: Task,
    *,
    least: float = 0.25,
    meant: Sequence[SilverLabel] = (),
) -> list[Candidate]:
    """Find the doubts; the writer meant what the labels say, but for the texts of `meant`."""
    told = {label.text: facts(label) for label in (*labels, *meant)}
    return doubtful(labels, told, task, least=least)


def words(candidates: Sequence[Candidate]) -> list[tuple[str, str]]:
    return [(one.text[one.fact[0] : one.fact[1]], one.fact[2]) for one in candidates]


def test_what_all_agree_on_is_not_doubted(task: Task) -> None:
    labels = [labelled(f"{verb} Ada", Ada="PER") for verb in ("Ask", "Tell", "Meet")]
    assert doubts(labels, task) == []


def test_what_the_writer_did_not_mean_is_doubted_most_where_nothing_else_is_known(
    task: Task,
) -> None:
    label = labelled("Ask Ada", Ada="PER")
    [found] = doubts([label], task, meant=[labelled("Ask Ada")])
    assert (found.fact, found.doubt) == ((4, 7, "PER"), 1.0)


def test_what_the_writer_meant_and_nobody_labelled_is_doubted(task: Task) -> None:
    found = doubts([labelled("Ask Ada")], task, meant=[labelled("Ask Ada", Ada="PER")])
    assert words(found) == [("Ada", "PER")]


def test_of_two_labels_for_one_mention_the_given_one_is_asked_about(task: Task) -> None:
    label = labelled("Ask Ada Ltd", **{"Ada Ltd": "ORG"})
    assert words(doubts([label], task, meant=[labelled("Ask Ada Ltd", Ada="PER")])) == [
        ("Ada Ltd", "ORG")
    ]


def test_a_mention_that_is_labelled_otherwise_elsewhere_is_doubted(task: Task) -> None:
    usual = [labelled(f"{verb} Nokia", Nokia="ORG") for verb in ("Ask", "Tell", "Meet", "Buy")]
    odd = labelled("Oh Nokia", Nokia="PER")
    assert words(doubts([*usual, odd], task)) == [("Nokia", "PER")]


def test_a_mention_that_is_labelled_everywhere_else_may_have_been_missed(task: Task) -> None:
    usual = [labelled(f"{verb} Nokia", Nokia="ORG") for verb in ("Ask", "Tell", "Meet", "Buy")]
    found = doubts([*usual, labelled("Oh Nokia")], task)
    assert [(one.text, one.fact) for one in found] == [("Oh Nokia", (3, 8, "ORG"))]
    # Not within another word, and not where it is labelled as part of something longer.
    inside = [labelled("Oh Nokians"), labelled("Oh Nokia Bell Labs", **{"Nokia Bell Labs": "ORG"})]
    assert doubts([*usual, *inside], task) == []


def test_a_mention_seen_twice_is_no_rule(task: Task) -> None:
    usual = [labelled(f"{verb} Nokia", Nokia="ORG") for verb in ("Ask", "Tell")]
    assert all(one.text != "Oh Nokia" for one in doubts([*usual, labelled("Oh Nokia")], task))


def test_the_least_sure_comes_first(task: Task) -> None:
    usual = [labelled(f"{verb} Nokia", Nokia="ORG") for verb in ("Ask", "Tell", "Meet", "Buy")]
    contradicted = labelled("Oh Bo", Bo="PER")
    found = doubts([*usual, labelled("Oh Nokia"), contradicted], task, meant=[labelled("Oh Bo")])
    assert words(found) == [("Bo", "PER"), ("Nokia", "ORG")]


def test_without_what_was_meant_the_other_texts_tell(task: Task) -> None:
    labels = [labelled("Ask Ada", Ada="PER"), labelled("Tell Bo", Bo="PER")]
    assert doubtful(labels, {}, task) == []


def test_a_category_is_doubted_where_the_writer_meant_another() -> None:
    text = "What a day"
    label = a_label(text=text, entities=(), categories=of_labels(["glad"]))
    assert doubtful([label], {text: frozenset({(0, 0, "glad")})}, MOODS) == []
    assert doubtful([label], {text: frozenset({(0, 0, "sad")})}, MOODS) == [
        Candidate(text, (0, 0, "glad"), 1.0)
    ]
    assert doubtful([label], {text: None}, MOODS) == []
