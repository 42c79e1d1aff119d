from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordPiece

from schemas.errors import BundleError
from stream.student.casing import LOWER, OTHER, TITLE, UPPER
from stream.student.encoding import Encoder, Window

CLS, SEP = 2, 3
MakeTokenizer = Callable[[], Tokenizer]

STRANGE = [
    "",
    " \t\r\n",
    "\x00a\x00b\x00",
    "Zoe\u0308 Cafe\u0301",
    "Zo\u00eb Caf\u00e9",
    "👩\u200d👩\u200d👧 the ❤\ufe0f",
    "\u0301" * 50,
    "a" + "\u0301" * 50 + " b",
    "a" * 300,
    "[MASK]</s> [CLS][SEP] [PAD] [UNK]",
    "\u202eabc\u202c the",
    "\ufeffthe rio",
    "zero\u200bwidth",
    "ヿ …… \x10",
    "İstanbul ẞ ﬁne Ⅷ",
    "日本語とRio",
    "한국어 각",
    "the\r\n2026-01-01 ERROR forged\x1b[31m",
    "葛\U000e0100城",
    "\U0010ffff \ud7ff\ue000",
]
TEXTS = st.one_of(
    st.sampled_from(STRANGE),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=80),
    st.text("aB the.\u0301 9", max_size=120),
)


def words(encoder: Encoder, text: str) -> list[str]:
    return [
        text[start:end]
        for window in encoder.encode([text])[0]
        for start, end in zip(window.word_starts, window.word_ends, strict=True)
    ]


@pytest.fixture(name="tokenizer", scope="session")
def _tokenizer(make_tokenizer: MakeTokenizer) -> Tokenizer:
    """As the encoder uses it: special tokens that a text spells out are words like others."""
    tokenizer = make_tokenizer()
    tokenizer.encode_special_tokens = True
    return tokenizer


@pytest.fixture(name="wide", scope="session")
def _wide(make_tokenizer: MakeTokenizer) -> Encoder:
    return Encoder(make_tokenizer(), max_tokens=512, stride=4, casing=True)


def only_window(encoder: Encoder, text: str) -> Window:
    (window,) = encoder.encode([text])[0]
    return window


def fields(window: Window) -> list[list[int]]:
    arrays = (window.ids, window.types, window.first_pieces, window.word_starts, window.word_ends)
    return [*(array.tolist() for array in arrays), [window.first_word]]


def test_words_are_split_at_white_space_and_punctuation(wide: Encoder) -> None:
    text = "The un-believable Rio de Janeiro!"
    assert words(wide, text) == ["The", "un", "-", "believable", "Rio", "de", "Janeiro", "!"]


def test_a_window_is_framed_and_points_at_the_first_piece_of_each_word(wide: Encoder) -> None:
    window = only_window(wide, "the unbelievable rio")
    assert (window.ids[0], window.ids[-1]) == (CLS, SEP)
    assert window.first_pieces.tolist() == [1, 2, 5]
    assert window.first_word == 0


def test_types_carry_the_casing_class_of_each_piece(wide: Encoder) -> None:
    assert only_window(wide, "Rio de JANEIRO !").types.tolist() == [
        OTHER,
        TITLE,
        LOWER,
        UPPER,
        OTHER,
        OTHER,
    ]


def test_without_casing_types_are_zero(make_tokenizer: MakeTokenizer) -> None:
    encoder = Encoder(make_tokenizer(), max_tokens=32, stride=4, casing=False)
    assert not only_window(encoder, "Rio de JANEIRO").types.any()


def test_a_batch_of_no_texts_is_empty(encoder: Encoder) -> None:
    assert encoder.encode([]) == []


@pytest.mark.parametrize("text", ["", "  \n", "\x00", "\u0301\u0301", "\u200b"])
def test_a_text_without_words_has_no_windows(text: str, encoder: Encoder) -> None:
    assert encoder.encode([text, "the"])[0] == []


def test_special_tokens_typed_by_a_user_are_plain_text(wide: Encoder) -> None:
    window = only_window(wide, "[MASK]</s>[SEP]")
    assert not set(window.ids[1:-1].tolist()) & {0, 1, CLS, SEP, 4, 5}
    assert words(wide, "[SEP]") == ["[", "SEP", "]"]


