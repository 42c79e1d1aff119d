from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
import tokenizers
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE, Unigram, WordLevel, WordPiece

from schemas.errors import BundleError
from stream.student.encoding import Encoder
from stream.student.tokenizer_check import checked_tokenizer

Json = dict[str, Any]
PIECES = {"[UNK]": 0, "<s>": 1, "</s>": 2, "a": 3, "b": 4, "▁": 5}


def a_tokenizer(model: Any = None, **parts: Any) -> Tokenizer:
    """One that frames a text, with other parts where they are given."""
    made = Tokenizer(model or WordPiece(PIECES, unk_token="[UNK]"))
    frame = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    for name, part in {"post_processor": frame, **parts}.items():
        setattr(made, name, part)
    return made


def as_json(tokenizer: Tokenizer) -> Json:
    found: Json = json.loads(tokenizer.to_str())
    return found


def charsmap(*replacements: bytes, trie: bytes = b"\0" * 16) -> str:
    data = len(trie).to_bytes(4, "little") + trie + b"".join(one + b"\0" for one in replacements)
    return base64.b64encode(data).decode()


USUAL = {
    "BERT": a_tokenizer(
        normalizer=normalizers.BertNormalizer(), pre_tokenizer=pre_tokenizers.BertPreTokenizer()
    ),
    "RoBERTa": a_tokenizer(
        BPE(PIECES, [("a", "b")][:0]),
        pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=False),
        post_processor=processors.RobertaProcessing(("</s>", 2), ("<s>", 1)),
        decoder=decoders.ByteLevel(),
    ),
    "XLM-R": a_tokenizer(
        Unigram([(piece, -float(number)) for piece, number in PIECES.items()], 0),
        normalizer=normalizers.Sequence(
            [normalizers.NFKC(), normalizers.Replace(tokenizers.Regex(" {2,}"), " ")]
        ),
        pre_tokenizer=pre_tokenizers.Sequence(
            [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
        ),
        decoder=decoders.Metaspace(),
    ),
    "DeBERTa": a_tokenizer(
        Unigram([(piece, -1.5) for piece in PIECES], 0),
        normalizer=normalizers.Sequence([normalizers.Strip(), normalizers.Replace("``", '"')]),
        pre_tokenizer=pre_tokenizers.Metaspace(prepend_scheme="first"),
    ),
    "ModernBERT": a_tokenizer(
        BPE(PIECES, []),
        normalizer=normalizers.NFC(),
        pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True),
        decoder=decoders.ByteLevel(),
    ),
    "words": a_tokenizer(
        WordLevel(PIECES, "[UNK]"),
        normalizer=normalizers.Lowercase(),
        pre_tokenizer=pre_tokenizers.Whitespace(),
    ),
}


@pytest.mark.parametrize("name", USUAL)
def test_the_tokenizers_of_the_usual_encoders_pass_and_mean_the_same(name: str) -> None:
    original = USUAL[name]
    checked = Tokenizer.from_buffer(checked_tokenizer(original.to_str().encode()))
    for text in ("ab a  b ▁", "``A'' Ä\n王"):
        ours, theirs = checked.encode(text), original.encode(text)
        assert (ours.ids, ours.offsets) == (theirs.ids, theirs.offsets)


def test_a_sound_character_map_passes() -> None:
    found = as_json(USUAL["words"]) | {
        "normalizer": {"type": "Precompiled", "precompiled_charsmap": charsmap(b"a", b"")}
    }
    checked_tokenizer(json.dumps(found).encode())


def normalizer(kind: str, **options: Any) -> Callable[[Json], None]:
    return lambda found: found.update(normalizer={"type": kind, **options})


def pre_tokenizer(kind: str, **options: Any) -> Callable[[Json], None]:
    return lambda found: found.update(pre_tokenizer={"type": kind, **options})


def model(**options: Any) -> Callable[[Json], None]:
    return lambda found: found["model"].update(options)


