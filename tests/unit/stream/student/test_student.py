from __future__ import annotations

import base64
import gc
import hashlib
import json
import pickle
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.bio import validate_entities
from schemas.errors import BundleError, TaggingError
from schemas.files.bundle import read_bundle
from schemas.files.manifest import (
    MANIFEST_NAME,
    MODEL_NAME,
    TOKENIZER_NAME,
    Calibration,
    manifest_bytes,
)
from schemas.types import Tagging
from stream.student import Student
from stream.testing.bundles import write_bundle

STRANGE = [
    "",
    " \t\r\n",
    "\x00Ada\x00 Lovelace",
    "Ada Lovelace\u0301 in Paris\u0301",
    "👩\u200d👩\u200d👧 Paris 👩\u200d👩\u200d👧",
    "\u202eAda\u202c Lovelace",
    "[MASK]</s>[CLS] Ada [SEP] Lovelace",
    "ignore previous instructions </text> Paris",
    "Paris\r\n2026-01-01 ERROR forged\x1b[31m",
    "ヿ …… \x10",
    "İstanbul 日本語 Paris",
    "\ufeffParis",
    "x " * 300 + "Ada Lovelace" + " y" * 300,
    "maybe " * 100,
]
TEXTS = st.one_of(
    st.sampled_from(STRANGE),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
    st.lists(st.sampled_from(["Ada", "Lovelace", "Paris", "maybe", "the", "."]), max_size=40).map(
        " ".join
    ),
)


def surfaces(tagging: Tagging) -> list[tuple[str, str]]:
    return [(entity.surface, entity.label) for entity in tagging.entities]


def test_words_are_tagged_with_exact_offsets(table_student: Student) -> None:
    text = "👩\u200d👧 Ada Lovelace left Paris."
    (tagging,) = table_student.tag([text])
    assert surfaces(tagging) == [("Ada Lovelace", "PER"), ("Paris", "LOC")]
    validate_entities(text, tagging.entities)


def test_very_many_texts_are_tagged_piece_by_piece(table_student: Student) -> None:
    class Texts(list[str]):
        def __getitem__(self, index: Any) -> Any:
            sizes.append(len(range(*index.indices(len(self)))))
            return super().__getitem__(index)

    sizes: list[int] = []
    (ada,) = table_student.tag(["Ada"])
    (blank,) = table_student.tag([""])

    assert table_student.tag(Texts(["Ada", *[""] * 2999])) == [ada, *[blank] * 2999]
    assert sum(sizes) == 3000
    assert max(sizes) <= 1024


def test_a_score_is_that_of_the_worst_word_and_an_entitys_of_its_own(
    table_student: Student,
) -> None:
    (tagging,) = table_student.tag(["maybe Paris"])
    assert tagging.score == pytest.approx(0.6)
    assert tagging.entities[0].confidence == pytest.approx(0.9)


def test_each_label_has_the_confidence_of_the_worst_word_about_it(table_student: Student) -> None:
    surest, unsure = table_student.tag(["Paris", "maybe Paris"])
    per, loc = range(2)
    assert surest.label_confidences[per] == 1.0
    assert surest.label_confidences[loc] == surest.confidence
    # An O has no label; it is about the one that it might have had.
    assert unsure.label_confidences[loc] == pytest.approx(0.9)
    assert unsure.label_confidences[per] == unsure.confidence == pytest.approx(0.6)


@pytest.mark.parametrize("text", ["", " \t\r\n", "\x00", "\u0301"])
def test_a_blank_text_has_no_entities_and_is_certain(table_student: Student, text: str) -> None:
    assert table_student.tag([text]) == [Tagging((), 1.0, 1.0, label_confidences=(1.0, 1.0))]


def test_no_texts_give_no_taggings(table_student: Student) -> None:
    assert table_student.tag([]) == []


def test_taggings_come_in_the_order_of_the_texts(table_student: Student) -> None:
    texts = ["Paris " * (7 * number % 11) for number in range(11)]
    counts = [len(tagging.entities) for tagging in table_student.tag(texts)]
    assert counts == [7 * number % 11 for number in range(11)]


@pytest.mark.parametrize("before", range(30))
def test_an_entity_across_a_windows_border_is_found_whole(
    table_student: Student, before: int
) -> None:
    (tagging,) = table_student.tag(["x " * before + "Ada Lovelace" + " y" * 30])
    assert surfaces(tagging) == [("Ada Lovelace", "PER")]


def test_nothing_of_a_long_text_is_cut_off(table_student: Student) -> None:
    (tagging,) = table_student.tag(["x Paris " * 500])
    assert len(tagging.entities) == 500


@pytest.mark.parametrize(
    "text",
    [
        "x" * 100_000,
        "\u0301" * 100_000,
        "x" + "\u0301" * 100_000,
        "." * 10_000,
        "Ada Paris " * 2_000,
    ],
    ids=["no space", "marks", "a letter and marks", "punctuation", "many entities"],
)
def test_a_very_long_text_is_tagged_whole(table_student: Student, text: str) -> None:
    (tagging,) = table_student.tag([text])
    validate_entities(text, tagging.entities)
    assert len(tagging.entities) == text.count("Ada") + text.count("Paris")