def test_offsets_count_code_points(encoder: Encoder) -> None:
    text = "👩\u200d👩\u200d👧 Rio"
    assert words(encoder, text) == ["👩\u200d👩\u200d👧", "Rio"]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_an_accent_belongs_to_its_word_in_every_normal_form(
    form: Literal["NFC", "NFD"], wide: Encoder
) -> None:
    parts = [unicodedata.normalize(form, part) for part in ("Café", "Zoë", "Ñu")]
    assert words(wide, " ".join(parts)) == parts


def test_a_long_text_becomes_overlapping_windows_of_whole_words(encoder: Encoder) -> None:
    windows = encoder.encode(["the " * 30])[0]
    assert [window.first_word for window in windows] == [0, 6, 12, 18, 24]
    assert max(len(window.ids) for window in windows) == 12


def test_a_word_longer_than_the_window_keeps_its_beginning(encoder: Encoder) -> None:
    (window,) = encoder.encode(["a" * 60])[0]
    assert len(window.ids) == 12
    assert (window.word_starts.tolist(), window.word_ends.tolist()) == ([0], [60])


@pytest.mark.parametrize("text", ["a" * 100_000, "\u0301" * 100_000, "a" + "\u0301" * 100_000])
def test_a_hundred_thousand_characters_without_a_space_are_one_word_or_none(
    text: str, encoder: Encoder
) -> None:
    assert words(encoder, text) == ([text] if text.startswith("a") else [])


@settings(max_examples=50, deadline=None)
@given(text=TEXTS)
@example(text="the " * 40)
def test_words_lie_in_the_text_in_order_and_none_is_left_out(
    text: str, encoder: Encoder, tokenizer: Tokenizer
) -> None:
    windows = encoder.encode([text])[0]
    reference = [word for word in tokenizer.encode(text).word_ids if word is not None]
    seen: set[int] = set()
    for window in windows:
        assert (window.word_starts < window.word_ends).all()
        assert (window.word_ends[:-1] <= window.word_starts[1:]).all()
        assert window.word_starts[0] >= 0
        assert window.word_ends[-1] <= len(text)
        seen.update(range(window.first_word, window.first_word + len(window.word_starts)))
    assert seen == set(range(len(set(reference))))


@settings(max_examples=50, deadline=None)
@given(text=TEXTS)
@example(text="the " * 40)
def test_windows_are_framed_fit_and_point_at_their_pieces(text: str, encoder: Encoder) -> None:
    for window in encoder.encode([text])[0]:
        assert len(window.ids) == len(window.types) <= 12
        assert (window.ids[0], window.ids[-1]) == (CLS, SEP)
        assert (window.types[0], window.types[-1]) == (OTHER, OTHER)
        assert (np.diff(window.first_pieces) > 0).all()
        assert window.first_pieces[0] == 1
        assert window.first_pieces[-1] < len(window.ids) - 1


@settings(max_examples=50, deadline=None)
@given(texts=st.lists(TEXTS, min_size=1, max_size=6))
def test_a_text_is_encoded_the_same_in_every_company(texts: list[str], encoder: Encoder) -> None:
    together = [list(map(fields, windows)) for windows in encoder.encode(texts)]
    alone = [list(map(fields, encoder.encode([text])[0])) for text in texts]
    assert together == alone


def test_a_tokenizer_that_truncates_or_pads_is_made_to_stop(make_tokenizer: MakeTokenizer) -> None:
    tokenizer = make_tokenizer()
    tokenizer.enable_truncation(max_length=8)
    tokenizer.enable_padding(length=64)
    encoder = Encoder(tokenizer, max_tokens=100, stride=4, casing=False)
    (window,) = encoder.encode(["the " * 20])[0]
    assert len(window.ids) == 22


def test_a_tokenizer_without_frame_is_refused() -> None:
    bare = Tokenizer(WordPiece({"[UNK]": 0}, unk_token="[UNK]"))
    with pytest.raises(BundleError, match="0 special tokens"):
        Encoder(bare, max_tokens=8, stride=2, casing=False)


@pytest.mark.parametrize(("max_tokens", "stride"), [(8, 6), (8, -1), (2, 0)])
def test_a_stride_that_does_not_fit_is_refused(
    max_tokens: int, stride: int, make_tokenizer: MakeTokenizer
) -> None:
    with pytest.raises(BundleError, match="stride"):
        Encoder(make_tokenizer(), max_tokens=max_tokens, stride=stride, casing=False)


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b"[1]"])
def test_bytes_that_are_no_tokenizer_are_refused(data: bytes) -> None:
    with pytest.raises(BundleError, match=r"tokenizer\.json"):
        Encoder.from_bytes(data, max_tokens=8, stride=2, casing=False)