def template(tokens: int) -> Callable[[Json], None]:
    pieces = [{"SpecialToken": {"id": "<s>", "type_id": 0}}] * tokens
    return lambda found: found["post_processor"].update(single=pieces)


ADDED = {"id": 0, "content": "a", "single_word": False, "lstrip": False, "rstrip": False}
ADDED |= {"normalized": False, "special": True}
HOSTILE: dict[str, tuple[Callable[[Json], object], str]] = {
    "a text for each letter": (
        normalizer("Replace", pattern={"String": "a"}, content="b" * 10_000_000),
        "normalizer Replace: its pattern; normalizer Replace: its content",
    ),
    "an empty pattern": (
        normalizer("Replace", pattern={"String": ""}, content=" "),
        "normalizer Replace: its pattern",
    ),
    "a regular expression": (
        normalizer("Replace", pattern={"Regex": "(a+)+$"}, content=" "),
        "normalizer Replace: its pattern",
    ),
    "a long beginning": (normalizer("Prepend", prepend="a" * 100), "Prepend: its prepend"),
    "splitting by a regular expression": (
        pre_tokenizer("Split", pattern={"Regex": "(a+)+$"}, behavior="Isolated", invert=False),
        "pre_tokenizer Split: its pattern",
    ),
    "characters of a megabyte": (
        normalizer("Precompiled", precompiled_charsmap=charsmap(b"a" * 65)),
        "its precompiled_charsmap",
    ),
    "a character map that is cut off": (
        normalizer("Precompiled", precompiled_charsmap=charsmap()[:8]),
        "its precompiled_charsmap",
    ),
    "a character map that is none": (
        normalizer("Precompiled", precompiled_charsmap="?"),
        "its precompiled_charsmap",
    ),
    "an unknown normalizer": (normalizer("Shell", command="rm"), "normalizer Shell"),
    "a normalizer of no type": (
        lambda found: found.update(normalizer=["NFC"]),
        "normalizer of no type",
    ),
    "an unknown option": (normalizer("NFC", more=1), "NFC: its unknown 'more'"),
    "a missing option": (normalizer("Strip", strip_left=True), "Strip: its strip_right"),
    "a number for a truth": (
        normalizer("Strip", strip_left=1, strip_right=True),
        "Strip: its strip_left",
    ),
    "a sequence within a sequence": (
        normalizer("Sequence", normalizers=[{"type": "Sequence", "normalizers": []}]),
        "normalizer Sequence",
    ),
    "a sequence without end": (
        normalizer("Sequence", normalizers=[{"type": "NFC"}] * 9),
        "more than 8 steps",
    ),
    "a sequence of no list": (normalizer("Sequence", normalizers={}), "Sequence: its keys"),
    "an unknown pre-tokenizer": (pre_tokenizer("UnicodeScripts"), "pre_tokenizer UnicodeScripts"),
    "a long replacement": (
        pre_tokenizer("Metaspace", replacement="ab", prepend_scheme="always", split=True),
        "Metaspace: its replacement",
    ),
    "an unknown post-processor": (
        lambda found: found.update(post_processor={"type": "Other"}),
        "post_processor Other",
    ),
    "a frame of many tokens": (template(17), "TemplateProcessing: its single"),
    "a token of many": (
        lambda found: found["post_processor"]["special_tokens"]["<s>"].update(ids=[1] * 9),
        "its special_tokens",
    ),
    "an unknown decoder": (lambda found: found.update(decoder={"type": "CTC"}), "decoder CTC"),
    "an unknown model": (model(type="Other"), "the model Other"),
    "no model": (lambda found: found.pop("model"), "the model of no type"),
    "words of any length": (
        model(max_input_chars_per_word=10**6),
        "WordPiece: its max_input_chars_per_word",
    ),
    "a vocabulary of numbers beyond 32 bits": (model(vocab={"a": 2**32}), "its vocab"),
    "a vocabulary with one number twice": (model(vocab={"a": 1, "b": 1}), "its vocab"),
    "a vocabulary of long pieces": (model(vocab={"a" * 513: 1}), "its vocab"),
    "no vocabulary": (model(vocab={}), "its vocab"),
    "lots that are drawn": (
        lambda found: found.update(model=as_json(USUAL["RoBERTa"])["model"] | {"dropout": 0.5}),
        "BPE: its dropout",
    ),
    "merges of three": (
        lambda found: found.update(
            model=as_json(USUAL["RoBERTa"])["model"] | {"merges": [["a", "b", "a"]]}
        ),
        "BPE: its merges",
    ),
    "scores that are no numbers": (
        lambda found: found.update(
            model={"type": "Unigram", "unk_id": 0, "byte_fallback": False, "vocab": [["a", "b"]]}
        ),
        "Unigram: its vocab",
    ),
    "an infinite score": (
        lambda found: found.update(
            model={"type": "Unigram", "unk_id": 0, "byte_fallback": False, "vocab": [["a", 1e999]]}
        ),
        "Unigram: its vocab|cannot be read",
    ),
    "an added token of no content": (
        lambda found: found.update(added_tokens=[ADDED | {"content": ""}]),
        "added token 0: its content",
    ),
    "an added token that is none": (
        lambda found: found.update(added_tokens=[ADDED, "a"]),
        "added token 1",
    ),
    "many added tokens": (lambda found: found.update(added_tokens=[ADDED] * 10_001), "10000"),
    "another version": (lambda found: found.update(version="2.0"), "version"),
    "an unknown key": (lambda found: found.update(plugin="x"), "the key 'plugin'"),
    "half a character": (model(vocab={"\ud800": 1}), "half a character"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_tokenizer_is_refused(name: str) -> None:
    change, reason = HOSTILE[name]
    found = as_json(USUAL["BERT"])
    change(found)
    with pytest.raises(BundleError, match=reason):
        checked_tokenizer(json.dumps(found).encode())


def test_all_faults_are_named_in_one_error() -> None:
    found = as_json(USUAL["BERT"]) | {"normalizer": {"type": "A"}, "decoder": {"type": "B"}}
    found["post_processor"] = {"type": "C"}
    with pytest.raises(BundleError, match=r"normalizer A; post_processor C; the decoder B$"):
        checked_tokenizer(json.dumps(found).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b'{"a": NaN}'])
def test_bytes_that_are_no_tokenizer_are_refused(data: bytes) -> None:
    with pytest.raises(BundleError, match=r"tokenizer\.json cannot be read"):
        checked_tokenizer(data)


def test_what_is_checked_is_what_is_loaded() -> None:
    """Of a key that is there twice one reader takes the first, and one the last."""
    text = json.dumps(as_json(USUAL["BERT"]))
    evil = '"normalizer": {"type": "Replace", "pattern": {"String": "a"}, "content": "bb"}, '
    twice = "{" + evil + text[1:]
    checked = checked_tokenizer(twice.encode())
    assert checked.count(b'"normalizer"') == 1
    assert b"Replace" not in checked


def test_what_a_student_has_no_use_for_is_left_out() -> None:
    found = as_json(USUAL["RoBERTa"])
    found["truncation"] = {"max_length": 1, "direction": "Right"}
    checked = json.loads(checked_tokenizer(json.dumps(found).encode()))
    assert (checked["truncation"], checked["padding"], checked["decoder"]) == (None, None, None)


def test_a_tokenizer_that_panics_is_a_bad_bundle_or_loads() -> None:
    """What the library's checks find by a panic does not end who loads it."""
    found = as_json(USUAL["words"])
    trie = bytes(range(256)) * 4
    found["normalizer"] = {
        "type": "Precompiled",
        "precompiled_charsmap": charsmap(b"a", "ä".encode()[:1], trie=trie),
    }
    with pytest.raises(BundleError, match="cannot be read"):
        Encoder.from_bytes(json.dumps(found).encode(), max_tokens=16, stride=2, casing=False)
