from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.alignment import aligned
from schemas.errors import ConfigError
from schemas.files.corpus import Example, read_corpus, write_jsonl
from schemas.types import Entity

LINE = '{"id": "a", "text": "Met Ada", "entities": [{"start": 4, "end": 7, "label": "PER"}]}'

_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@st.composite
def _examples(draw: st.DrawFn, number: int) -> Example:
    text = draw(_texts)
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=6)))
    spans = list(zip(cuts[::2], cuts[1::2], strict=False))
    selected = [Entity(start, end, "X", text[start:end]) for start, end in spans]
    entities = aligned(text, selected)
    scored = tuple(Entity(x.start, x.end, "Y", x.surface, 0.25) for x in entities[:1])
    meta = draw(st.dictionaries(_texts, st.none() | st.integers() | _texts, max_size=2))
    return Example(f"n{number}", text, entities, meta, draw(st.sampled_from([None, scored])))


def _written(folder: Path, name: str, data: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


@given(st.data())
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_examples_written_as_jsonl_read_back_equal(tmp_path: Path, data: st.DataObject) -> None:
    examples = [data.draw(_examples(number)) for number in range(data.draw(st.integers(1, 4)))]
    path = tmp_path / "corpus.jsonl"
    write_jsonl(path, examples)
    assert read_corpus(path) == examples


def test_offsets_count_code_points_and_give_the_surface(tmp_path: Path) -> None:
    line = '{"text": "\U0001f600 Å s\u030a", "entities": [{"start": 2, "end": 3, "label": "X"}]}'
    (example,) = read_corpus(_written(tmp_path, "c.jsonl", line))
    assert example.entities == (Entity(2, 3, "X", "Å"),)
    assert example.id == "c:1"


def test_recorded_answers_keep_their_scores_and_come_sorted(tmp_path: Path) -> None:
    answers = '[{"start":2,"end":3,"label":"Y","score":0.5},{"start":0,"end":1,"label":"X"}]'
    line = f'{{"text": "a b", "entities": [], "llm_entities": {answers}}}'
    (example,) = read_corpus(_written(tmp_path, "c.jsonl", line))
    assert example.llm_entities == (Entity(0, 1, "X", "a"), Entity(2, 3, "Y", "b", 0.5))


def test_blank_lines_byte_order_mark_and_crlf_do_no_harm(tmp_path: Path) -> None:
    path = _written(tmp_path, "c.jsonl", b"\xef\xbb\xbf" + LINE.encode() + b"\r\n\r\n")
    assert [example.text for example in read_corpus(path)] == ["Met Ada"]


def test_a_byte_order_mark_before_conll_is_no_part_of_the_first_word(tmp_path: Path) -> None:
    path = _written(tmp_path, "c.conll", b"\xef\xbb\xbfAda B-PER\n")
    assert read_corpus(path)[0].text == "Ada"


def test_a_line_separator_inside_a_text_does_not_end_the_line(tmp_path: Path) -> None:
    path = _written(tmp_path, "c.jsonl", '{"text": "a\u2028b\x85c", "entities": []}\n')
    assert read_corpus(path)[0].text == "a\u2028b\x85c"


def test_entities_may_only_be_missing_when_labels_are_not_asked_for(tmp_path: Path) -> None:
    path = _written(tmp_path, "c.jsonl", '{"text": "a"}')
    assert read_corpus(path, labelled=False)[0].entities == ()
    with pytest.raises(ConfigError, match=r"c\.jsonl:1: 'entities' is missing"):
        read_corpus(path)


def test_spans_that_are_none_of_the_text_do_not_keep_it_from_the_teacher(tmp_path: Path) -> None:
    path = _written(tmp_path, "c.jsonl", LINE.replace("7", "70"))
    assert read_corpus(path, labelled=False) == [Example("a", "Met Ada", ())]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"Met Ada"', "7", "'text' is not of type str"),
        ('"text"', '"tekst"', "'text' is missing"),
        ('"a"', "1.5", "'id' is neither a string nor a whole number"),
        ('"end": 7', '"end": 8', "out of the text's bounds"),
        ('"start": 4', '"start": 7', "out of the text's bounds"),
        ('"start": 4', '"start": -3', "out of the text's bounds"),
        ('"start": 4', '"start": true', "'start' is not of type int"),
        ('"start": 4', '"start": 4.0', "'start' is not of type int"),
        ('"PER"', '""', "'label' is empty"),
        ('"PER"', "null", "'label' is not of type str"),
        ('"PER"', '"PER", "score": NaN', "NaN is not JSON"),
        ('"PER"', '"PER", "score": "1"', "'score' is not of type float"),
        ('"PER"', '"PER", "score": 2', "'score' is not in [0, 1]"),
        ('"a"', '"\\ud83d"', "lone surrogate at code point 0"),
        ('"PER"', '"P\\ud83d"', "lone surrogate at code point 1"),
        ('"Met Ada"', '"Met \\ud800Ada"', "lone surrogate at code point 4"),
        ('[{"start"', '[1, {"start"', "an entity is not a JSON object"),
        ('"entities": [', '"entities": [' + "[" * 10_000, "nested too deeply"),
        ("}]}", "}]", "line 1 column"),
        ("{", "[{", "line 1 column"),
    ],
)
def test_a_wrong_line_is_refused_with_path_and_line(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    other = LINE.replace('"a"', '"b"', 1)
    path = _written(tmp_path, "c.jsonl", other + "\n\n" + LINE.replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        read_corpus(path)
    assert str(caught.value).startswith(f"{path}:3: ")
    assert words in str(caught.value)


def test_overlapping_gold_is_refused(tmp_path: Path) -> None:
    spans = '[{"start":0,"end":2,"label":"X"},{"start":1,"end":3,"label":"X"}]'
    path = _written(tmp_path, "c.jsonl", f'{{"text": "abc", "entities": {spans}}}')
    with pytest.raises(ConfigError, match="overlaps"):
        read_corpus(path)


def test_an_id_that_repeats_is_refused_with_both_lines(tmp_path: Path) -> None:
    path = _written(tmp_path, "c.jsonl", f"{LINE}\n{LINE}\n")
    with pytest.raises(ConfigError, match=r"c\.jsonl:2: the id of line 1 again: 'a'"):
        read_corpus(path)


ADA = '{"text": "Ada", "entities": []}'
PAIR = '["Ada", {"entities": []}]'


@pytest.mark.parametrize(
    "data",
    [
        f"[{ADA}, {ADA}, {ADA}]",
        f"[{PAIR}, {PAIR}, {PAIR}]",
        '[{"text": "Ada", "spans": []}, {"text": "Bo", "spans": []}, {"text": "Cy", "spans": []}]',
        f'{{"classes": [],\n "annotations": [\n{PAIR},\n{PAIR},\n{PAIR}]}}',
        f'{{"data": [{ADA}, {ADA}, {ADA}]}}',
    ],
    ids=["ours", "spacy", "prodigy", "wrapped pairs", "wrapped"],
)
def test_records_of_one_line_are_told_apart(tmp_path: Path, data: str) -> None:
    found = read_corpus(_written(tmp_path, "c.json", data))
    assert [one.id for one in found] == ["c:1", "c:1.2", "c:1.3"]


@pytest.mark.parametrize("data", [f"[\n{ADA}\n{ADA}]", f"[{ADA},\n,{ADA}]", f"[{ADA},\n]"])
def test_a_list_whose_commas_are_wrong_is_refused(tmp_path: Path, data: str) -> None:
    with pytest.raises(ConfigError, match=r"c\.json:(2|3): "):
        read_corpus(_written(tmp_path, "c.json", data))


def test_a_name_that_a_record_has_taken_is_not_given_again(tmp_path: Path) -> None:
    named = ADA.replace("{", '{"id": "c:1.2", ')
    found = read_corpus(_written(tmp_path, "c.json", f"[{ADA}, {named}, {ADA}]"))
    assert [one.id for one in found] == ["c:1", "c:1.2", "c:1.3"]


@pytest.mark.parametrize("name", ["c.jsonl", "c.conll"])
def test_bytes_that_are_not_utf8_are_refused_with_path_and_line(tmp_path: Path, name: str) -> None:
    path = _written(tmp_path, name, b"\n\xff\n")
    with pytest.raises(ConfigError, match=rf"{name}:2: not UTF-8 at byte 0"):
        read_corpus(path)


@pytest.mark.parametrize("name", ["c.jsonl", "c.conll"])
def test_an_empty_corpus_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="empty"):
        read_corpus(_written(tmp_path, name, "\n"))


def test_a_missing_corpus_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the corpus"):
        read_corpus(tmp_path / "none.jsonl")


def _spans(folder: Path, tagged: str) -> list[tuple[str, str]]:
    lines = "\n".join(pair.replace("/", " ") for pair in tagged.split())
    (example,) = read_corpus(_written(folder, "c.iob", lines))
    return [(entity.surface, entity.label) for entity in example.entities]


@pytest.mark.parametrize(
    "tagged",
    [
        "New/B-LOC York/I-LOC Ada/B-PER Bo/B-PER is/O",
        "New/I-LOC York/I-LOC Ada/I-PER Bo/B-PER is/O",
        "New/B-LOC York/E-LOC Ada/S-PER Bo/S-PER is/O",
        "New/B-LOC York/L-LOC Ada/U-PER Bo/U-PER is/O",
    ],
    ids=["iob2", "iob1", "bioes", "bilou"],
)
def test_conll_tags_of_every_scheme_give_the_same_entities(tmp_path: Path, tagged: str) -> None:
    assert _spans(tmp_path, tagged) == [("New York", "LOC"), ("Ada", "PER"), ("Bo", "PER")]


def test_conll_words_are_joined_by_single_spaces(tmp_path: Path) -> None:
    text = "-DOCSTART- -X- O\n\n# text = I am O\nAda NNP B-PER\n# SYM O\n\n\nOslo\tB-LOC"
    first, second = read_corpus(_written(tmp_path, "c.conll", text))
    assert first == Example("c:4", "Ada #", (Entity(0, 3, "PER", "Ada"),))
    assert second == Example("c:8", "Oslo", (Entity(0, 4, "LOC", "Oslo"),))


@pytest.mark.parametrize("line", ["Ada", "Ada PER", "Ada B-", "Ada X-PER"])
def test_a_conll_line_without_a_tag_is_refused_with_path_and_line(
    tmp_path: Path, line: str
) -> None:
    path = _written(tmp_path, "c.txt", f"Oslo B-LOC\n{line}\n")
    with pytest.raises(ConfigError, match=r"c\.txt:2: expected a word"):
        read_corpus(path)


@pytest.mark.data
def test_the_corpora_at_hand_are_read(data_dir: Path) -> None:
    assert len(read_corpus(data_dir / "uner_ewt" / "dev.jsonl")) == 2001
    answers = read_corpus(data_dir / "llm_crossner_promptner" / "gpt_2023-09.jsonl")
    assert all(example.llm_entities is not None for example in answers)
