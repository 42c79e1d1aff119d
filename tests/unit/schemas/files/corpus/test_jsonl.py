from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.files.corpus import Example, read_corpus


def read(folder: Path, *, labelled: bool, **value: Any) -> Example:
    (folder / "c.jsonl").write_text(json.dumps(value), encoding="utf-8")
    return read_corpus(folder / "c.jsonl", labelled=labelled)[0]


@pytest.mark.parametrize(("given", "name"), [(15, "15"), (None, "c:1"), ("15", "15")])
def test_a_number_is_an_id_too_and_null_is_absence(tmp_path: Path, given: Any, name: str) -> None:
    found = read(tmp_path, labelled=False, id=given, text="Ada", meta=None, entities=None)
    assert (found.id, found.meta, found.entities) == (name, {}, ())


def test_a_span_without_a_score_is_certain(tmp_path: Path) -> None:
    span = {"start": 0, "end": 3, "label": "PER", "score": None, "surface": None}
    assert read(tmp_path, labelled=True, text="Ada", entities=[span]).entities[0].confidence == 1