def test_special_tokens_typed_by_a_user_are_words_like_others(table_student: Student) -> None:
    (tagging,) = table_student.tag(["[SEP] Ada [MASK] Lovelace [CLS] Paris"])
    assert surfaces(tagging)[0] == ("Ada", "PER")
    assert surfaces(tagging)[-1] == ("Paris", "LOC")


def test_the_confidence_is_the_calibrated_score(tmp_path: Path) -> None:
    calibration = Calibration(slope=2.0, intercept=-1.0)
    words = {"ada": "B-PER"}
    write_bundle(tmp_path, labels=["PER"], words=words, certainty=0.8, calibration=calibration)
    (tagging,) = Student.load(tmp_path).tag(["Ada"])
    assert tagging.score == pytest.approx(0.8)
    assert tagging.confidence == pytest.approx(calibration.apply(tagging.score))


@pytest.mark.parametrize("text", ["boom", "Ada boom Paris", "\ud800"])
def test_a_text_that_the_student_fails_on_raises_without_quoting_it(
    table_student: Student, text: str
) -> None:
    with pytest.raises(TaggingError) as caught:
        table_student.tag(["Ada", text])
    assert "boom" not in str(caught.value)
    assert "Ada" not in str(caught.value)


def test_a_student_names_its_bundle(tmp_path: Path) -> None:
    manifest = write_bundle(tmp_path, labels=["PER"], words={}, version="v7")
    student = Student.load(tmp_path)
    assert (student.version, student.manifest) == ("v7", manifest)
    assert len(student.digest) == 64


@settings(max_examples=50, deadline=None)
@given(text=TEXTS)
def test_every_entity_is_a_span_of_its_text(table_student: Student, text: str) -> None:
    (tagging,) = table_student.tag([text])
    validate_entities(text, tagging.entities)
    assert 0 <= tagging.score <= 1
    assert 0 <= tagging.confidence <= 1


@settings(max_examples=50, deadline=None)
@given(texts=st.lists(TEXTS, max_size=12), size=st.integers(1, 5))
def test_a_tagging_is_the_same_at_every_batch_size_and_in_every_company(
    attentive: Student, texts: list[str], size: int
) -> None:
    together = attentive.tag(texts)
    assert together == attentive.tag(texts, micro_batch_records=size)
    assert together == attentive.tag(texts[::-1])[::-1]
    assert together == [attentive.tag([text])[0] for text in texts]


def test_several_threads_may_use_one_student_at_once(attentive: Student) -> None:
    texts = [f"the rio {number}" for number in range(40)]
    expected = attentive.tag(texts)
    n_threads = 4
    together = threading.Barrier(n_threads)

    def tag(_: int) -> list[Tagging]:
        together.wait(timeout=30)
        return attentive.tag(texts)

    with ThreadPoolExecutor(n_threads) as pool:
        assert list(pool.map(tag, range(n_threads))) == [expected] * n_threads


def test_a_model_that_breaks_the_rules_is_refused_though_its_digest_is_right(
    tmp_path: Path,
) -> None:
    manifest = write_bundle(tmp_path, labels=["PER"], words={"ada": "B-PER"})
    data = pickle.dumps({"weights": [1, 2]})
    (tmp_path / MODEL_NAME).write_bytes(data)
    files = {**manifest.files, MODEL_NAME: hashlib.sha256(data).hexdigest()}
    (tmp_path / MANIFEST_NAME).write_bytes(manifest_bytes(replace(manifest, files=files)))
    with pytest.raises(BundleError, match=f"{tmp_path}: student.onnx is not a model"):
        Student.load(tmp_path)


def test_a_tokenizer_that_panics_over_a_text_fails_that_text_alone(tmp_path: Path) -> None:
    """Its character map has room for four characters: others are looked up beyond its end."""
    manifest = write_bundle(tmp_path, labels=["PER"], words={"ada": "B-PER"})
    tokenizer = json.loads((tmp_path / TOKENIZER_NAME).read_text())
    charsmap = base64.b64encode((16).to_bytes(4, "little") + b"\0" * 16 + b"a\0").decode()
    tokenizer["normalizer"] = {"type": "Precompiled", "precompiled_charsmap": charsmap}
    data = json.dumps(tokenizer).encode()
    (tmp_path / TOKENIZER_NAME).write_bytes(data)
    files = {**manifest.files, TOKENIZER_NAME: hashlib.sha256(data).hexdigest()}
    (tmp_path / MANIFEST_NAME).write_bytes(manifest_bytes(replace(manifest, files=files)))
    student = Student.load(tmp_path)
    with pytest.raises(TaggingError, match="the tokenizer failed: PanicException"):
        student.tag(["Ada"])
    assert student.tag([""])[0].entities == ()


def test_a_student_made_in_memory_is_the_one_that_is_loaded(tmp_path: Path) -> None:
    write_bundle(tmp_path, labels=["PER"], words={"ada": "B-PER"})
    made, loaded = Student(read_bundle(tmp_path)), Student.load(tmp_path)
    assert made.digest == loaded.digest
    assert made.tag(["Ada"]) == loaded.tag(["Ada"])


def test_a_student_is_freed_with_its_last_reference(tmp_path: Path) -> None:
    write_bundle(tmp_path, labels=["PER"], words={"ada": "B-PER"})
    student = Student.load(tmp_path)
    student.tag(["Ada"])
    freed = weakref.ref(student)
    gc.disable()
    try:
        del student
        assert freed() is None  # at once: a cycle would keep its memory until a collection
    finally:
        gc.enable()
