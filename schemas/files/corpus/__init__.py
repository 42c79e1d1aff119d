"""Labelled corpora on disk, as annotation tools write them: one file a format.

`recognise` tells which format a file has, `read` brings every format to examples (`Example`)
with a report, `write` goes the other way. A reader yields records as they stand; what tools do
differently, units of offsets and selections that miss a word's edge, is mended after it.
"""

from __future__ import annotations

from schemas.files.corpus.example import Example
from schemas.files.corpus.jsonl import write_jsonl
from schemas.files.corpus.options import FORMATS, Format, Reading, reading
from schemas.files.corpus.read import Imported, import_corpus, read_corpus
from schemas.files.corpus.recognise import recognise
from schemas.files.corpus.report import DataReport

__all__ = [
    "FORMATS",
    "DataReport",
    "Example",
    "Format",
    "Imported",
    "Reading",
    "import_corpus",
    "read_corpus",
    "reading",
    "recognise",
    "write_jsonl",
]
