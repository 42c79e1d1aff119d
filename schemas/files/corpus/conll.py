"""CoNLL columns: one word a line, with its tag; sentences parted by blank lines.

The word stands in the first column and the tag in the last, unless `--columns` says otherwise.
A line with tabs is parted by tabs, so that a word may hold spaces, others by spaces; no-break
spaces are part of words. The text is the words joined by single spaces, or what a `# json_text`
line says. `# id` and `# sent_id` lines give the id; other comments and `-DOCSTART-` lines are
passed over.

Source: https://www.clips.uantwerpen.be/conll2003/ner/
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from schemas._json import strict_json
from schemas.errors import ConfigError
from schemas.files.corpus.example import Example, Record
from schemas.files.corpus.options import Reading, refuse_columns
from schemas.files.corpus.source import Source
from schemas.files.corpus.words import TAG, joined, spans_in, tagged_words

_COMMENT = re.compile(r"#\s*\S+\s=(\s|$)|#(?:sent_id|id)\s*[=:]")
_ID = re.compile(r"#\s*(?:sent_id|id)(?:\s*[=:]\s*|\s+)(\S+)")
_TEXT = re.compile(r"# json_text = (.*)")
_COUNT = re.compile(r"\d+(?:[-.]\d+)?")
_SPACES = re.compile(r"[ \t\r\f\v]+")
_EXPECTED = "expected a word and, last, a tag such as O or B-PER"


@dataclass(slots=True)
class _Sentence:
    rows: list[tuple[int, list[str]]] = field(default_factory=list)
    id: str | None = None
    text: str | None = None


def read(source: Source, how: Reading, *, labelled: bool) -> Iterator[Record]:  # noqa: ARG001
    """Yield a record a sentence."""
    refuse_columns(how.columns, ("word", "tag"), "conll")
    word, tag = (_number(how.columns, part) for part in ("word", "tag"))
    sentences = list(_sentences(source))
    if word is None:
        _refuse_numbered(source, sentences)
    seen: set[str] = set()
    for sentence in sentences:
        again = sentence.id is not None and sentence.id in seen
        seen.add(sentence.id or "")
        yield _record(source, sentence, word or 1, tag, again=again)


def write(examples: Sequence[Example]) -> Iterator[str]:
    """Yield a block a text; a comment keeps the text as it is."""
    for example in examples:
        if words := "".join(f"{word}\t{tag}\n" for word, tag in tagged_words(example)):
            text = json.dumps(example.text, ensure_ascii=False)
            yield f"# id = {_one_word(example.id)}\n# json_text = {text}\n{words}\n"


def looks_like(lines: Sequence[str]) -> bool:
    """Whether these lines, not blank ones, are mostly words with a tag behind."""
    rows = [cells(line) for line in lines if not _is_markup(line)]
    tagged = sum(len(row) > 1 and TAG.fullmatch(row[-1]) is not None for row in rows)
    return tagged * 2 > len(rows)


def cells(line: str) -> list[str]:
    """Part a line: by its tabs, or by spaces where it has none."""
    if "\t" in line:
        return [cell.strip(" ") for cell in line.strip(" \t\r").split("\t")]
    return [cell for cell in _SPACES.split(line) if cell]


def _sentences(source: Source) -> Iterator[_Sentence]:
    sentence = _Sentence()
    for number, line in enumerate([*source.lines, ""], start=1):
        if not line.strip():
            if sentence.rows:
                yield sentence
                sentence = _Sentence()
        elif _is_markup(line):
            _note(source, number, line, sentence)
        else:
            sentence.rows.append((number, cells(line)))


def _note(source: Source, number: int, line: str, sentence: _Sentence) -> None:
    if found := _ID.match(line):
        sentence.id = found[1]
    elif found := _TEXT.match(line):
        try:
            sentence.text = str(strict_json(found[1]))
        except ValueError as error:
            raise source.error(number, f"# json_text: {error}") from None


def _is_markup(line: str) -> bool:
    if line.startswith("-DOCSTART-") or _COMMENT.match(line):
        return True
    row = cells(line)
    return row[:1] == ["#"] and TAG.fullmatch(row[-1]) is None


def _record(
    source: Source, sentence: _Sentence, word: int, tag: int | None, *, again: bool
) -> Record:
    line = sentence.rows[0][0]
    words = [_cell(source, number, row, word) for number, row in sentence.rows]
    tags = [_tag(source, number, row, tag) for number, row in sentence.rows]
    try:
        text, spans = joined(words, tags)
        if sentence.text is not None:
            text, spans = sentence.text, spans_in(sentence.text, words, tags)
    except ValueError as error:
        raise source.error(line, error) from None
    return Record(
        line=line,
        text=text,
        spans=spans,
        id=None if again else sentence.id,
        mended=("id_again",) if again else (),
    )


def _cell(source: Source, number: int, row: list[str], column: int) -> str:
    if column > len(row) or not row[column - 1]:
        wanted = f"expected a word in column {column}" if column > 1 else _EXPECTED
        raise source.error(number, wanted)
    return row[column - 1]


def _tag(source: Source, number: int, row: list[str], column: int | None) -> str:
    at = len(row) if column is None else column
    if len(row) == 1 or at > len(row) or not TAG.fullmatch(row[at - 1]):
        named = f"expected a tag such as O or B-PER in column {at}"
        raise source.error(number, _EXPECTED if column is None else named)
    return row[at - 1]


def _number(columns: Mapping[str, str], part: str) -> int | None:
    found = columns.get(part)
    if found is None:
        return None
    if not found.isdecimal() or int(found) < 1:
        raise ConfigError(f"--columns: {part}={found} must be a number, 1 is the first column")
    return int(found)


def _refuse_numbered(source: Source, sentences: list[_Sentence]) -> None:
    """Refuse a first column that counts: its numbers are not the words."""
    if not sentences or not all(map(_counts, sentences)):
        return
    line, row = sentences[0].rows[0]
    tags = [n for n in range(2, len(row) + 1) if _all_tags(sentences, n)]
    wide = len(row) > 2 or any(len(sentence.rows) > 1 for sentence in sentences)  # noqa: PLR2004
    if wide:
        others = f" (columns {', '.join(map(str, tags))} are tags)" if len(tags) > 1 else ""
        raise source.error(
            line,
            "the first column only counts the words: pass --columns "
            f"word=2,tag={tags[0] if tags else len(row)}{others}; word=1 if these are the words",
        )


def _counts(sentence: _Sentence) -> bool:
    """Whether its first column is all numbers, as CoNLL-U has them; a kept text has the words."""
    return sentence.text is None and all(_COUNT.fullmatch(row[0]) for _, row in sentence.rows)


def _all_tags(sentences: list[_Sentence], column: int) -> bool:
    rows = [row for sentence in sentences for _, row in sentence.rows]
    return all(len(row) >= column and TAG.fullmatch(row[column - 1]) for row in rows)


def _one_word(example_id: str) -> str:
    return "_".join(example_id.split())
