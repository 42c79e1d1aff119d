from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from schemas.files.task import TaskExample
from schemas.near_duplicates import nearly_one
from schemas.types import Category, Entity
from stream.teacher.similarity import LikenessTo, SimilarExamples, bm25, digest_of

WORDS = ["river", "bridge", "minister", "bank", "goal", "river's", "boat", "of", "the", "Brücke"]


def named(text: str, label: str) -> TaskExample:
    word = text.split(maxsplit=1)[0]
    return TaskExample(text, (Entity(0, len(word), label, word),))


POOL = (
    named("Danube boats pass below the old stone bridge", "LOC"),
    named("Danube water rose by a metre at the bridge", "LOC"),
    named("Ilse crossed the bridge with her dog", "PER"),
    named("Acme sells printers", "ORG"),
    TaskExample("Nobody has ever seen that bridge"),
)


def test_a_shared_rare_word_counts_more_than_a_shared_frequent_one() -> None:
    like = bm25(["the cat of the house", "the zither of the mill", "the dog of the yard"])
    scores = like("the old zither")
    assert scores.argmax() == 1
    assert (scores > 0).all()


def test_inflected_words_are_alike_and_foreign_ones_share_nothing() -> None:
    scores = bm25(["bridges", "banana", "Εύα"])("a bridge")
    assert scores[0] > 0 == scores[1] == scores[2]


def test_the_most_like_stands_last_beside_the_text() -> None:
    chosen = SimilarExamples(POOL, 2).chosen("Danube boats wait below a bridge")
    assert chosen[-1] == POOL[0]
    assert len(chosen) == 2


def test_labels_are_varied_where_texts_are_about_as_like() -> None:
    def all_alike(texts: Sequence[str]) -> LikenessTo:
        scores = np.linspace(1.0, 0.9, len(texts), dtype=np.float32)
        return lambda _text: scores

    chosen = SimilarExamples(POOL, 4, likeness=all_alike).chosen("anything")
    assert set(chosen) == {POOL[0], POOL[2], POOL[3], POOL[4]}


def test_what_shares_nothing_with_a_text_is_no_example_for_it() -> None:
    assert SimilarExamples(POOL, 3).chosen("qqq") == ()
    assert SimilarExamples((), 3).chosen("Danube") == ()


def test_neither_the_text_nor_what_is_nearly_it_is_shown() -> None:
    text = POOL[0].text
    for near in (text, text.upper(), text.replace("stone", "stones")):
        assert POOL[0] not in SimilarExamples(POOL, 5).chosen(near)


@given(st.lists(st.lists(st.sampled_from(WORDS), max_size=8), max_size=12), st.integers(0, 99))
def test_the_choice_depends_on_nothing_but_pool_and_text(rows: list[list[str]], seed: int) -> None:
    pool = [TaskExample(" ".join(row)) for row in rows if row]
    shuffled = random.Random(seed).sample(WORDS, len(WORDS))
    text = " ".join(shuffled[:4])
    chosen = SimilarExamples(pool, 3).chosen(text)
    assert SimilarExamples(pool, 3).chosen(text) == chosen
    texts = [text, *(one.text for one in chosen)]
    assert not any(nearly_one(a, b) for i, a in enumerate(texts) for b in texts[:i])


def test_a_digest_tells_texts_labels_and_order() -> None:
    told = [POOL[:2], POOL[1::-1], POOL[:1], [TaskExample("x", (), (Category("a"),))]]
    told.append([TaskExample("x", (), (Category("b"),))])
    assert len({digest_of(one) for one in told}) == len(told)
    assert digest_of(()) == ""
