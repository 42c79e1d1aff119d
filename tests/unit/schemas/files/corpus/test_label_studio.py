from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import ConfigError
from schemas.files.corpus import Imported, import_corpus

TEXT = "\U0001f4a9 Mira Holt left Oslo."


def item(start: int, end: int, label: str, text: str, **more: Any) -> dict[str, Any]:
    value = {"start": start, "end": end, "text": text, "labels": [label]}
    return {"type": "labels", "from_name": "x", "to_name": "text", "value": value} | more


def task(*results: list[Any], **more: Any) -> dict[str, Any]:
    annotations = [{"result": one, "was_cancelled": False} for one in results]
    return {"id": 7, "data": {"text": TEXT}, "annotations": annotations} | more


def imported(folder: Path, *values: Any, labelled: bool = True) -> Imported:
    path = folder / "export.json"
    path.write_text(json.dumps(list(values), indent=1), encoding="utf-8")
    return import_corpus(path, labelled=labelled)


NAMES = [item(3, 12, "PER", "Mira Holt"), item(18, 22, "LOC", "Oslo")]


def test_an_export_is_read_as_it_is_and_its_utf16_offsets_are_noticed(tmp_path: Path) -> None:
    found = imported(tmp_path, task(NAMES))
    (example,) = found.examples
    assert example.id == "7"
    assert [(e.surface, e.label) for e in example.entities] == [
        ("Mira Holt", "PER"),
        ("Oslo", "LOC"),
    ]
    assert found.report.mended == {"utf16_offsets": 2}


def test_the_last_annotation_that_was_not_cancelled_counts(tmp_path: Path) -> None:
    one = task([NAMES[0]], NAMES, [])
    one["annotations"][2]["was_cancelled"] = True
    found = imported(tmp_path, one)
    assert len(found.examples[0].entities) == 2
    assert found.report.dropped == {"annotation_before_the_last": 1}


def test_tasks_that_nobody_annotated_are_no_texts_without_entities(tmp_path: Path) -> None:
    cancelled = task([], id=9)
    cancelled["annotations"][0]["was_cancelled"] = True
    found = imported(tmp_path, task(NAMES), task(id=8), cancelled)
    assert [one.id for one in found.examples] == ["7"]
    assert found.report.dropped == {"cancelled": 1, "not_annotated": 1}
    assert len(imported(tmp_path, task(id=8), labelled=False).examples) == 1


def test_choices_and_relations_are_dropped_and_counted(tmp_path: Path) -> None:
    found = imported(tmp_path, task([*NAMES, {"type": "relation", "from_id": "a"}]))
    assert found.report.dropped == {"not_a_span": 1}


def test_a_text_under_another_name_is_found_and_two_are_refused(tmp_path: Path) -> None:
    assert imported(tmp_path, task(NAMES, data={"body": TEXT})).examples[0].text == TEXT
    with pytest.raises(ConfigError, match=r"export\.json:2: expected a text under data\.text"):
        imported(tmp_path, task(NAMES, data={"a": TEXT, "b": TEXT}))


def test_json_min_is_read(tmp_path: Path) -> None:
    spans = [one["value"] for one in NAMES]
    found = imported(tmp_path, {"id": 1, "text": TEXT, "ner": spans}, {"id": 2, "text": "rain"})
    assert found.report.format == "label-studio-min"
    assert [len(one.entities) for one in found.examples] == [2, 0]


def test_offsets_without_a_text_beside_them_are_utf16_units(tmp_path: Path) -> None:
    bare = [one["value"] | {"text": None} for one in NAMES]
    found = imported(tmp_path, {"id": 1, "text": TEXT, "ner": bare})
    assert [e.surface for e in found.examples[0].entities] == ["Mira Holt", "Oslo"]
    assert found.report.mended == {"utf16_offsets": 2}
    with pytest.raises(ConfigError, match=r"export\.json:2: .*UTF-16 units as Label Studio"):
        imported(tmp_path, {"id": 1, "text": TEXT, "ner": [bare[0] | {"start": 1}]})


def test_a_text_beside_code_points_wins(tmp_path: Path) -> None:
    found = imported(tmp_path, task([item(2, 11, "PER", "Mira Holt")]))
    assert [e.surface for e in found.examples[0].entities] == ["Mira Holt"]
    assert found.report.mended == {}


def test_a_result_of_null_is_a_text_without_spans(tmp_path: Path) -> None:
    one = task([])
    one["annotations"][0]["result"] = None
    assert imported(tmp_path, one).examples[0].entities == ()


def test_the_last_entry_of_a_task_counts_in_json_min(tmp_path: Path) -> None:
    first, last = ([one["value"]] for one in NAMES)
    found = imported(
        tmp_path, {"id": 1, "text": TEXT, "ner": first}, {"id": 1, "text": TEXT, "ner": last}
    )
    assert [e.label for one in found.examples for e in one.entities] == ["LOC"]
    assert found.report.dropped == {"annotation_before_the_last": 1}


def test_one_id_with_two_texts_in_json_min_is_refused(tmp_path: Path) -> None:
    spans = [one["value"] for one in NAMES]
    with pytest.raises(ConfigError, match="the id of line 2 again"):
        imported(tmp_path, {"id": 1, "text": TEXT, "ner": spans}, {"id": 1, "text": "rain"})


def test_the_line_of_a_task_that_is_wrong_is_told(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    path.write_text("[\n" + json.dumps(task(NAMES)) + ",\n\n" + '{"id": 1, "data": 3}]')
    with pytest.raises(ConfigError, match=r"export\.json:4: 'data' is not of type dict"):
        import_corpus(path)
