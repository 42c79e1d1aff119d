from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from schemas.categories import Choose, check_chosen
from schemas.errors import BundleError, TaggingError
from schemas.files.manifest import Manifest
from schemas.types import Tagging
from stream.student import Student
from stream.student.heads.categories import choose_categories, pooled
from stream.testing.bundles import write_category_bundle
from stream.testing.onnx_table import table_model

LABELS = ("joy", "anger", "fear")
TEXTS = st.one_of(
    st.sampled_from(["", " \n", "x " * 300 + "rio" + " y" * 300, "👩\u200d👧 rio", "the " * 40]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
    st.lists(st.sampled_from(["the", "rio", "de", "un"]), max_size=60).map(" ".join),
)
MakeAttentive = Callable[[Choose, int], Student]


@pytest.fixture(scope="module")
def attentive(
    tmp_path_factory: pytest.TempPathFactory,
    make_tokenizer: Callable[[], Tokenizer],
    make_model: Callable[..., bytes],
    write_files: Callable[..., Manifest],
) -> MakeAttentive:
    """A student whose every answer depends on the whole window: company would show."""
    made: dict[tuple[Choose, int], Student] = {}

    def make(choose: Choose, n_labels: int) -> Student:
        if (choose, n_labels) not in made:
            folder = tmp_path_factory.mktemp("attentive")
            tokenizer = make_tokenizer()
            model = make_model(n_ids=tokenizer.get_vocab_size(), n_outputs=n_labels, mean=True)
            write_files(
                folder,
                model=model,
                tokenizer=tokenizer.to_str().encode(),
                labels=tuple(f"label{number}" for number in range(n_labels)),
                choose=choose,
            )
            made[choose, n_labels] = Student.load(folder)
        return made[choose, n_labels]

    return make


def student(folder: Path, choose: Choose, *, max_tokens: int = 128) -> Student:
    write_category_bundle(
        folder,
        labels=LABELS,
        choose=choose,
        words={"smile": "joy", "shout": "anger", "dark": "fear"},
        certainties={"dark": 0.7},
        broken_words=["boom"],
        max_tokens=max_tokens,
        stride=0,
    )
    return Student.load(folder)


def test_the_likeliest_label_is_chosen_with_its_probability(tmp_path: Path) -> None:
    (tagging,) = student(tmp_path, "one").tag(["so dark here"])
    assert [category.label for category in tagging.categories] == ["fear"]
    assert tagging.categories[0].confidence == tagging.score == pytest.approx(0.7)
    assert tagging.entities == ()


def test_any_labels_that_are_likely_are_chosen_sorted_and_the_least_sure_counts(
    tmp_path: Path,
) -> None:
    both, none = student(tmp_path, "any").tag(["a smile, a shout, dark", "calm"])
    assert [category.label for category in both.categories] == ["anger", "fear", "joy"]
    sure = [category.confidence for category in both.categories]
    assert sure == pytest.approx([0.99, 0.7, 0.99])
    assert both.score == pytest.approx(0.7)
    assert none.categories == ()
    assert none.score == pytest.approx(0.99)


def test_each_label_has_the_confidence_of_the_answer_about_it(tmp_path: Path) -> None:
    (one,) = student(tmp_path, "one").tag(["so dark here"])
    assert one.label_confidences == (1.0, 1.0, one.confidence)
    (some,) = student(tmp_path, "any").tag(["a smile, dark"])
    assert some.label_confidences == pytest.approx((0.99, 0.99, 0.7))
    assert min(some.label_confidences) == some.confidence


@pytest.mark.parametrize(("choose", "sure"), [("one", 0.0), ("any", 1.0)])
@pytest.mark.parametrize("text", ["", " \t\r\n", "\u0301"])
def test_a_text_without_words_has_no_category_and_is_wanted_where_it_needs_one(
    tmp_path: Path, choose: Choose, sure: float, text: str
) -> None:
    found = student(tmp_path, choose).tag(["smile", text, "shout"])
    assert found[1] == Tagging((), sure, sure)
    assert [bool(tagging.categories) for tagging in found] == [True, False, True]


@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_nothing_of_a_long_text_is_cut_off(tmp_path: Path, place: str) -> None:
    before, after = {"first": (0, 400), "middle": (200, 200), "last": (400, 0)}[place]
    text = "x " * before + "shout" + " y" * after
    with_it, without = student(tmp_path, "one", max_tokens=16).tag([text, "x " * 400])
    assert with_it.categories[0].label == "anger"
    assert with_it.score > without.score


def test_windows_weigh_as_many_as_they_have_tokens() -> None:
    logits = np.array([[1, 0], [4, 8], [-2, 2]], dtype=np.float32)
    assert pooled(logits, [[3, 1], [5]]).tolist() == [[1.75, 2], [-2, 2]]
    assert pooled(logits[:0], []).shape == (0, 2)


def test_far_logits_are_no_error() -> None:
    far = np.array([[1e4, -1e4], [-1e4, 1e4]])
    choices: tuple[Choose, ...] = ("one", "any")
    for choose in choices:
        chosen, _, scores = choose_categories(far, choose)
        assert chosen.tolist() == [[True, False], [False, True]]
        assert scores.tolist() == [1, 1]


def test_no_texts_give_no_taggings(tmp_path: Path) -> None:
    assert student(tmp_path, "one").tag([]) == []


def test_a_text_that_the_student_fails_on_raises(tmp_path: Path) -> None:
    with pytest.raises(TaggingError, match="no finite number"):
        student(tmp_path, "any").tag(["smile", "boom"])


@settings(max_examples=40, deadline=None)
@given(
    texts=st.lists(TEXTS, max_size=12),
    size=st.integers(1, 5),
    choose=st.sampled_from(["one", "any"]),
    n_labels=st.sampled_from([2, 3, 7, 32]),
)
def test_a_tagging_is_the_same_at_every_batch_size_and_in_every_company(
    attentive: MakeAttentive, texts: list[str], size: int, choose: Choose, n_labels: int
) -> None:
    student = attentive(choose, n_labels)
    together = student.tag(texts)
    assert together == student.tag(texts, micro_batch_records=size)
    assert together == student.tag(texts[::-1])[::-1]
    assert together == [student.tag([text])[0] for text in texts]
    for tagging, text in zip(together, texts, strict=True):
        assert 0 <= tagging.score <= 1
        if text.isascii() and text.strip():
            check_chosen(tagging.categories, labels=student.manifest.labels, choose=choose)


def test_one_label_alone_may_be_any(attentive: MakeAttentive) -> None:
    texts = ["rio", "the rio de janeiro", "un " * 50, "rio"]
    student = attentive("any", 1)
    assert student.tag(texts) == [student.tag([text])[0] for text in texts]


def test_a_model_of_words_is_no_student_of_categories(
    tmp_path: Path,
    make_tokenizer: Callable[[], Tokenizer],
    write_files: Callable[..., Manifest],
) -> None:
    tokenizer = make_tokenizer()
    model = table_model(np.ones((tokenizer.get_vocab_size(), 2), np.float32))
    write_files(tmp_path, model=model, tokenizer=tokenizer.to_str().encode(), choose="one")
    with pytest.raises(BundleError, match=r"shape \[1, 32, 2\], not \[1, 2\]"):
        Student.load(tmp_path)
