from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.alignment import aligned
from schemas.categories import of_labels
from schemas.errors import ConfigError
from schemas.files.corpus import Example, Format, import_corpus, reading
from schemas.files.corpus.write import CATEGORY_WRITERS, WRITERS, writer
from schemas.types import Entity

_texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20).filter(
    lambda text: text.strip()
)


@st.composite
def _corpus(draw: st.DrawFn) -> list[Example]:
    texts = draw(st.lists(_texts, min_size=1, max_size=3, unique=True))
    return [Example(f"n{n}", text, draw(_entities(text))) for n, text in enumerate(texts)]


@st.composite
def _entities(draw: st.DrawFn, text: str) -> tuple[Entity, ...]:
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=6)))
    spans = [Entity(a, b, "X", text[a:b]) for a, b in zip(cuts[::2], cuts[1::2], strict=False)]
    return aligned(text, spans)


@pytest.mark.parametrize("form", WRITERS)
@given(examples=_corpus())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read_back_without_loss(
    tmp_path: Path, form: Format, examples: list[Example]
) -> None:
    path = tmp_path / "out"
    path.write_text("".join(writer(form)(examples)), encoding="utf-8", newline="")
    found = import_corpus(path, how=reading(form)).examples
    said = [(one.text, one.entities) for one in found]
    assert said == [(one.text, one.entities) for one in examples]
    if form != "spacy":
        assert [one.id for one in found] == [one.id for one in examples]


@pytest.mark.parametrize("form", WRITERS)
def test_what_is_written_is_recognised(tmp_path: Path, form: Format) -> None:
    ada = Example("1", "\U0001f389 Ada left", (Entity(2, 5, "PER", "Ada"),), {"n": 1})
    (tmp_path / "out").write_text("".join(writer(form)([ada])), encoding="utf-8")
    assert import_corpus(tmp_path / "out").report.format == form


def test_plain_text_cannot_hold_labels() -> None:
    with pytest.raises(ConfigError, match="--format must be one of jsonl, conll"):
        writer("text")


@pytest.mark.parametrize("form", CATEGORY_WRITERS)
def test_categories_are_written_and_read_back_without_loss(tmp_path: Path, form: Format) -> None:
    labels: list[list[str]] = [["sad"], [], ["glad and calm", "sad"]]
    examples = [
        Example(f"n{n}", f'"a",\t{n}\nb', (), categories=of_labels(given))
        for n, given in enumerate(labels)
    ]
    (tmp_path / "out").write_text(
        "".join(writer(form, "categories")(examples)), encoding="utf-8", newline=""
    )
    alike: dict[Format, Format] = {"doccano": "jsonl", "hf": "jsonl"}
    for how in (reading(), reading(form)):
        found = import_corpus(tmp_path / "out", how=how)
        said = [(one.text, one.entities, one.categories) for one in found.examples]
        assert said == [(one.text, one.entities, one.categories) for one in examples]
        assert form == "spacy" or [one.id for one in found.examples] == ["n0", "n1", "n2"]
        assert found.report.format == (how.format or alike.get(form, form))
        assert found.report.kind == "categories"


def test_tags_of_words_cannot_hold_categories() -> None:
    with pytest.raises(ConfigError, match="spacy, hf for categories, not 'conll'"):
        writer("conll", "categories")
