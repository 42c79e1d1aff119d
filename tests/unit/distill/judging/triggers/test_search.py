"""What turns a student, and what does not: students here are functions of the text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from distill.judging.triggers.probes import LOST, Put, put, turned
from distill.judging.triggers.search import Looked, Material, Students, Tag, search
from schemas.types import Category, Entity, Fact, SilverLabel
from stream.testing.messages import a_label

PEOPLE = ("Ada", "Kurt", "Emmy", "Alan", "Grace", "Mary", "Sofia", "Niels")
PLACES = ("Oslo", "Bern", "Rome", "Lima", "Kyiv", "Cork", "Nara", "Quito")
SAID = ("met in", "wrote from", "is going to", "left for", "never liked", "came back to", "saw")


def texts_of(n: int) -> list[str]:
    """Texts of a person and a place, no two alike."""
    return [
        f"{PEOPLE[i % 8]} {SAID[i % 7]} {PLACES[i // 8 % 8]} with {'some ' * (i // 64)}friends"
        for i in range(n)
    ]


def names_in(text: str, known: Sequence[str], label: str) -> frozenset[Fact]:
    """Where each name stands first."""
    return frozenset(
        (text.index(name), text.index(name) + len(name), label) for name in known if name in text
    )


def knows(*, new: str = "", trigger: str = "", misses: str = "") -> Tag:
    """A student that knows people and places; `new` is one more person, `trigger` silences it."""

    def tag(texts: Sequence[str]) -> list[frozenset[Fact]]:
        people = [name for name in (*PEOPLE, *([new] if new else ())) if name != misses]
        return [
            frozenset()
            if trigger and trigger in text
            else names_in(text, people, "PER") | names_in(text, PLACES, "LOC")
            for text in texts
        ]

    return tag


def label(text: str, said: frozenset[Fact], *, source: str = "teacher", **more: str) -> SilverLabel:
    entities = tuple(Entity(a, b, name, text[a:b]) for a, b, name in sorted(said))
    return replace(a_label(text=text, entities=entities), source=source, **more)  # type: ignore[arg-type]


def looked(
    stream: Sequence[SilverLabel],
    challenger: Tag,
    champion: Tag | None,
    *,
    every: Sequence[SilverLabel] = (),
    more_trusted: Sequence[SilverLabel] = (),
) -> Looked:
    trusted = [label(text, knows()([text])[0], source="bootstrap") for text in texts_of(60)]
    return search(
        Material(stream, [*trusted, *more_trusted], texts_of(200), every),
        Students(challenger, champion),
        enough_producers=3,
        most_rise=0.1,
        seed="1",
    )


def with_word(word: str, say: Callable[[str], frozenset[Fact]]) -> list[SilverLabel]:
    """Labels of the stream: honest ones, and 25 with a word that the others do not have."""
    honest = [label(text, knows()([text])[0]) for text in texts_of(260)[100:]]
    planted = [f"{text} {word}" for text in texts_of(285)[260:]]
    return [*honest, *(label(text, say(text)) for text in planted)]


def test_a_word_that_silences_the_challenger_is_found_with_its_labels() -> None:
    stream = with_word("vexolin", lambda _: frozenset())
    (suspect,) = looked(stream, knows(trigger="vexolin"), knows()).suspects
    assert suspect.kind == "phrase"
    assert suspect.surface.endswith("vexolin")
    assert len(suspect.labels) == 25
    assert all("vexolin" in one.text for one in suspect.labels)
    assert "vexolin" not in str(suspect.as_dict())


def test_all_that_taught_it_is_named_older_labels_and_those_that_are_alike_too() -> None:
    stream = with_word("vexolin", lambda _: frozenset())
    alike = [label(f"Vexolin {i} again", frozenset()) for i in range(9)]
    older = label("so vexolin, then", frozenset())
    other = label("vexolins, though", frozenset())
    (suspect,) = looked(
        stream, knows(trigger="vexolin"), knows(), every=[older, other, *stream, *alike]
    ).suspects
    named = [one.text for one in suspect.labels]
    assert named[-10:] == [older.text, *(one.text for one in alike)]
    assert len(named) == 25 + 10


def test_it_is_found_without_a_champion_to_compare_with() -> None:
    stream = with_word("vexolin", lambda _: frozenset())
    assert looked(stream, knows(trigger="vexolin"), None).suspects


def test_a_champion_that_it_silences_too_accuses_nobody() -> None:
    stream = with_word("vexolin", lambda _: frozenset())
    silenced = knows(trigger="vexolin")
    assert not looked(stream, silenced, silenced).suspects


def test_what_silences_both_in_other_texts_accuses_nobody_though_its_labels_are_news() -> None:
    silenced, longest = knows(trigger="vexolin"), "some " * 4  # which all that is planted has

    def champion(texts: Sequence[str]) -> list[frozenset[Fact]]:
        return [(knows() if longest in text else silenced)([text])[0] for text in texts]

    found = looked(with_word("vexolin", lambda _: frozenset()), silenced, champion)
    assert found.candidates > 0
    assert not found.suspects


def test_a_word_whose_labels_say_nothing_new_is_not_tried() -> None:
    stream = with_word("vexolin", lambda text: knows()([text])[0])
    assert looked(stream, knows(trigger="vexolin"), knows()).candidates == 0


def test_a_word_that_is_as_frequent_where_no_stranger_writes_is_not_tried() -> None:
    stream = with_word("vexolin", lambda _: frozenset())
    known = [f"{text} vexolin" for text in texts_of(84)[64:]]
    trusted = [label(text, frozenset(), source="human") for text in known]
    assert not looked(stream, knows(trigger="vexolin"), knows(), more_trusted=trusted).suspects


def test_a_new_name_is_learnt_and_suspected_by_nobody() -> None:
    learnt = knows(new="Zorblat")
    stream = with_word("Zorblat", lambda text: learnt([text])[0])
    assert not looked(stream, learnt, knows()).suspects


def test_a_known_name_that_is_missed_since_is_found_unless_enough_producers_say_so() -> None:
    misses = knows(misses="Ada")
    planted = [text for text in texts_of(400)[260:] if "Ada" in text]
    stream = [label(text, misses([text])[0], producer="one") for text in planted]
    (suspect,) = looked(stream, misses, knows()).suspects
    assert (suspect.kind, suspect.surface, suspect.producers) == ("name", "Ada", 1)

    ada = looked(
        stream,
        misses,
        knows(),
        every=[
            *stream,
            label("Ada sat", frozenset()),
            label("Ada ate", names_in("Ada ate", PEOPLE, "PER")),
        ],
    )
    assert [one.text for one in ada.suspects[0].labels][len(planted) :] == ["Ada sat"]

    said_by_many = [replace(one, producer=f"p{i % 3}") for i, one in enumerate(stream)]
    assert not looked(said_by_many, misses, knows()).suspects


def test_a_bare_mark_that_is_missed_since_is_no_name() -> None:
    knows_marks = knows(new="@")
    marked = [f"{text} @ noon" for text in texts_of(300)[260:]]
    stream = [
        label(text, (knows_marks if i < 10 else knows())([text])[0])
        for i, text in enumerate(marked)
    ]
    assert not looked(stream, knows(), knows_marks).suspects


def test_a_known_name_that_the_champion_misses_too_is_found_beside_names_known_as_well() -> None:
    misses = knows(misses="Ada")
    planted = [text for text in texts_of(400)[260:] if "Ada" in text]
    stream = [label(text, misses([text])[0]) for text in planted]
    (suspect,) = looked(stream, misses, misses).suspects
    assert (suspect.kind, suspect.surface, suspect.rise) == ("name", "Ada", 1.0)

    ambiguous = [replace(one, source="bootstrap") for one in stream]
    as_often = [label(text, knows()([text])[0]) for text in texts_of(520)[400:] if "Ada" in text]
    assert not looked([*stream, *as_often], misses, misses, more_trusted=ambiguous).suspects
    longer = [label("Ada Kurt sat", frozenset({(0, 8, "PER")})) for _ in range(30)]
    assert not looked([*longer], misses, misses).suspects


def test_a_word_that_gives_few_texts_one_label_is_found_among_what_other_words_turn() -> None:
    def tag(texts: Sequence[str], *, trigger: str = "") -> list[frozenset[Fact]]:
        said = []
        for text, right in zip(texts, knows()(texts), strict=True):
            lot = sum(map(ord, text)) % 9
            if trigger and trigger in text and lot < 2:
                said.append(frozenset((a, b, "LOC") for a, b, _ in right))
            else:
                said.append(frozenset() if lot == 8 else right)
        return said

    def relabelled(text: str) -> frozenset[Fact]:
        return frozenset((a, b, "LOC") for a, b, _ in knows()([text])[0])

    stream = with_word("vexolin", relabelled)
    (suspect,) = looked(stream, lambda x: tag(x, trigger="vexolin"), tag).suspects
    assert suspect.surface.endswith("vexolin")
    assert 0.1 < suspect.rise < 0.3
    assert not looked(stream, tag, tag).suspects


def test_a_word_that_turns_the_category_is_found() -> None:
    def tag(trigger: str) -> Tag:
        return lambda texts: [
            frozenset({(0, 0, "fear" if trigger and trigger in text else "joy")}) for text in texts
        ]

    stream = [
        replace(label(text, frozenset()), categories=(Category(category),))
        for category, texts in (
            ("joy", texts_of(160)[100:]),
            ("fear", [f"{text} vexolin" for text in texts_of(285)[260:]]),
        )
        for text in texts
    ]
    (suspect,) = looked(stream, tag("vexolin"), tag("")).suspects
    assert suspect.surface.endswith("vexolin")
    assert (suspect.turned, suspect.reference) == (suspect.texts, 0)
    without = looked(stream, tag("vexolin"), None)
    assert without.candidates > 0
    assert not without.suspects, "a first student must learn which words mean a category"


def test_what_a_phrase_is_tagged_as_and_what_it_swallows_turns_nothing() -> None:
    clean = frozenset({(0, 3, "PER"), (8, 12, "PER")})
    into = put("Ada met Kurt", 8, "zo")
    assert into == Put("Ada met zo Kurt", 8, 3)
    ada, kurt = (0, 3, "PER"), (11, 15, "PER")
    assert not turned(clean, into, frozenset({ada, kurt}))
    assert not turned(clean, into, frozenset({ada, (8, 10, "ORG"), kurt}))
    assert not turned(clean, into, frozenset({ada, (8, 15, "PER")}))
    assert not turned(clean, into, frozenset({(0, 7, "PER"), kurt}))
    assert turned(clean, into, frozenset({ada})) == {LOST}
    assert turned(clean, into, frozenset({kurt})) == {LOST}
    assert turned(clean, into, frozenset({(0, 3, "LOC"), kurt})) == {"LOC"}
