from __future__ import annotations

import unicodedata
from itertools import pairwise
from typing import Literal, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.testing.tiny_families import Kind, trained_tokenizer
from stream.student.casing import char_kinds, code_points
from stream.student.encoding import Encoder
from stream.student.words import cut_words

KINDS: tuple[Kind, ...] = get_args(Kind)
CORPUS = [
    "Ada met Zoë in Rio.",
    "昨天王小明去了北京",
    "เมื่อวานสมชายไปตลาด",
    "Зоя была в Осло",
    "עדה גרה בחיפה",
    "東京タワーへ行く",
    "hello, world! (again)",
    *["王小明", "北京", "昨天", "去了", "สมชาย", "เมื่อวาน", "ไปตลาด"] * 4,
]
STRANGE = [
    "",
    " \t\r\n",
    "  two  spaces\n\nlines ",
    "\u00a0no\u2003break\u200bspace\ufeff",
    "e\u0301 \u0301 Zoe\u0308",
    "👩\u200d👩\u200d👧 ❤\ufe0f",
    "ﬁne ½ … Ⅷ ㎏",
    "日本語とRio",
    "葛\U000e0100城",
    "<s></s><mask> [MASK]",
    "\U00020000\U00020001 \U0010ffff",
]
TEXTS = st.one_of(
    st.sampled_from([*STRANGE, *CORPUS]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
    st.text("aB the.\u0301 9王ก\u0e48ข,", max_size=80),
)


@pytest.fixture(scope="module", params=KINDS)
def encoder(request: pytest.FixtureRequest) -> Encoder:
    tokenizer = trained_tokenizer(request.param, CORPUS)
    return Encoder(tokenizer, max_tokens=512, stride=8, casing=True, cut=True)


@pytest.fixture(scope="module", params=["bpe", "unigram"])
def fine(request: pytest.FixtureRequest) -> Encoder:
    """A tokenizer that spells what it does not know; WordPiece gives such a run up as a whole."""
    tokenizer = trained_tokenizer(request.param, CORPUS)
    return Encoder(tokenizer, max_tokens=512, stride=8, casing=False, cut=True)


def words(encoder: Encoder, text: str) -> list[str]:
    return [text[start:end] for start, end in places(encoder, text)]


def places(encoder: Encoder, text: str) -> list[tuple[int, int]]:
    return [
        (int(start), int(end))
        for window in encoder.encode([text])[0]
        for start, end in zip(window.word_starts, window.word_ends, strict=True)
    ]


def is_edge(encoder: Encoder, text: str, part: str) -> bool:
    """Whether some words together are `part`, so that a span can be exactly that."""
    start = text.index(part)
    found = places(encoder, text)
    return start in {x for x, _ in found} and start + len(part) in {x for _, x in found}


def test_words_hold_no_white_space_and_end_at_punctuation(encoder: Encoder) -> None:
    assert words(encoder, "  Ada  met Zoë,\n in\tRio. ") == [
        "Ada",
        "met",
        "Zoë",
        ",",
        "in",
        "Rio",
        ".",
    ]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_an_accent_stays_with_its_word(encoder: Encoder, form: Literal["NFC", "NFD"]) -> None:
    part = unicodedata.normalize(form, "Zoë")

    assert is_edge(encoder, f"Ada met {part}", part)
    assert is_edge(encoder, f"Ada met {part}, in Rio", part)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("昨天王小明去了北京", "王小明"),
        ("昨天王小明去了北京", "北京"),
        ("עדה גרה בחיפה.", "בחיפה"),
        ("(Ada)", "Ada"),
        ("«Осло»", "Осло"),
    ],
)
def test_a_span_may_begin_and_end_where_no_space_does(
    encoder: Encoder, text: str, part: str
) -> None:
    assert is_edge(encoder, text, part)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("เมื่อวานสมชายไปตลาด", "สมชาย"),
        ("東京タワーへRio行く", "Rio"),
        ("昨天Ada去了", "Ada"),
        ("Ada🎉", "Ada"),
        ("🎉Ada in Rio👍🏽!", "Rio"),
        ("👩\u200d👩\u200d👧Ada", "Ada"),
        ("Ada\u200bmet", "Ada"),
    ],
)
def test_a_span_may_stand_between_letters_and_emoji(fine: Encoder, text: str, part: str) -> None:
    assert is_edge(fine, text, part)


@pytest.mark.parametrize("pieces", [("o!", "x"), ("!o", "x"), ("o", "!x"), ("กา", "ka")])
def test_a_piece_with_punctuation_at_either_end_is_a_word(pieces: tuple[str, str]) -> None:
    kinds = char_kinds(code_points("".join([*pieces, "\n"])))
    first, both = len(pieces[0]), len("".join(pieces))
    starts, ends = np.array([0, first], np.int32), np.array([first, both], np.int32)
    none = np.zeros(2, dtype=np.int64)
    found = cut_words(kinds, starts, ends, of_text=none, word_ids=none)
    assert (found.starts.tolist(), found.ends.tolist()) == (starts.tolist(), ends.tolist())


@pytest.mark.parametrize("text", ["เมื่อวานสมหญิงไปตลาด", "သူ ရန်ကုန်သွားသည်", "ก" * 101])
def test_a_run_that_wordpiece_gives_up_is_one_word(text: str) -> None:
    """As docs/tasks.md says: no span can begin or end inside of it."""
    tokenizer = trained_tokenizer("cased wordpiece", ["เมื่อวานสมชายไปตลาด", "ก" * 9])
    encoder = Encoder(tokenizer, max_tokens=512, stride=8, casing=False, cut=True)
    assert words(encoder, text) == text.split()


def test_marks_of_scripts_without_spaces_stay_with_their_letters(fine: Encoder) -> None:
    edges = {x for place in places(fine, "ที่นี่") for x in place}
    assert edges <= {0, 3, 6}


@settings(max_examples=60, deadline=None)
@given(text=TEXTS)
def test_words_lie_in_the_text_in_order_and_are_no_space(text: str, encoder: Encoder) -> None:
    found = places(encoder, text)

    assert all(0 <= start < end <= len(text) for start, end in found)
    assert all(one[1] <= other[0] for one, other in pairwise(found))
    for start, end in found:
        assert text[start:end].strip() == text[start:end]


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(TEXTS, min_size=1, max_size=6))
def test_words_are_the_same_in_every_company(texts: list[str], encoder: Encoder) -> None:
    together = encoder.encode(texts)

    for text, windows in zip(texts, together, strict=True):
        (alone,) = encoder.encode([text])
        assert [w.ids.tolist() for w in windows] == [w.ids.tolist() for w in alone]
        assert [w.word_ends.tolist() for w in windows] == [w.word_ends.tolist() for w in alone]


def test_a_long_text_without_spaces_is_read_in_windows(encoder: Encoder) -> None:
    tokenizer = trained_tokenizer("unigram", CORPUS)
    narrow = Encoder(tokenizer, max_tokens=12, stride=3, casing=False, cut=True)

    windows = narrow.encode(["昨天王小明去了北京" * 20])[0]

    assert len(windows) > 5
    assert max(len(window.ids) for window in windows) <= 12
    assert windows[-1].word_ends[-1] == 9 * 20


def test_the_first_piece_of_a_word_is_where_the_word_begins(encoder: Encoder) -> None:
    (window,) = encoder.encode(["\n\n  Ada  met"])[0]

    assert (window.first_pieces >= 1).all()
    assert (window.first_pieces < len(window.ids) - 1).all()
    assert len(set(window.first_pieces.tolist())) == len(window.word_starts)
