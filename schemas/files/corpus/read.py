"""From a file of any format to examples and a report: read, count anew, fit to words, check."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from schemas.alignment import ONLY_WHITE_SPACE, aligned
from schemas.bio import validate_entities
from schemas.errors import ConfigError
from schemas.files.corpus import (
    conll,
    doccano,
    hf,
    jsonl,
    label_studio,
    prodigy,
    spacy,
    tables,
    text,
)
from schemas.files.corpus.example import Example, Record, Span
from schemas.files.corpus.kinds import kind_of, only_texts
from schemas.files.corpus.offsets import in_code_points
from schemas.files.corpus.options import Format, Reading
from schemas.files.corpus.recognise import recognise
from schemas.files.corpus.report import DataReport, make_report
from schemas.files.corpus.source import Source
from schemas.types import Category, Entity

AS_RECOGNISED = Reading()

READERS: dict[Format, Callable[..., Iterator[Record]]] = {
    "jsonl": jsonl.read,
    "conll": conll.read,
    "label-studio": label_studio.read,
    "label-studio-min": label_studio.read_min,
    "doccano": doccano.read,
    "prodigy": prodigy.read,
    "spacy": spacy.read,
    "hf": hf.read,
    "csv": tables.read,
    "tsv": tables.read,
    "text": text.read,
}


@dataclass(frozen=True, slots=True)
class Imported:
    """A corpus in its file's order, and the report of how it was read."""

    examples: tuple[Example, ...]
    report: DataReport


def read_corpus(
    path: Path, *, labelled: bool = True, how: Reading = AS_RECOGNISED
) -> list[Example]:
    """Read a corpus file, in its order; see `import_corpus`."""
    return list(import_corpus(path, labelled=labelled, how=how).examples)


def import_corpus(path: Path, *, labelled: bool = True, how: Reading = AS_RECOGNISED) -> Imported:
    """Read a corpus file, with a report; `how` goes before what is recognised.

    With `labelled=False` labels may be missing, which then are none. A record without an `id`
    gets `<file stem>:<line>`, further ones of that line `.2`, `.3` behind it. Raises
    `ConfigError`, with path and line, for the first record that is wrong.
    """
    source = Source.open(Path(path))
    if not any(True for _ in source.filled()):
        raise ConfigError(f"{path}: the corpus is empty")
    form = how.format or recognise(source, labelled=labelled, columns=how.columns)
    found = list(READERS[form](source, how, labelled=labelled))
    if not labelled:
        found = [only_texts(record) for record in found]
    return _Import(source, form).run(found)


@dataclass(frozen=True, slots=True)
class _Import:
    source: Source
    form: Format
    mended: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)

    def run(self, found: Sequence[Record]) -> Imported:
        taken = [one for one in found if not one.left_out]
        kept = in_code_points(self.source, taken, self.form)
        self.dropped.update(one.left_out for one in found if one.left_out)
        kind = kind_of(self.source, taken)
        examples = tuple(self._examples(kept))
        if not examples:
            told = ", ".join(f"{n} {why.replace('_', ' ')}" for why, n in self.dropped.items())
            raise ConfigError(
                f"{self.source.path}: the corpus is empty" + (f" ({told})" if told else "")
            )
        report = make_report(
            self.form, examples, kind=kind, mended=self.mended, dropped=self.dropped
        )
        return Imported(examples, report)

    def _examples(self, records: Sequence[Record]) -> Iterator[Example]:
        line_of: dict[str, int] = {}
        again = Counter[int]()
        for record in records:
            name = record.id if record.id is not None else self._name(record, line_of, again)
            example = self._example(record, name)
            if (first := line_of.get(example.id)) is not None:
                raise self.source.error(
                    record.line, f"the id of line {first} again: {example.id!r}"
                )
            line_of[example.id] = record.line
            yield example

    def _name(self, record: Record, taken: Mapping[str, int], again: Counter[int]) -> str:
        """Name a record by its line; `.2`, `.3` tell those of one line apart."""
        name = base = f"{self.source.path.stem}:{record.line}"
        while name in taken:
            again[record.line] += 1
            name = f"{base}.{again[record.line] + 1}"
        return name

    def _example(self, record: Record, name: str) -> Example:
        self.mended.update(record.mended)
        self.dropped.update(record.dropped)
        try:
            entities = self._fitted(record)
            answer = record.llm_spans
            llm = None if answer is None else _entities(record.text, answer)
        except ValueError as error:
            raise self.source.error(record.line, error) from None
        return Example(
            name,
            record.text,
            entities,
            record.meta,
            llm,
            categories=self._once(record.categories),
            llm_categories=_sorted(record.llm_categories),
        )

    def _once(self, given: Sequence[Category]) -> tuple[Category, ...]:
        found = _sorted(given) or ()
        self.dropped["category_again"] += len(given) - len(found)
        return found

    def _fitted(self, record: Record) -> tuple[Entity, ...]:
        """Give the entities, fitted to words; `ValueError` where they are none of the text."""
        once = tuple(dict.fromkeys(record.spans))
        self.dropped["span_again"] += len(record.spans) - len(once)
        entities = _entities(record.text, once)
        done: Counter[str] = Counter()
        fitted = aligned(record.text, entities, tally=done)
        self.dropped[ONLY_WHITE_SPACE] += done.pop(ONLY_WHITE_SPACE, 0)
        self.mended.update(done)
        return fitted


def _sorted(given: Sequence[Category] | None) -> tuple[Category, ...] | None:
    """Sort by label; of one that comes again the surest counts."""
    if given is None:
        return None
    surest = {one.label: one for one in sorted(given)}
    return tuple(sorted(surest.values()))


def _entities(text: str, spans: Sequence[Span]) -> tuple[Entity, ...]:
    entities = tuple(sorted(_entity(text, span) for span in spans))
    validate_entities(text, entities)
    return entities


def _entity(text: str, span: Span) -> Entity:
    start, end = span.start, span.end
    return Entity(start, end, span.label, text[start:end] if start >= 0 else "", span.score)
